"""A clip that has been watched: its faces tracked and fitted, ready for any number of edits."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from talkedit_sdk.errors import NoFaceError, OptionError
from talkedit_sdk.face.fit import FaceFit
from talkedit_sdk.face.topology import BLENDSHAPES
from talkedit_sdk.face.track import FaceTrack, Tracking
from talkedit_sdk.texture.occlusion import Occlusion
from talkedit_sdk.video.types import FrameSource

_THUMBNAIL: Final = 160


@dataclass(frozen=True)
class Face:
    """One person in a clip.

    Members:
        index: number to pass as `face`.
        share: share of the frames that show the person.
        begin, end: first and last sight, seconds.
        box: left, top, width, height in pixels where the face is largest, at `seconds`.
        thumbnail: (160, 160, 3) uint8 RGB.
    """

    index: int
    share: float
    begin: float
    end: float
    seconds: float
    box: tuple[int, int, int, int]
    thumbnail: NDArray[np.uint8]


@dataclass(frozen=True)
class Clip:
    """A source with its faces, from `Editor.watch`. Holds no frames; `fits[i]` explains `tracking.faces[i]`,
    `occlusions[i]` tells what is in front of it.
    """

    source: FrameSource
    tracking: Tracking
    fits: tuple[FaceFit, ...]
    occlusions: tuple[Occlusion, ...]

    def choose(self, face: str | int) -> tuple[int, ...]:
        """Indices of the faces meant by "largest", "all" or a number.

        Raises:
            NoFaceError: there is no such face.
            OptionError: not a choice of face.
        """
        count = len(self.tracking.faces)
        if count == 0:
            raise NoFaceError(
                "No face was found; use a clip in which a face is at least 40 pixels wide and turned to the camera."
            )
        if face == "largest":
            return (0,)
        if face == "all":
            return tuple(range(count))
        try:
            index = int(face) if isinstance(face, str) else operator.index(face)
        except (TypeError, ValueError):
            raise OptionError(f"face is {face!r}; choose 'largest', 'all' or a number from 0 to {count - 1}.") from None
        if not 0 <= index < count:
            raise NoFaceError(
                f"There is no face {index}; the clip shows {count}, numbered from 0 (see `talkedit faces`)."
            )
        return (index,)

    def list_faces(self) -> tuple[Face, ...]:
        """Who is in the clip, largest first. Decodes it once more for the thumbnails."""
        best = [int(np.argmax(_areas(track))) for track in self.tracking.faces]
        wanted = {int(track.frames[row]) for track, row in zip(self.tracking.faces, best, strict=True)}
        pictures: dict[int, NDArray[np.uint8]] = {}
        for frame in self.source.frames():
            if frame.index in wanted:
                pictures[frame.index] = frame.rgb
            if len(pictures) == len(wanted):
                break
        return tuple(
            self._face(track, row, pictures[int(track.frames[row])])
            for track, row in zip(self.tracking.faces, best, strict=True)
        )

    def _face(self, track: FaceTrack, row: int, rgb: NDArray[np.uint8]) -> Face:
        times = self.tracking.times
        points = track.landmarks[row, :, :2]
        low, high = points.min(0), points.max(0)
        left, top, width, height = (int(v) for v in (*low, *(high - low)))
        return Face(
            index=track.identity,
            share=len(track.frames) / len(times),
            begin=float(times[track.frames[0]]),
            end=float(times[track.frames[-1]]),
            seconds=float(times[track.frames[row]]),
            box=(left, top, width, height),
            thumbnail=_thumbnail(rgb, (low + high) / 2, 1.5 * float((high - low).max())),
        )


@dataclass(frozen=True)
class Curves:
    """The 52 coefficients of one face over time, before and after an edit.

    Members:
        times: (N,) seconds; frames: (N,) frame indices; before, after: (N, 52) in [0, 1], columns `names`.
    """

    times: NDArray[np.float64]
    frames: NDArray[np.int64]
    before: NDArray[np.float32]
    after: NDArray[np.float32]
    names: tuple[str, ...] = BLENDSHAPES


def _areas(track: FaceTrack) -> NDArray[np.float32]:
    size = track.landmarks[:, :, :2].max(1) - track.landmarks[:, :, :2].min(1)
    area: NDArray[np.float32] = size.prod(1) * (0.5 + track.confidence)
    return area


def _thumbnail(rgb: NDArray[np.uint8], centre: NDArray[np.float32], side: float) -> NDArray[np.uint8]:
    scale = _THUMBNAIL / side
    offset = _THUMBNAIL / 2 - scale * centre
    matrix = np.array([[scale, 0, offset[0]], [0, scale, offset[1]]], np.float64)
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    if scale < 0.5:
        rgb = cv2.resize(rgb, None, fx=2 * scale, fy=2 * scale, interpolation=cv2.INTER_AREA).astype(np.uint8)
        matrix[:, :2] /= 2 * scale
    picture = cv2.warpAffine(
        rgb, matrix, (_THUMBNAIL, _THUMBNAIL), flags=interpolation, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(picture, np.uint8)
