"""The wheel that others install: what is in it, and that it edits a clip without this folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROGRAM = """
import json, sys
import talkedit_sdk
from talkedit_sdk import Editor

video, out = sys.argv[1:]
result = Editor.load(device="cpu").edit(video, "happy", intensity=0.8, progress=False)
result.save(out)
loaded = [m.__file__ for n, m in sys.modules.items() if n.startswith("talkedit_sdk") and getattr(m, "__file__", None)]
print(json.dumps({"loaded": loaded, "frames": result.report.frames, "edited": result.report.edited_frames}))
"""


def call(*command: object, cwd: Path = ROOT, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    call("-m", "build", "--no-isolation", "--wheel", "--outdir", folder, ROOT)
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        assert archive.testzip() is None
        return set(archive.namelist())


def test_the_wheel_holds_the_package_and_its_weights(names):
    own = {path.relative_to(ROOT).as_posix() for path in (ROOT / "talkedit_sdk").rglob("*.py")}
    assert own <= names
    weights = {path.relative_to(ROOT).as_posix() for path in (ROOT / "talkedit_sdk" / "weights").iterdir()}
    assert weights <= names
    assert {"talkedit_sdk/py.typed", "talkedit_sdk/weights/face.safetensors", "talkedit_sdk/weights/face.json"} <= names


def test_the_wheel_holds_nothing_else(names):
    folders = {name.split("/")[0] for name in names}
    assert folders - {"talkedit_sdk"} == {name for name in folders if name.endswith(".dist-info")}
    assert {Path(name).suffix for name in names if name.startswith("talkedit_sdk/")} <= {
        ".py", ".typed", ".safetensors", ".json", ".md", ".css", ".js", ".html",
    }  # fmt: skip


def test_the_wheel_is_small_and_says_what_it_is(wheel, names):
    assert wheel.stat().st_size < 26 * 2**20
    with zipfile.ZipFile(wheel) as archive:
        texts = {name.split("/")[-1]: archive.read(name).decode() for name in names if ".dist-info/" in name}
    assert "Name: talkedit\n" in texts["METADATA"]
    assert "License-Expression: Apache-2.0\n" in texts["METADATA"]
    assert "talkedit = talkedit_sdk.cli:main" in texts["entry_points.txt"]


def test_an_installed_wheel_edits_a_clip(wheel, talking, tmp_path):
    site, out = tmp_path / "site", tmp_path / "happy.mp4"
    call("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", site, wheel)
    told = json.loads(call("-c", PROGRAM, talking, out, cwd=tmp_path, PYTHONPATH=str(site)))
    assert told["loaded"]
    assert all(Path(path).is_relative_to(site) for path in told["loaded"])
    assert told["frames"] == told["edited"] == 25
    assert out.stat().st_size > 10_000
    _, version, *_ = wheel.name.split("-")
    assert call("-m", "talkedit_sdk", "--version", cwd=tmp_path, PYTHONPATH=str(site)) == f"talkedit {version}\n"
