"""Weights from the Hub: what is fetched, what is kept, and what is said when it cannot be had."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import constants

from talkedit_sdk import Editor, OptionError, WeightsError
from talkedit_sdk.hub import EMBEDDED, find_weights, is_repository
from talkedit_sdk.manifest import MANIFEST, MAX_BYTES, MAX_MANIFEST_BYTES, write_manifest

NAME = "lab/faces"


def listed(folder):
    return sorted(path.name for path in folder.iterdir())


def in_cache():
    found = Path(constants.HF_HUB_CACHE).rglob("*")
    return [path for path in found if (path.is_file() or path.is_symlink()) and path.suffix != ".lock"]


def changed(contents, **changes):
    """The same files with other members in the manifest."""
    return {**contents, MANIFEST: json.dumps({**json.loads(contents[MANIFEST]), **changes}).encode()}


def retrained(weights):
    """The folder after another training, as a commit wants it."""
    path = weights / "face.safetensors"
    path.write_bytes(path.read_bytes()[:-4] + b"more")
    write_manifest(weights)
    return {path.name: path.read_bytes() for path in weights.iterdir()}


@pytest.fixture
def impatient(monkeypatch):
    """Without the pauses between attempts, and in blocks that a small file has several of."""
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 2**14)


def test_only_what_the_manifest_lists_is_downloaded_and_only_once(hub, files, weights):
    hub.add(NAME, {**files, "optimizer.bin": b"x" * 1000, "evil.pkl": b"x"})
    folder = find_weights(NAME)
    assert listed(folder) == [MANIFEST, "face.json", "face.safetensors"]
    assert all((folder / name).read_bytes() == files[name] for name in listed(folder))
    assert hub.downloads() == [MANIFEST, "face.json", "face.safetensors"]
    assert find_weights(NAME) == folder
    assert set(hub.downloads()) <= {MANIFEST}


def test_an_editor_from_the_hub(hub, model, portrait_head, editor, tmp_path):
    model.save(tmp_path / "mine", {})
    write_manifest(tmp_path / "mine")
    repository = hub.add(NAME, {path.name: path.read_bytes() for path in (tmp_path / "mine").iterdir()})
    repository.tags["v1"] = repository.branches["main"]
    repository.commit({MANIFEST: b"{}"})
    theirs = Editor.load(NAME, device="cpu", revision="v1")
    ours = editor.edit([portrait_head], "happy").curves[0].after
    np.testing.assert_allclose(theirs.edit([portrait_head], "happy").curves[0].after, ours, atol=1e-3)


def test_branches_tags_and_commits(hub, files, weights):
    repository = hub.add(NAME, files)
    first = repository.branches["main"]
    repository.tags["v1.0"] = first
    second = repository.commit(retrained(weights))
    repository.commit(files, "release/old")
    assert find_weights(NAME).name == second
    assert find_weights(NAME, "v1.0").name == first
    assert find_weights(NAME, "release/old").name == repository.branches["release/old"]
    assert find_weights(NAME, "main").name == second
    hub.log.clear()
    assert find_weights(NAME, first).name == first
    assert hub.log == []  # a commit never changes


def test_a_branch_that_moved_on_is_followed(hub, files, weights):
    repository = hub.add(NAME, files)
    before = find_weights(NAME)
    repository.commit(retrained(weights))
    after = find_weights(NAME)
    assert after != before
    assert (after / "face.safetensors").read_bytes() != (before / "face.safetensors").read_bytes()
    hub.stop()
    assert find_weights(NAME) == after


@pytest.mark.parametrize("gone", ["stopped", "offline", "status 503", "status 429", "login page"])
def test_without_network(hub, files, monkeypatch, gone):
    hub.add(NAME, files)
    folder = find_weights(NAME)
    if gone == "stopped":
        hub.stop()
    elif gone == "offline":
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    elif gone == "login page":
        hub.page = b"<html>Welcome to our hotel</html>"
    else:
        hub.status = int(gone.split()[1])
    assert find_weights(NAME) == find_weights(NAME, "main") == folder
    began = time.monotonic()
    for name, revision in ((NAME, "v2"), ("lab/others", None)):
        with pytest.raises(
            WeightsError, match=f"^{name}.* was not downloaded before and the Hub cannot be reached; conn"
        ):
            find_weights(name, revision)
    assert time.monotonic() - began < 3


def test_without_network_half_of_the_weights_are_none(hub, files, impatient):
    hub.add(NAME, files)
    hub.cut = 1000
    with pytest.raises(WeightsError, match="broke off"):
        find_weights(NAME)
    hub.stop()
    with pytest.raises(WeightsError, match=r"as it was downloaded is incomplete: face\.safetensors is missing"):
        find_weights(NAME)


@pytest.mark.parametrize(
    ("name", "revision", "token", "says"),
    [
        ("lab/nothing", None, "", "There is no folder lab/nothing and no repository http"),
        ("lab/nothing", None, "hf_reader", "There is no folder lab/nothing and no repository http"),
        ("lab/secret", None, "", r"that you may see: check the name, or log in with `hf auth login`"),
        ("lab/gated", None, "hf_reader", "lab/gated is gated: ask for access at http"),
        (NAME, "v9", "", "lab/faces has no revision 'v9'; choose one of those at http"),
        (NAME, "../../etc", "", r"lab/faces has no revision '\.\./\.\./etc'"),
        (NAME, "0" * 40, "", "has no revision"),
        ("a--b/c", None, "", "neither a folder here nor a name that a repository"),
        ("a/b..c", None, "", "neither a folder here nor a name that a repository"),
    ],
)
def test_repositories_that_cannot_be_had(hub, files, monkeypatch, name, revision, token, says):
    hub.add(NAME, files)
    hub.add("lab/secret", files, private=True)
    hub.add("lab/gated", files, gated=True)
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(WeightsError, match=says) as caught:
        find_weights(name, revision)
    assert "\n" not in str(caught.value)


def test_a_token_opens_what_is_private(hub, files, monkeypatch):
    hub.add("lab/secret", files, private=True)
    monkeypatch.setenv("HF_TOKEN", "hf_reader")
    assert listed(find_weights("lab/secret")) == [MANIFEST, "face.json", "face.safetensors"]


def test_repositories_that_hold_no_weights(hub, files):
    def refused(contents, says):
        hub.add(NAME, contents)
        hub.downloads()
        with pytest.raises(WeightsError, match=says):
            find_weights(NAME)
        asked = hub.downloads()
        assert "face.safetensors" not in asked
        assert (MANIFEST in asked) == (0 < len(contents.get(MANIFEST, b"")) < MAX_MANIFEST_BYTES)

    without = {name: content for name, content in files.items() if name != "face.safetensors"}
    refused({"model.bin": b"x"}, "lab/faces holds no talkedit weights")
    refused({**files, MANIFEST: b'{"model_type": "bert"}'}, "lab/faces holds no talkedit weights")
    refused({**files, MANIFEST: b" " * 300_000}, "lab/faces holds no talkedit weights")
    refused(changed(files, format=2), "lab/faces needs a newer talkedit and this is .*; upgrade talkedit")
    refused(changed(files, min_version="99.1"), r"needs talkedit 99\.1 or newer and this is")
    refused(changed(files, files=[]), "damaged")
    refused(without, r"should hold \d+ bytes of face\.safetensors and holds none")
    refused({**files, "face.safetensors": b"longer than it was"}, "of face.safetensors and holds 18; tell its owner")
    huge = {"name": "face.safetensors", "size": MAX_BYTES + 1, "sha256": "0" * 64, "holds": "much"}
    refused(changed(files, files=[huge]), "more than the 256 MiB that weights may take")


def test_a_file_that_was_tampered_with_is_refused_and_not_kept(hub, files):
    repository = hub.add(NAME, files)
    good = files["face.safetensors"]
    digest = hashlib.sha256(good).hexdigest()
    hub.served[digest] = good[:-1] + b"!"
    with pytest.raises(
        WeightsError, match=r"face\.safetensors of lab/faces is damaged \(it differs from config\.json\)"
    ):
        find_weights(NAME)
    assert not [path for path in in_cache() if digest in path.name or path.name == "face.safetensors"]
    del hub.served[digest]
    assert (find_weights(NAME) / "face.safetensors").read_bytes() == good
    assert repository.branches["main"] == find_weights(NAME).name


@pytest.mark.parametrize("name", ["face.safetensors", "face.json", MANIFEST])
def test_a_file_that_decayed_on_the_disk_is_fetched_again(hub, files, name):
    hub.add(NAME, files)
    path = find_weights(NAME) / name
    path.resolve().write_bytes(b"?" * len(files[name]))
    assert (find_weights(NAME) / name).read_bytes() == files[name]
    path.resolve().write_bytes(files[name][:50])
    hub.stop()
    with pytest.raises(WeightsError, match=f"{MANIFEST} is none of" if name == MANIFEST else "damaged"):
        find_weights(NAME)


def test_a_download_that_breaks_off_resumes(hub, files, impatient):
    hub.add(NAME, files)
    hub.cut, hub.cut_after = 1, 70_000
    folder = find_weights(NAME)
    assert (folder / "face.safetensors").read_bytes() == files["face.safetensors"]
    assert hub.ranges == ["bytes=65536-"]


def test_a_download_that_never_ends_well_leaves_the_cache_sound(hub, files, impatient):
    hub.add(NAME, files)
    hub.cut, hub.cut_after = 1000, 70_000
    with pytest.raises(WeightsError, match="The exchange with the Hub about lab/faces broke off") as caught:
        find_weights(NAME)
    assert "\n" not in str(caught.value)
    assert not [p for p in in_cache() if "incomplete" in p.name or p.stat().st_size in (0, 2**16, 70_000)]
    hub.cut = 0
    assert (find_weights(NAME) / "face.safetensors").read_bytes() == files["face.safetensors"]


def test_what_is_a_folder_and_what_a_repository(hub, files, weights, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_weights(None) == EMBEDDED
    for folder in (weights, str(weights), "made", "./made", "./lab/made", Path("lab/faces"), "", "..", "a/b/c", "~/x"):
        assert find_weights(folder) == Path(folder)
        assert not is_repository(folder)
    assert hub.log == []
    hub.add(NAME, files)
    assert find_weights(NAME).is_relative_to(tmp_path / "hf")
    weights.rename(tmp_path / "faces")
    (tmp_path / "lab").mkdir()
    (tmp_path / "faces").rename(tmp_path / "lab" / "faces")
    assert find_weights(NAME) == Path(NAME)
    for folder in (None, NAME, Path("other/name")):
        with pytest.raises(OptionError, match="Only a repository on the Hub has revisions"):
            find_weights(folder, "v1")


def test_a_folder_is_compared_with_its_manifest(weights):
    (weights / "face.json").write_text("{}")
    with pytest.raises(WeightsError, match=r"face\.json of .*made is damaged"):
        Editor.load(weights)
    (weights / "face.json").unlink()
    with pytest.raises(WeightsError, match=r"made is incomplete: face\.json is missing"):
        find_weights(weights)


def test_the_hub_is_not_imported_before_it_is_needed():
    program = (
        "import sys; from talkedit_sdk.hub import find_weights; find_weights(None); import talkedit_sdk.weights_cli;"
        "print('huggingface_hub' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("False\n", "")


def run(*arguments, **environment):
    """The real command, which reads its environment as a user's does."""
    return subprocess.run(
        [sys.executable, "-m", "talkedit_sdk", *map(str, arguments)],
        capture_output=True, text=True, check=False, env={**os.environ, **environment},
    )  # fmt: skip


def test_the_command_line_with_and_without_network(hub, files):
    repository = hub.add(NAME, files)
    repository.tags["v1"] = repository.branches["main"]
    done = run("weights", "info", NAME, "--revision", "v1", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    facts = json.loads(done.stdout)
    assert Path(facts["folder"]).name == repository.branches["main"]
    assert facts["checksums_ok"] is True
    assert facts["face.json"]["people"] == 7
    assert (facts["face.safetensors"]["tensors"], facts["face.safetensors"]["parameters"]) == (1, 50_000)
    hub.stop()
    again = run("weights", "info", NAME, "--revision", "v1", "--json", HF_HUB_OFFLINE="1")
    assert (again.returncode, again.stdout, again.stderr) == (0, done.stdout, "")
    wrong = run("weights", "info", "lab/others", HF_HUB_OFFLINE="1")
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert wrong.stderr.startswith("error: lab/others was not downloaded before and the Hub cannot be reached")
    assert wrong.stderr.count("\n") == 1


def test_the_command_line_edits_with_weights_from_the_hub(hub, files, talkedit, talk, contents):
    hub.add(NAME, files)  # no real face model
    before = contents()
    done = talkedit("edit", talk, "-e", "happy", "--weights", NAME, "--revision", "main")
    assert (done.code, hub.downloads()) == (1, [MANIFEST, "face.json", "face.safetensors"])
    assert done.error.startswith("The face model in ")
    after = {name: content for name, content in contents().items() if not name.startswith("hf")}
    assert after == before
    assert talkedit("edit", talk, "-e", "happy", "--revision", "v1").error.startswith(
        "Only a repository on the Hub has"
    )
    assert json.loads(talkedit("weights", "info", "--json").out)["face.json"]["people"] > 7
