"""Weights to the Hub: what is sent, under which name, and why it may be refused."""

from __future__ import annotations

import json

import pytest

from talkedit_sdk import OptionError, OutputError, WeightsError
from talkedit_sdk.hub import EMBEDDED, find_weights
from talkedit_sdk.manifest import MANIFEST
from talkedit_sdk.publish import CARD, Publication

NAME = "lab/faces"
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # huggingface_hub to its own client


@pytest.fixture
def logged_in(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_writer")


def test_what_was_pushed_can_be_fetched(hub, weights, logged_in):
    address = Publication.prepare(NAME, weights).push()
    repository = hub.repositories[NAME]
    head = repository.branches["main"]
    assert address == f"{hub.address}/{NAME}/commit/{head}"
    assert not repository.private
    assert sorted(repository.commits[head]) == [".gitattributes", CARD, MANIFEST, "face.json", "face.safetensors"]
    folder = find_weights(NAME)
    for name in (MANIFEST, "face.json", "face.safetensors"):
        assert (folder / name).read_bytes() == (weights / name).read_bytes()
    assert "PUT /lfs/" in " ".join(hub.log)


def test_the_model_card(weights):
    card = Publication.prepare(NAME, weights).card
    assert card.startswith("---\nlicense: apache-2.0\nlibrary_name: talkedit\ntags: [talkedit, ")
    assert f'Editor.load("{NAME}")' in card
    assert "| `face.safetensors` | 200,080 | 3D morphable face model" in card
    assert card.endswith("\n\n# My face model\n\nMade with love.\n")
    assert card.count("---\nlicense") == 1
    (weights / CARD).unlink()
    assert Publication.prepare(NAME, weights).card.endswith("harass or harm.\n")


def test_branch_tag_and_privacy(hub, weights, logged_in):
    Publication.prepare(NAME, weights).push(branch="trial", tag="v1", private=True)
    repository = hub.repositories[NAME]
    assert repository.private
    assert repository.tags == {"v1": repository.branches["trial"]}
    assert list(repository.commits[repository.branches["main"]]) == [".gitattributes"]
    assert find_weights(NAME, "v1").name == repository.branches["trial"]
    hub.log.clear()
    with pytest.raises(OutputError, match="lab/faces has a tag 'v1' already: choose another one"):
        Publication.prepare(NAME, weights).push(tag="v1")
    assert not [line for line in hub.log if "/commit/" in line]


def test_a_second_push_sends_no_large_file_twice(hub, weights, logged_in):
    Publication.prepare(NAME, weights).push()
    hub.log.clear()
    (weights / CARD).write_text("# Better told\n")
    Publication.prepare(NAME, weights).push()
    assert not [line for line in hub.log if line.startswith("PUT")]
    head = hub.repositories[NAME].branches["main"]
    assert hub.repositories[NAME].commits[head][CARD].endswith(b"# Better told\n")


@pytest.mark.parametrize(
    ("token", "says"),
    [
        ("", "lab/faces cannot be written without a token: log in with `hf auth login` or set HF_TOKEN"),
        ("hf_reader", "The Hub refused access to lab/faces: check what your token permits"),
        ("hf_forged", "The Hub refused access to lab/faces: check what your token permits"),
    ],
)
def test_without_the_right_to_write(hub, weights, monkeypatch, token, says):
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(OutputError, match=says) as caught:
        Publication.prepare(NAME, weights).push()
    assert "\n" not in str(caught.value)
    assert hub.repositories == {}


def test_an_upload_that_fails(hub, weights, logged_in):
    hub.refused_upload = True
    with pytest.raises(OutputError, match="The Hub refused access to lab/faces"):
        Publication.prepare(NAME, weights).push()
    assert list(hub.repositories[NAME].commits.values()) == [{".gitattributes": b""}]


def test_without_network(hub, weights, logged_in):
    hub.stop()
    with pytest.raises(OutputError, match="The exchange with the Hub about lab/faces broke off"):
        Publication.prepare(NAME, weights).push()


@pytest.mark.parametrize("name", ["faces", "./lab/faces", "a/b/c", "lab/", "", "/lab/faces", "lab/../faces"])
def test_names_that_no_repository_has(weights, name):
    with pytest.raises(OptionError, match="cannot be the name of a repository; write it as org/name"):
        Publication.prepare(name, weights)


def test_folders_that_are_not_sent(weights, tmp_path):
    with pytest.raises(WeightsError, match=r"nowhere has no config\.json"):
        Publication.prepare(NAME, tmp_path / "nowhere")
    (weights / CARD).write_bytes(b"\xff\xfe")
    with pytest.raises(WeightsError, match=r"README\.md is no text in UTF-8"):
        Publication.prepare(NAME, weights)
    (weights / CARD).write_bytes(b"x" * (2**20 + 1))
    with pytest.raises(WeightsError, match="longer than a model card can be"):
        Publication.prepare(NAME, weights)
    (weights / "face.json").write_text("{}")
    with pytest.raises(
        WeightsError, match=r"face\.json of .* is damaged .*; get these weights anew, or run `talkedit wei"
    ):
        Publication.prepare(NAME, weights)


def test_the_command_line_pushes(hub, weights, talkedit, logged_in):
    dry = talkedit("weights", "push", NAME, "--folder", weights, "--dry-run")
    assert (dry.code, dry.err) == (0, "")
    assert dry.out.startswith(
        f"Nothing was sent. {NAME} would get: face.json, face.safetensors, config.json, README.md."
    )
    assert dry.out.endswith(Publication.prepare(NAME, weights).card)
    assert hub.log == []
    done = talkedit("weights", "push", NAME, "--folder", weights, "--tag", "v1", "--private")
    assert (done.code, done.out) == (0, f"{hub.address}/{NAME}/commit/{hub.repositories[NAME].tags['v1']}\n")
    assert hub.repositories[NAME].private
    again = json.loads(talkedit("weights", "push", "lab/ours", "--json").out)
    assert again["files"] == [
        *(p.name for p in sorted(EMBEDDED.glob("*.*")) if p.name not in (MANIFEST, CARD)),
        MANIFEST,
        CARD,
    ]
    assert again["commit"].endswith(hub.repositories["lab/ours"].branches["main"])
    wrong = talkedit("weights", "push", "faces")
    assert (wrong.code, wrong.error) == (2, "'faces' cannot be the name of a repository; write it as org/name.")


@pytest.mark.parametrize("command", ["info", "manifest", "push"])
def test_help_has_examples(talkedit, command):
    done = talkedit("weights", command, "--help")
    assert (done.code, done.err) == (0, "")
    assert f"\n talkedit weights {command}" in done.out


def test_the_command_line_writes_a_manifest(weights, talkedit):
    (weights / "face.json").write_text('{"people": 8}')
    assert talkedit("weights", "info", weights).error.startswith(f"face.json of {weights} is damaged")
    done = talkedit("weights", "manifest", weights)
    assert (done.code, done.out, done.err) == (0, f"{weights / MANIFEST}\n", "")
    told = talkedit("weights", "info", weights)
    assert (told.code, told.err) == (0, "")
    assert "  people                  8\n" in told.out
    assert "checksums_ok            yes\n" in told.out
    assert "jawOpen" not in told.out
