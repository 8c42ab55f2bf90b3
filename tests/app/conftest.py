"""One running app for all tests that talk to it, with the editor of the session."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
pytest.importorskip("gradio", reason="the app needs Gradio: pip install talkedit[app]")


@pytest.fixture(scope="session")
def wall(tmp_path_factory: pytest.TempPathFactory, make_video: Callable[..., Path]) -> Path:
    """A clip without anybody."""
    path = tmp_path_factory.mktemp("wall") / "wall.mp4"
    return make_video(path, [np.full((224, 224, 3), 90 + 4 * i, np.uint8) for i in range(6)])


@pytest.fixture(scope="session")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photo of two faces."""
    from PIL import Image
    from skimage import data

    head = data.astronaut()[0:240, 104:344]
    large, small = head.repeat(2, 0).repeat(2, 1), np.pad(head, ((120, 120), (60, 60), (0, 0)), "edge")
    path = tmp_path_factory.mktemp("two") / "two.png"
    Image.fromarray(np.hstack([large, small])).save(path)
    return path


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the app, run as a Space would run it: from an assembled folder, in a process of its own."""
    folder = tmp_path_factory.mktemp("app")
    space = folder / "space"
    subprocess.run([sys.executable, "spaces/assemble.py", str(space)], cwd=ROOT, check=True, capture_output=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "GRADIO_SERVER_NAME": "127.0.0.1",
        "GRADIO_SERVER_PORT": str(port),
        "GRADIO_TEMP_DIR": str(folder / "cache"),
        "OMP_NUM_THREADS": "1",
        "TALKEDIT_MAX_SECONDS": "8",
        "TALKEDIT_MAX_MEGABYTES": "20",
    }
    address = f"http://127.0.0.1:{port}/"
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([sys.executable, "app.py"], cwd=space, env=environment, stdout=log, stderr=log)
    try:
        until = time.monotonic() + 120
        while not _answers(address):
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < until, (folder / "log").read_text()
            time.sleep(0.2)
        yield address
    finally:
        process.terminate()
        process.wait(20)
    faults = [fault for fault in (folder / "log").read_text().split("Traceback")[1:] if "InvalidPathError" not in fault]
    assert faults == []  # but for files that Gradio itself refuses to hand out


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
