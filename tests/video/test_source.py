from __future__ import annotations

import tempfile
import weakref
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from talkedit_sdk.errors import InputNotFoundError, OptionError, UnreadableInputError
from talkedit_sdk.video.source import open_source


@pytest.fixture
def noise() -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    return [rng.integers(0, 256, (45, 63, 3), dtype=np.uint8) for _ in range(7)]


@pytest.fixture
def temporary(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def read(source) -> list[np.ndarray]:
    return [frame.rgb.copy() for frame in source.frames()]


@pytest.mark.parametrize("make", [list, tuple, np.stack])
def test_frames_in_memory_are_read_again_and_again(noise, make):
    source = open_source(make(noise), fps=10)
    for _ in range(2):
        assert all(np.array_equal(a, b) for a, b in zip(read(source), noise, strict=True))
    assert [frame.time for frame in source.frames()] == pytest.approx(np.arange(7) / 10)
    assert (source.info.kind, source.info.width, source.info.height) == ("frames", 63, 45)
    assert (source.info.frame_count, source.info.duration, source.info.path) == (7, 0.7, None)
    source.close()


def test_one_shot_frames_are_spooled_bit_exactly(noise, temporary):
    source = open_source(iter(noise), fps=29.97)
    for _ in range(2):
        assert all(np.array_equal(a, b) for a, b in zip(read(source), noise, strict=True))
    assert source.info.frame_count == 7
    assert list(temporary.iterdir())
    source.close()
    assert not list(temporary.iterdir())


def test_spooling_holds_few_frames_at_a_time(temporary):
    alive: list[weakref.ref[np.ndarray]] = []

    def frames():
        for index in range(60):
            rgb = np.full((64, 64, 3), index, np.uint8)
            alive.append(weakref.ref(rgb))
            yield rgb
            del rgb
            assert sum(ref() is not None for ref in alive) <= 3

    source = open_source(frames())
    assert source.info.fps == 25
    assert source.info.frame_count == 60
    source.close()


def test_failing_iterator_leaves_nothing(noise, temporary):
    def frames():
        yield noise[0]
        raise RuntimeError("camera unplugged")

    with pytest.raises(RuntimeError, match="unplugged"):
        open_source(frames())
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("wrap", [list, iter])
@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([], "no frames"),
        ([np.zeros((8, 8), np.uint8)], r"Frame 0 is of shape \(8, 8\)"),
        ([np.zeros((8, 8, 4), np.uint8)], "Frame 0"),
        ([np.zeros((0, 8, 3), np.uint8)], "Frame 0"),
        ([np.zeros((8, 8, 3), np.float32)], "uint8"),
        ([np.zeros((8, 8, 3), np.uint8), np.zeros((8, 9, 3), np.uint8)], "Frame 1"),
        (["a.jpg", "b.jpg"], "Frame 0 is a str"),
        ([np.zeros((2, 9000, 3), np.uint8)], "scale it down"),
    ],
)
def test_wrong_frames(temporary, wrap, frames, message):
    with pytest.raises(UnreadableInputError, match=message):
        open_source(wrap(frames))
    assert not list(temporary.iterdir())


def test_wrong_array():
    with pytest.raises(UnreadableInputError, match="T, H, W, 3"):
        open_source(np.zeros((8, 8, 3), np.uint8))


@pytest.mark.parametrize("fps", [0, -25, float("nan"), float("inf"), 1e6])
def test_wrong_rate(noise, fps):
    with pytest.raises(OptionError, match="fps"):
        open_source(noise, fps=fps)


def test_wrong_type(tmp_path, clip):
    with pytest.raises(OptionError, match="not int"):
        open_source(5)
    with pytest.raises(OptionError, match="not bytes"):
        open_source(b"clip.mp4")
    with pytest.raises(OptionError, match="not for files"):
        open_source(clip(tmp_path / "a.mp4"), fps=25)
    with pytest.raises(InputNotFoundError):
        open_source("nowhere.mp4")


def test_photo_is_a_clip_of_one_frame(tmp_path, ramp):
    path = tmp_path / "photo.png"
    Image.fromarray(ramp(41, 61)).save(path)
    source = open_source(path)
    frames = list(source.frames())
    assert len(frames) == 1
    assert (frames[0].index, frames[0].time) == (0, 0.0)
    assert np.array_equal(frames[0].rgb, ramp(41, 61))
    source.close()


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [
        ("a.mp4", "libx264", "yuv420p"),
        ("a.mov", "libx265", "yuv420p"),
        ("a.mkv", "libsvtav1", "yuv420p"),
        ("a.webm", "libvpx", "yuv420p"),
        ("a.webm", "libvpx-vp9", "yuv420p"),
        ("a.avi", "mpeg4", "yuv420p"),
        ("a.avi", "mjpeg", "yuvj444p"),
        ("a.mpg", "mpeg1video", "yuv420p"),
        ("a.mpg", "mpeg2video", "yuv420p"),
        ("a.ogv", "libvpx", "yuv420p"),
    ],
)
def test_every_container_gives_the_same_frames_twice(tmp_path, clip, ramp, name, codec, pixels):
    form = "ogg" if name.endswith("ogv") else None
    options = {
        "libx265": {"x265-params": "log-level=none"},
        "libx264": {"preset": "ultrafast"},
        "libsvtav1": {"preset": "12", "svtav1-params": "lookahead=0"},
        "libvpx": {"deadline": "realtime", "b": "2M"},
        "libvpx-vp9": {"deadline": "realtime", "b": "2M"},
    }.get(codec, {"qmin": "1", "qmax": "3"})
    path = clip(tmp_path / name, frames=15, codec=codec, pixels=pixels, container_format=form, options=options)
    source = open_source(path)
    first, second = list(source.frames()), list(source.frames())
    assert len(first) == len(second) == 15
    assert all(np.array_equal(a.rgb, b.rgb) and a.time == b.time for a, b in zip(first, second, strict=True))
    assert [frame.time for frame in first] == pytest.approx(np.arange(15) / 25, abs=0.001)
    assert np.abs(first[7].rgb.astype(int) - ramp(96, 128, 7)).mean() < 6
