from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from talkedit_sdk.app.limits import Limits
from talkedit_sdk.errors import UnreadableInputError
from talkedit_sdk.video.types import VideoInfo

LIMITS = Limits(seconds=10, megabytes=1, megapixels=2)


def info(width: int, height: int, seconds: float | None, fps: int = 30, count: int | None = None) -> VideoInfo:
    return VideoInfo(Path("a.mp4"), "video", width, height, Fraction(fps), frame_count=count, duration=seconds)


def test_from_environment():
    given = {"TALKEDIT_MAX_SECONDS": "12.5", "TALKEDIT_MAX_QUEUE": "7", "TALKEDIT_MAX_MEGABYTES": "-1"}
    assert Limits.from_environment(given) == Limits(seconds=12.5, queue=7)
    assert Limits.from_environment({"TALKEDIT_MAX_SECONDS": "a day", "TALKEDIT_MAX_MINUTES": "0"}) == Limits()


@pytest.mark.parametrize("good", [info(1920, 1080, 10), info(64, 64, 9.9), info(3840, 2160, 2.5), info(64, 64, None)])
def test_clips_within_the_limits(good):
    LIMITS.check(good)


@pytest.mark.parametrize(
    ("bad", "seconds"),
    [
        (info(1280, 720, 10.2), 10),
        (info(3840, 2160, 2.7), 2),
        (info(1280, 720, 6, fps=60), 5),
        (info(1280, 720, None, count=301), 10),
    ],
)
def test_clips_beyond_them(bad, seconds):
    with pytest.raises(UnreadableInputError, match=f"can last up to {seconds} seconds here: trim it"):
        LIMITS.check(bad)


def test_large_photos_and_files(tmp_path):
    with pytest.raises(UnreadableInputError, match=r"has 3 megapixels, and up to 2 can"):
        LIMITS.check(VideoInfo(Path("a.jpg"), "photo", 2000, 1500, Fraction(25), frame_count=1))
    path = tmp_path / "big.mp4"
    path.write_bytes(bytes(3 * 2**20))
    with pytest.raises(UnreadableInputError, match=r"^big.mp4 has 3 MB, and up to 1 MB"):
        LIMITS.check_size(path)
