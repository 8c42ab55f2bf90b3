"""What passes between the video stages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Kind = Literal["video", "photo", "frames"]


@dataclass(frozen=True)
class VideoInfo:
    """What is known of a video before it is decoded.

    `width` and `height` are those of the upright picture in stored pixels (rotation applied, pixel aspect not).
    `frame_count` and `duration` (seconds) are what the container claims, None where it claims nothing: never rely on
    them.
    """

    path: Path | None
    kind: Kind
    width: int
    height: int
    fps: Fraction
    frame_count: int | None = None
    duration: float | None = None
    rotation: int = 0
    pixel_aspect: Fraction = Fraction(1)
    codec: str = "rawvideo"
    pixel_format: str = "rgb24"
    audio_codecs: tuple[str, ...] = ()
    hdr: bool = False


@dataclass(frozen=True)
class Frame:
    """One upright picture. `rgb` is (H, W, 3) uint8, `time` is in seconds from the first frame."""

    index: int
    time: float
    rgb: NDArray[np.uint8]


class FrameSource(Protocol):
    """A video that can be read from the start as often as needed, one frame in memory at a time."""

    @property
    def info(self) -> VideoInfo: ...

    def frames(self) -> Iterator[Frame]:
        """Decodes from the first frame. The number and order of frames is the same on every call."""
        ...

    def close(self) -> None:
        """Releases temporary files. The source cannot be read afterwards."""
        ...
