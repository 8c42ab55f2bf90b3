"""A speaker, and frame by frame how an edit of them differs from the source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import metrics
import numpy as np
from flow import Change, change
from numpy.typing import NDArray
from pixels import REGIONS, Texture, texture
from stretch import Stretch, iris_stretch, teeth_stretch

from talkedit_sdk import Clip
from talkedit_sdk.face.track import FaceTrack

Array = NDArray[Any]
Pictures = Sequence[NDArray[np.uint8]]

_PIXELS_EVERY: Final = 3  # frames; what a single picture shows hardly differs between neighbours
_ROUNDING: Final = 0.25  # levels that consecutive frames differ by at least, or ratios would count rounding
_SMOOTH: Final = 0.05  # energy of detail that nobody sees, levels squared, or ratios would be of nothing to nothing
_CLEAN: Final = 0.02  # likewise of grain
_STILL: Final = 1.2  # times what is left without motion: the motion of a face at rest
_STILL_FRAMES: Final = 3


@dataclass(frozen=True)
class Speaker:
    """The largest face of a clip, and what its edits are compared with.

    Members:
        track: the face in `pictures`; all that follows has a row for each of its N frames.
        rest: (468, 3) mean face, the origin of `shapes` (N, 468, 3).
        opening: (N,) of the mouth.
        textures: those of the frames that pixel measures look at, by row.
        changes: from the frame before to this one, by row, where that one shows the face too.
        probabilities: (N, 7) of the judge, NaN in the frames that it does not see.
        neutral: (468, 3) face at rest as the model fits it.
    """

    name: str
    pictures: Pictures
    fps: float
    clip: Clip
    track: FaceTrack
    rest: Array
    shapes: Array
    opening: Array
    textures: dict[int, Texture]
    changes: dict[int, Change]
    probabilities: Array
    neutral: Array


def textures(pictures: Pictures, frames: Array, landmarks: Array) -> dict[int, Texture]:
    """By row of `frames`, of every `_PIXELS_EVERY`-th frame of the clip."""
    rows = np.flatnonzero(frames % _PIXELS_EVERY == 0)
    return {int(row): texture(pictures[frames[row]], landmarks[row]) for row in rows}


def changes(pictures: Pictures, frames: Array, landmarks: Array) -> dict[int, Change]:
    """By row of `frames`: all of them, or a single frame that jumps would be missed."""
    return {
        int(row): change(pictures[frames[row] - 1], pictures[frames[row]], landmarks[row - 1], landmarks[row])
        for row in np.flatnonzero(np.diff(frames) == 1) + 1
    }


def frame_measures(
    speaker: Speaker, mine: Array, pictures: Pictures, landmarks: Array, moved: dict[int, Change]
) -> dict[str, Array]:
    """(T,) for each field of `Row` that is a mean over frames, NaN where a frame has nothing to measure.

    mine: (T,) rows of the speaker's track; landmarks: (T, 478, 3) of the same frames in the edited `pictures`; moved:
    the changes of those.
    """
    frames, before = speaker.track.frames[mine], speaker.track.landmarks[mine]
    found: dict[str, Array] = {
        "iris_tracked": metrics.iris_roundness(before, landmarks),
        "gaze": metrics.gaze_drift(before, landmarks),
    }
    lips = metrics.thickness_ratio(
        metrics.lip_thickness(speaker.shapes),
        metrics.lip_thickness(metrics.in_model_space(landmarks, speaker.rest)),
        *(
            np.stack([metrics.mouth_opening(points), metrics.mouth_width(points)], -1)
            for points in (speaker.track.landmarks, landmarks)
        ),
    )
    found["lip_upper"], found["lip_lower"] = lips.T
    for row, edited in textures(pictures, frames, landmarks).items():
        source, frame = speaker.textures[int(mine[row])], frames[row]
        upper, lower = teeth_stretch(speaker.pictures[frame], pictures[frame], before[row], landmarks[row])
        iris = Stretch()
        if np.isfinite(found["gaze"][row]):  # the eyes are open
            iris = iris_stretch(speaker.pictures[frame], pictures[frame], before[row], landmarks[row])
        values = {
            "detail": edited.detail / source.detail,
            **_by_region("sharp", (edited.sharpness + _SMOOTH) / (source.sharpness + _SMOOTH)),
            **_by_region("grain", (edited.grain + _CLEAN) / (source.grain + _CLEAN)),
            "skin": float(np.linalg.norm(edited.colour - source.colour)),
            "teeth_width": upper.width,
            "teeth_upper": upper.height,
            "teeth_lower": lower.height,
            "iris": iris.height / iris.width,
        }
        for name, value in values.items():
            found.setdefault(name, np.full(len(mine), np.nan))[row] = value
    found["warp"] = np.full(len(mine), np.nan)
    for row, change_ in moved.items():
        found["warp"][row] = (change_.warped + _ROUNDING) / (speaker.changes[int(mine[row])].warped + _ROUNDING)
    return found


def static_ratio(source: Sequence[Change], edited: Sequence[Change]) -> float:
    """How much more the edit changes from frame to frame than the source, while the source's face rests; NaN if it
    never does.
    """
    still = [(s.plain, e.plain) for s, e in zip(source, edited, strict=True) if s.plain <= _STILL * s.warped]
    if len(still) < _STILL_FRAMES:
        return float("nan")
    before, after = np.sum(still, axis=0) + len(still) * _ROUNDING
    return float(after / before)


def _by_region(name: str, values: Array) -> dict[str, float]:
    return {f"{name}_{region}": float(value) for region, value in zip(REGIONS, values, strict=True)}
