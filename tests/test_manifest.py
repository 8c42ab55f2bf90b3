"""The manifest of a folder of weights, true, false and hostile."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from talkedit_sdk import manifest as module
from talkedit_sdk.errors import OutputError, WeightsError
from talkedit_sdk.hub import EMBEDDED
from talkedit_sdk.manifest import FORMAT, MANIFEST, MAX_MANIFEST_BYTES, MIN_VERSION, Manifest, write_manifest
from talkedit_sdk.version import installed

FILE = {"name": "face.safetensors", "size": 8, "sha256": "0" * 64, "holds": "a face"}


@pytest.fixture
def folder(tmp_path):
    save_file({"bias": np.zeros(3, np.float32)}, tmp_path / "face.safetensors")
    (tmp_path / "face.json").write_text("{}")
    return tmp_path


def stored(folder, **changes):
    content = {"library": "talkedit", "format": FORMAT, "min_version": "0.1.0", "files": [FILE], **changes}
    (folder / MANIFEST).write_text(json.dumps(content))
    return folder / MANIFEST


def test_the_manifest_that_ships_is_true():
    """If it is not: `talkedit weights manifest talkedit_sdk/weights`."""
    shipped = Manifest.read(EMBEDDED / MANIFEST, "the package")
    assert shipped == Manifest.of(EMBEDDED)
    assert (EMBEDDED / MANIFEST).read_text() == shipped.text()
    assert {path.name for path in EMBEDDED.glob("*.safetensors")} <= {file.name for file in shipped.files}


def test_the_package_can_read_what_it_ships():
    assert not module._newer(MIN_VERSION, installed())


def test_a_manifest_lists_tensors_and_what_explains_them(folder):
    for name in ("notes.json", "index.csv", "README.md", "old.safetensors.bak"):
        (folder / name).write_text("x")
    (folder / "sub.safetensors").mkdir()
    written = write_manifest(folder)
    assert [file.name for file in written.files] == ["face.json", "face.safetensors"]
    assert Manifest.read(folder / MANIFEST, "it") == written == Manifest.of(folder)
    written.check(folder, "it")


def test_folders_without_weights(tmp_path, folder, monkeypatch):
    with pytest.raises(WeightsError, match=r"No weights can be read in .*nowhere"):
        write_manifest(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(WeightsError, match="There are no weights in"):
        write_manifest(tmp_path / "empty")
    (folder / "my face.safetensors").write_bytes(b"x")
    with pytest.raises(WeightsError, match=r"my face\.safetensors is no name for weights"):
        write_manifest(folder)
    (folder / "my face.safetensors").unlink()
    monkeypatch.setattr(module, "MAX_BYTES", 20)
    with pytest.raises(WeightsError, match="more than the"):
        write_manifest(folder)
    assert not (folder / MANIFEST).exists()


def test_a_manifest_that_cannot_be_written(folder):
    (folder / MANIFEST).mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        write_manifest(folder)
    assert not list(folder.glob(".talkedit*"))


def test_files_that_changed(folder):
    written = write_manifest(folder)
    face = (folder / "face.safetensors").read_bytes()
    for content in (face[:-1], face + b"x", bytes([face[0] ^ 1]) + face[1:], b""):
        (folder / "face.safetensors").write_bytes(content)
        with pytest.raises(WeightsError, match=r"face\.safetensors of ours is damaged"):
            written.check(folder, "ours")
    (folder / "face.safetensors").unlink()
    (folder / "face.safetensors").mkdir()
    with pytest.raises(WeightsError, match=r"ours is incomplete: face\.safetensors is missing"):
        written.check(folder, "ours")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"library": "transformers"}, "holds no talkedit weights"),
        ({"format": "1"}, "holds no talkedit weights"),
        ({"format": True}, "holds no talkedit weights"),
        (
            {"format": 2, "files": "of another kind"},
            "needs a newer talkedit and this is .*; upgrade talkedit",
        ),
        ({"format": 2, "min_version": None}, "needs a newer talkedit"),
        ({"min_version": "999"}, "needs talkedit 999 or newer"),
        ({"min_version": "newest"}, "damaged"),
        ({"min_version": 1}, "damaged"),
        ({"files": []}, "damaged"),
        ({"files": {}}, "damaged"),
        ({"files": ["face.safetensors"]}, "damaged"),
        ({"files": [{"name": "face.safetensors"}]}, "damaged"),
        ({"files": [FILE, FILE]}, "damaged"),
        ({"files": [FILE, {**FILE, "name": "Face.safetensors"}]}, "damaged"),
        ({"files": [{**FILE, "name": "../face.safetensors"}]}, "damaged"),
        ({"files": [{**FILE, "name": "sub/face.safetensors"}]}, "damaged"),
        ({"files": [{**FILE, "name": "*.safetensors"}]}, "damaged"),
        ({"files": [{**FILE, "name": "face.pkl"}]}, "damaged"),
        ({"files": [{**FILE, "name": "face.safetensors\n"}]}, "damaged"),
        ({"files": [{**FILE, "sha256": "0" * 63}]}, "damaged"),
        ({"files": [{**FILE, "sha256": 7}]}, "damaged"),
        ({"files": [{**FILE, "size": -1}]}, "damaged"),
        ({"files": [{**FILE, "size": 8.0}]}, "damaged"),
        ({"files": [{**FILE, "size": True}]}, "damaged"),
        ({"files": [{**FILE, "size": 10**12}]}, "more than the 256 MiB"),
        ({"files": [{**FILE, "holds": None}]}, "damaged"),
    ],
)
def test_manifests_that_are_refused(tmp_path, changes, says):
    with pytest.raises(WeightsError, match=f"theirs.*{says}|{says}.* theirs") as caught:
        Manifest.read(stored(tmp_path, **changes), "theirs")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"library": "talkedit", "format": ' + b"9" * 5000 + b"}"],
)
def test_what_is_no_manifest(tmp_path, content):
    (tmp_path / MANIFEST).write_bytes(content)
    with pytest.raises(WeightsError, match="theirs holds no talkedit weights"):
        Manifest.read(tmp_path / MANIFEST, "theirs")


def test_a_manifest_has_its_limits(tmp_path):
    path = stored(tmp_path, more="x" * MAX_MANIFEST_BYTES)
    with pytest.raises(WeightsError, match="holds no talkedit weights"):
        Manifest.read(path, "theirs")
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(WeightsError, match=r"theirs has no config\.json"):
        Manifest.read(path, "theirs")


def test_what_later_versions_add_is_no_hindrance(tmp_path):
    found = Manifest.read(stored(tmp_path, files=[{**FILE, "licence": "mine"}], author="me"), "theirs")
    assert [file.name for file in found.files] == ["face.safetensors"]


@pytest.mark.parametrize(
    ("needed", "version", "newer"),
    [
        ("0.1.0", "0.1.0", False), ("0.1", "0.1.0", False), ("0.1.1", "0.1.0", True), ("0.10", "0.9.5", True),
        ("0.2.0", "0.2.0rc1", False), ("0.3", "0.2.0.dev3+g1", True), ("9", "(source tree)", False),
    ],
)  # fmt: skip
def test_versions(needed, version, newer):
    assert module._newer(needed, version) is newer


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*FILE, "x"]), inner, max_size=4),
    max_leaves=12,
)


@given(changes=st.dictionaries(st.sampled_from(["format", "min_version", "files"]), _JSON, min_size=1))
def test_whatever_a_manifest_says_it_is_read_or_refused(tmp_path_factory, changes):
    path = stored(tmp_path_factory.mktemp("any"), **changes)
    try:
        found = Manifest.read(path, "theirs")
    except WeightsError:
        return
    assert all(type(file.size) is int and isinstance(file.name, str) for file in found.files)
