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
class MouthView:
    """An open mouth.

    Members:
        landmarks: (478, 3) float32 of the whole face, pixels of the crop.
        rgb: (h, w, 3) uint8, the surroundings of the lips.
        parting: (5,) float32, where upper and lower teeth part, as shares of the gap between the lips from the upper to
            the lower one at the five `LIP_PAIRS`.
    """

    landmarks: NDArray[np.float32]
    rgb: NDArray[np.uint8]
    parting: NDArray[np.float32]


@dataclass(frozen=True)
class SkinView:
    """A face unrolled at one of the best moments.

    Members:
        row: position in the track, index of `FaceTrack.frames`.
        texture: (256, 256, 3) uint8 RGB, as from `SkinMap`.
        landmarks: (478, 3) float32 pixels of the frame.
    """

    row: int
    texture: NDArray[np.uint8]
    landmarks: NDArray[np.float32]


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
        textures: (N, 48, 48, 3) uint8 RGB, the skin unrolled (`TexelMap`); None if the tracker gathers none. May be
            backed by a temporary file; treat as read-only.
        hands: (N, 2, 21, 2) float32 pixels, landmarks of the hands around (`HandFinder`), NaN where there are none;
            None and read-only as `textures`.
        mouths: views into the open mouth, in order of openness; none where it is never open.
        eyes: (K, 64, 128, 3) uint8 RGB, a few views of both eyes and what is around them (`EyeViews`); None if nobody
            looked.
        partings: (N, 5) float32, where upper and lower teeth part, as in `MouthView`; None if nobody looked.
        views: at most 12 of the whole face, in order of time, spread over the track; none if nobody looked.
    """

    identity: int
    frames: NDArray[np.int64]
    landmarks: NDArray[np.float32]
    confidence: NDArray[np.float32]
    segments: NDArray[np.int64]
    textures: NDArray[np.uint8] | None = None
    hands: NDArray[np.float32] | None = None
    mouths: tuple[MouthView, ...] = ()
    eyes: NDArray[np.uint8] | None = None
    partings: NDArray[np.float32] | None = None
    views: tuple[SkinView, ...] = ()


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
