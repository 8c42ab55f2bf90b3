"""Assembles a Hugging Face Space in a folder, and publishes it.

    python spaces/assemble.py build/space                        the folder, to look at or to run: python app.py in it
    python spaces/assemble.py build/space --push org/name --dry-run    what would be uploaded
    python spaces/assemble.py build/space --push org/name              uploads it; log in with `hf auth login` first

The folder holds the package itself, so that a Space never waits for a release. Requirements are those of pyproject.toml
at the versions of constraints.txt. Needs the extra `app`.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from pathlib import Path

import tomlkit

ROOT = Path(__file__).resolve().parents[1]
COPIED = ("app.py", "LICENSE", "examples/talk.mp4")
CPU_TORCH = "--extra-index-url https://download.pytorch.org/whl/cpu"
"""The usual torch brings gigabytes of CUDA that a CPU Space has no use for."""

DEBIAN = ("espeak-ng",)
"""Packages of the system: reads text aloud for the tab that makes faces talk, which goes without it too."""

MARKER = ".talkedit-space"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where to put it; replaced if an earlier run made it")
    parser.add_argument("--hardware", choices=("cpu", "zero"), default="cpu", help="zero for ZeroGPU")
    parser.add_argument("--push", metavar="ORG/NAME", help="upload to this Space, created if need be")
    parser.add_argument("--private", action="store_true", help="create it as a private one")
    parser.add_argument("--dry-run", action="store_true", help="tell what would be uploaded, without network")
    given = parser.parse_args(arguments)
    try:
        assemble(given.folder, given.hardware)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    files = sorted(path for path in given.folder.rglob("*") if path.is_file() and path.name != MARKER)
    size = sum(path.stat().st_size for path in files)
    if given.push and given.dry_run:
        print(f"Would upload to https://huggingface.co/spaces/{given.push}:")
        for path in files:
            print(f"  {path.relative_to(given.folder)}  {path.stat().st_size:,}")
    elif given.push:
        push(given.folder, given.push, given.hardware, given.private)
        print(f"https://huggingface.co/spaces/{given.push}")
    print(f"{len(files)} files, {size / 2**20:.1f} MB in {given.folder}")
    return 0


def assemble(folder: Path, hardware: str = "cpu") -> Path:
    """Writes everything that the Space needs, and nothing else.

    Raises:
        ValueError: `folder` holds something else, or constraints.txt misses a version.
    """
    if folder.exists():
        if any(folder.iterdir()) and not (folder / MARKER).exists():
            raise ValueError(f"{folder} holds something else: name a new folder.")
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / MARKER).touch()
    shutil.copytree(
        ROOT / "talkedit_sdk",
        folder / "talkedit_sdk",
        ignore=shutil.ignore_patterns(".*", "__pycache__", "training"),
    )
    for name in COPIED:
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
    pins = pinned()
    readme = (ROOT / "spaces" / "README.md").read_text(encoding="utf-8")
    (folder / "README.md").write_text(readme.replace('"@gradio"', pins["gradio"]), encoding="utf-8")
    (folder / "requirements.txt").write_text("\n".join(requirements(pins, hardware)) + "\n", encoding="utf-8")
    (folder / "packages.txt").write_text("\n".join(DEBIAN) + "\n", encoding="utf-8")
    return folder


def requirements(pins: dict[str, str], hardware: str) -> list[str]:
    """Lines of requirements.txt: what the package and its extra `mcp` depend on."""
    lines = [CPU_TORCH] if hardware == "cpu" else ["spaces"]
    project = tomlkit.parse((ROOT / "pyproject.toml").read_text(encoding="utf-8")).unwrap()["project"]
    for wanted in (*project["dependencies"], *project["optional-dependencies"]["mcp"]):
        match = re.match(r"[\w.-]+(\[[\w,]+\])?", wanted)
        assert match is not None
        name = re.sub(r"\[.*", "", match[0])
        if name not in pins:
            raise ValueError(f"constraints.txt has no version of {name}: add it.")
        lines.append(f"{match[0]}=={pins[name]}")
    return lines


def pinned() -> dict[str, str]:
    """Versions by name, of constraints.txt."""
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    return dict(re.findall(r"^([\w.-]+)==([\w.+]+)", text, re.MULTILINE))


def push(folder: Path, name: str, hardware: str, private: bool) -> None:
    """Uploads the folder; what the Space held before is removed."""
    from huggingface_hub import HfApi

    api = HfApi()
    api.create_repo(
        name,
        repo_type="space",
        space_sdk="gradio",
        space_hardware="zero-a10g" if hardware == "zero" else None,
        private=private,
        exist_ok=True,
    )
    api.upload_folder(
        repo_id=name,
        repo_type="space",
        folder_path=folder,
        ignore_patterns=[MARKER, "**/__pycache__/**"],
        delete_patterns="*",
        commit_message="talkedit",
    )


if __name__ == "__main__":
    sys.exit(main())
