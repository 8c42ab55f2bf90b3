"""What tracking hands to fitting: landmarks of each person over the clip."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from talkedit_sdk.video.types import Frame

LANDMARKS = 478
"""FaceMesh with attention: 468 vertices of the face surface, then 5 points per iris (centre first)."""


@dataclass(frozen=True)
class FaceTrack:
    """One person through a clip.

    Members:
        identity: position in `Tracking.faces`, stable over cuts and absences.
        frames: (N,) int64 ascending indices of the frames in which the face was found.
        landmarks: (N, 478, 3) float32 pixels of the upright frame; x right, y down, z away from the camera, same scale.
            May be backed by a temporary file; treat as read-only.
        confidence: (N,) float32 in [0, 1].
        segments: (N,) int64, equal for frames over which motion is continuous; changes at a cut or after an absence.
    """

    identity: int
    frames: NDArray[np.int64]
    landmarks: NDArray[np.float32]
    confidence: NDArray[np.float32]
    segments: NDArray[np.int64]


@dataclass(frozen=True)
class Tracking:
    """All faces of a clip, largest total area first. `times` is (T,) seconds, `cuts` is (T,) bool, True on the first
    frame of each new shot (never on frame 0). `size` is (height, width) of the upright frame."""

    size: tuple[int, int]
    times: NDArray[np.float64]
    cuts: NDArray[np.bool_]
    faces: tuple[FaceTrack, ...]


class Tracker(Protocol):
    """Finds and follows faces."""

    def track(self, frames: Iterable[Frame], on_frame: Callable[[int], None] | None = None) -> Tracking:
        """Reads all frames once, in order. `on_frame` is called with the number of frames done, may raise to stop."""
        ...
