from __future__ import annotations

import gc
import os
import time
from pathlib import Path

import pytest

from talkedit_sdk.app.session import Session, sweep
from talkedit_sdk.errors import InputNotFoundError


@pytest.fixture
def upload(tmp_path: Path) -> Path:
    path = tmp_path / "cache" / "hash" / "my clip (1).MP4"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"pictures")
    return path


def test_closing_removes_everything(tmp_path, upload):
    session = Session(upload, tmp_path / "cache")
    assert session.video.read_bytes() == b"pictures"
    assert session.video.suffix == ".mp4"
    assert session.stem == "my clip 1"
    (session.folder / "result.mp4").touch()
    session.close()
    assert not session.open
    assert list((tmp_path / "cache").iterdir()) == []
    session.close()


def test_letting_go_does_too(tmp_path, upload):
    session = Session(upload, tmp_path / "cache")
    folder = session.folder
    del session
    gc.collect()
    assert not folder.exists()


def test_equal_uploads_stay_until_the_last_session_ends(tmp_path, upload):
    first, second = (Session(upload, tmp_path / "cache") for _ in range(2))
    first.close()
    assert upload.exists()
    assert second.video.read_bytes() == b"pictures"
    second.close()
    assert not upload.exists()


def test_files_elsewhere_are_left_alone(tmp_path):
    example = tmp_path / "talk.mp4"
    example.write_bytes(b"shipped")
    Session(example, tmp_path / "cache").close()
    assert example.read_bytes() == b"shipped"


def test_an_upload_that_is_gone(tmp_path):
    with pytest.raises(InputNotFoundError, match="upload it once more"):
        Session(tmp_path / "cache" / "gone.mp4", tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_stopping(tmp_path, upload):
    session = Session(upload, tmp_path / "cache")
    assert not session.stop_file.exists()
    session.stop()
    assert session.stop_file.exists()
    session.close()
    session.stop()


def test_what_a_killed_server_left_behind_is_swept_up(tmp_path, upload):
    session = Session(upload, tmp_path / "cache")
    old = tmp_path / "cache" / "talkedit-old"
    old.mkdir()
    (old / "source.mp4").touch()
    os.utime(old, (time.time() - 90_000,) * 2)
    sweep(tmp_path / "cache")
    assert not old.exists()
    assert session.video.exists()
    assert upload.exists()
    session.close()
