"""The folder that becomes a Space. That it runs is seen by all tests of the app: they run it from such a folder."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
pytest.importorskip("tomlkit")


def call(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "spaces/assemble.py", *map(str, arguments)]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("space") / "space"
    done = call(folder)
    assert done.returncode == 0, done.stderr
    return folder


def versions(space: Path) -> dict[str, str]:
    return dict(re.findall(r"^([\w.-]+)(?:\[\w+\])?==(\S+)$", (space / "requirements.txt").read_text(), re.MULTILINE))


def test_the_front_matter_names_the_gradio_of_the_requirements(space):
    _, head, text = (space / "README.md").read_text().split("---\n", 2)
    facts = yaml.safe_load(head)
    assert facts["sdk"] == "gradio"
    assert facts["sdk_version"] == versions(space)["gradio"]
    assert (space / facts["app_file"]).is_file()
    assert len(facts["short_description"]) <= 60
    assert text.strip().startswith("# talkedit")


def test_every_requirement_is_pinned_and_none_is_missing(space):
    lines = (space / "requirements.txt").read_text().splitlines()
    assert all("==" in line for line in lines if not line.startswith("--"))
    imported = {
        (node.module or "" if isinstance(node, ast.ImportFrom) else node.names[0].name).split(".")[0]
        for path in space.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, (ast.Import, ast.ImportFrom))
    }
    owners = packages_distributions()
    optional = {"pytorch3d", "c2pa", "cryptography", "moviepy", "matplotlib"}  # the app does without
    foreign = imported - set(sys.stdlib_module_names) - {"talkedit_sdk", "spaces"} - optional
    brought = {"PIL": "pillow", "cv2": "opencv-contrib-python", "google": "mediapipe", "llvmlite": "numba"}
    names = {brought.get(module, owners.get(module, [module])[0].lower().replace("_", "-")) for module in foreign}
    assert names <= set(versions(space))


def test_nothing_else_is_in_it(space):
    suffixes = {path.suffix for path in space.rglob("*") if path.is_file()}
    assert suffixes <= {".py", ".md", ".txt", ".mp4", ".css", ".js", ".html", ".json", ".safetensors", ".typed", ""}
    assert sum(path.stat().st_size for path in space.rglob("*") if path.is_file()) < 30 * 2**20
    assert not list(space.rglob("__pycache__"))


def test_zero_gpu_needs_the_package_spaces_and_torch_with_cuda(tmp_path):
    assert call(tmp_path / "space", "--hardware", "zero").returncode == 0
    lines = (tmp_path / "space" / "requirements.txt").read_text().splitlines()
    assert lines[0] == "spaces"
    assert not any(line.startswith("--") for line in lines)


def test_a_dry_run_names_what_would_be_uploaded_without_network(tmp_path):
    done = call(tmp_path / "space", "--push", "org/name", "--dry-run", HF_ENDPOINT="http://127.0.0.1:9")
    assert done.returncode == 0, done.stderr
    assert "Would upload to https://huggingface.co/spaces/org/name:" in done.stdout
    assert "  talkedit_sdk/weights/face.safetensors  " in done.stdout
    assert ".talkedit-space" not in done.stdout


def test_a_folder_of_somebody_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    done = call(tmp_path)
    assert done.returncode == 1
    assert "holds something else" in done.stderr
    assert (tmp_path / "thesis.txt").read_text() == "years of work"
