"""The measures of `quality.py` that need no pixels: pure functions of landmarks and probabilities.

Landmarks are (T, 478, 3) pixels, x right, y down, z away from the camera, as the tracker gives them. Where a measure
has nothing to go by (lips that never move, no closure, fewer than three consecutive frames) it is NaN, not a perfect
score.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from talkedit_sdk.face.pose import Pose, align
from talkedit_sdk.face.topology import (
    BONE,
    EYE_LEFT,
    EYE_RIGHT,
    IRIS_LEFT,
    IRIS_RIGHT,
    LIP_PAIRS,
    MOUTH_CORNERS,
    OUTER_EYE_CORNERS,
    VERTICES,
)

Array = NDArray[Any]

CLOSED: Final = 0.010
"""Mouth opening, in face heights, under which lips count as closed: about 2 mm between landmarks on the lips' edges."""

TALKING: Final = 0.008
"""Standard deviation of the mouth opening, in face heights, under which there is no motion to correlate with."""

SAME_OPENING: Final = 0.008
"""Mouth opening, in face heights, by which frames may differ whose lips are compared."""

BLINK: Final = 0.5
"""Of an eye's usual opening, under which it is closed: lids that meet have their margins between the landmarks."""

EYE_OPEN: Final = 0.7
"""Of an eye's usual opening, over which its iris can be measured."""

_FOREHEAD, _CHIN = 10, 152
_NEAREST: Final = 3  # frames of the source whose lips are averaged
_LIP_OUTER: Final = ((37, 0, 267), (84, 17, 314))
_LIP_INNER: Final = ((82, 13, 312), (87, 14, 317))


def mouth_opening(landmarks: Array) -> Array:
    """(T, 478, 3) -> (T,) mean distance of the inner lips in face heights, along the face; negative if crossed."""
    points = np.asarray(landmarks, np.float64)[..., :2]
    down = points[:, _CHIN] - points[:, _FOREHEAD]
    upper, lower = (points[:, [pair[side] for pair in LIP_PAIRS]].mean(1) for side in (0, 1))
    return np.asarray(((lower - upper) * down).sum(-1) / (down**2).sum(-1))


def mouth_width(landmarks: Array) -> Array:
    """(T, 478, 3) -> (T,) distance of the mouth's corners in face heights."""
    points = np.asarray(landmarks, np.float64)[..., :2]
    right, left = (points[:, corner] for corner in MOUTH_CORNERS)
    return np.asarray(
        np.linalg.norm(left - right, axis=-1) / np.linalg.norm(points[:, _CHIN] - points[:, _FOREHEAD], axis=-1)
    )


def mouth_correlation(source: Array, edited: Array) -> float:
    """Pearson correlation of two (T,) mouth openings; NaN where the source hardly moves its lips."""
    if len(source) < 3 or source.std() < TALKING:
        return float("nan")
    return pearson(source, edited)


def closure_recall(source: Array, edited: Array, frames: Array) -> float:
    """Share of the source's closed frames in which the edit is closed too, give or take a frame.

    source, edited: (T,) mouth openings; frames: (T,) indices of their frames, ascending.
    """
    closed = frames[source < CLOSED]
    if len(closed) == 0:
        return float("nan")
    kept = frames[edited < CLOSED]
    return float(np.isin(closed[:, None] + np.array([-1, 0, 1]), kept).any(1).mean())


def rest_shape(landmarks: Array) -> Array:
    """(T, 478, 3) of one person -> (468, 3) mean face, upright as in the first frame, in outer-eye-corner distances."""
    first = np.asarray(landmarks[0, :VERTICES], np.float64)
    shape = (first - first.mean(0)) / np.linalg.norm(first[OUTER_EYE_CORNERS[0]] - first[OUTER_EYE_CORNERS[1]])
    for _ in range(3):
        shape = in_model_space(landmarks, shape).mean(0)
    return shape


def in_model_space(landmarks: Array, shape: Array) -> Array:
    """(T, 478, 3) -> (T, 468, 3) without the motion of the head, which `shape`'s rigid points tell."""
    return np.asarray(_pose(landmarks, shape).to_model(_vertices(landmarks)).numpy())


def pose_drift(source: Array, edited: Array, shape: Array) -> Array:
    """(T,) degrees by which the head is turned in the edit against the source, going by `shape`'s rigid points."""
    before, after = _pose(source, shape).rotation, _pose(edited, shape).rotation
    cosine = (torch.einsum("tij,tij->t", before, after) - 1) / 2
    return np.degrees(np.arccos(np.clip(cosine.numpy(), -1, 1)))


def jitter_ratio(source: Array, edited: Array, frames: Array) -> float:
    """How much more the landmarks of the edit tremble: mean length of their second differences, edited over source.

    source, edited: (T, V, 3) in model space; frames: (T,) indices; only runs of consecutive frames count.
    """
    consecutive = frames[2:] - frames[:-2] == 2
    if not consecutive.any():
        return float("nan")
    before, after = (
        float(np.linalg.norm(np.diff(v, 2, axis=0)[consecutive], axis=-1).mean()) for v in (source, edited)
    )
    return after / before if before > 0 else float("nan")


def eye_opening(landmarks: Array) -> Array:
    """(T, 478, 3) -> (T, 2) lid gap over the distance of the eye's corners, right and left."""
    points = np.asarray(landmarks, np.float64)[..., :2]
    return np.stack([_lid_gap(points, eye) / _width(points, eye) for eye in (EYE_RIGHT, EYE_LEFT)], -1)


def blinks_kept(source: Array, edited: Array, frames: Array) -> float:
    """Share of the source's blinks that are complete in the edit; NaN if it does not blink.

    source, edited: (T, 2) eye openings; frames: (T,) indices. A blink is a run of frames with both eyes under a share
    of the opening that this person mostly has; the edit has to close them as far at some time of it, give or take a
    frame.
    """
    lid = BLINK * np.median(source, axis=0)
    closed, too = (source < lid).all(1), (edited < lid).all(1)
    starts = closed & ~np.concatenate([[False], closed[:-1] & (np.diff(frames) == 1)])
    numbers = np.cumsum(starts)
    kept = [
        np.abs(frames[closed & (numbers == n), None] - frames[too]).min(initial=2) < 2
        for n in np.unique(numbers[closed])
    ]
    return float(np.mean(kept)) if kept else float("nan")


def iris_roundness(source: Array, edited: Array) -> Array:
    """(T,) height over width of the irises in the edit, against the source; 1 is as round. NaN while an eye is shut.

    source, edited: (T, 478, 3) of the same frames.
    """
    before, after = _iris_axes(source), _iris_axes(edited)
    return _both_eyes_open((after[..., 1] / after[..., 0]) / (before[..., 1] / before[..., 0]), source, edited)


def gaze_drift(source: Array, edited: Array) -> Array:
    """(T,) how far the irises have moved between the corners of their eyes, in iris radii; NaN while an eye is shut."""
    before, after = _gaze(source), _gaze(edited)
    radius = _iris_axes(source).mean(-1) / 2
    width = np.stack([_width(np.asarray(source, np.float64), eye) for eye in (EYE_RIGHT, EYE_LEFT)], -1)
    return _both_eyes_open(np.linalg.norm(after - before, axis=-1) * width / radius, source, edited)


def lip_thickness(shapes: Array) -> Array:
    """(T, 468, 3) in model space -> (T, 2) distance from the outer to the inner contour of upper and lower lip."""
    return np.stack([
        np.linalg.norm(shapes[:, outer, :2] - shapes[:, inner, :2], axis=-1).mean(1)
        for outer, inner in zip(_LIP_OUTER, _LIP_INNER, strict=True)
    ], -1)  # fmt: skip


def thickness_ratio(source: Array, edited: Array, source_mouth: Array, edited_mouth: Array) -> Array:
    """(T, 2) thickness of the edit's lips over that of the source's in the frames whose mouth is open as far.

    source (S, 2) and edited (T, 2) thickness; mouths: (S, 2) and (T, 2) opening and width in face heights. Of frames
    that are open as far the most alike in width count, or the lips of an o were compared with those of an e. NaN where
    no frame of the source is open as far.
    """
    apart = np.abs(source_mouth[None] - edited_mouth[:, None])
    unlike = np.where(apart[..., 0] < SAME_OPENING, apart.sum(-1), np.inf)
    nearest = np.argsort(unlike, axis=1)[:, :_NEAREST]
    near = np.isfinite(np.take_along_axis(unlike, nearest, 1))
    total = (source[nearest] * near[..., None]).sum(1)
    return np.asarray(edited * near.sum(1)[:, None] / np.where(total > 0, total, np.nan))


def linearity(displacements: Sequence[Array], intensities: Sequence[float]) -> float:
    """Pearson correlation of the intensity with how far the face has gone towards its look at the last intensity.

    displacements: for each intensity the (V, 3) mean motion away from the source, in model space.
    """
    moved = np.array([d.ravel() for d in displacements], np.float64)
    return pearson(np.asarray(intensities), moved @ moved[-1])


def log_odds(probabilities: Array) -> Array:
    """(..., K) probabilities -> log of the odds of each label against all others."""
    kept = np.clip(np.asarray(probabilities, np.float64), 1e-4, 1 - 1e-4)
    return np.asarray(np.log(kept / (1 - kept)))


def pearson(a: Array, b: Array) -> float:
    """Correlation of two (T,) series; NaN where one of them is constant."""
    a, b = (np.asarray(v, np.float64) - np.mean(v) for v in (a, b))
    norm = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return float((a * b).sum() / norm) if norm > 0 else float("nan")


def _vertices(landmarks: Array) -> torch.Tensor:
    return torch.from_numpy(np.asarray(landmarks[:, :VERTICES], np.float64))


def _pose(landmarks: Array, shape: Array) -> Pose:
    weights = torch.zeros(VERTICES, dtype=torch.float64)
    weights[list(BONE)] = 1
    return align(_vertices(landmarks), torch.from_numpy(shape), weights)


def _width(points: Array, eye: tuple[int, ...]) -> Array:
    return np.asarray(np.linalg.norm(points[:, eye[0], :2] - points[:, eye[8], :2], axis=-1))


def _lid_gap(points: Array, eye: tuple[int, ...]) -> Array:
    """Mean distance of the middle of the upper lid from that of the lower."""
    upper, lower = points[:, eye[3:6]], points[:, eye[13:10:-1]]
    return np.asarray(np.linalg.norm(upper - lower, axis=-1).mean(1))


def _iris_axes(landmarks: Array) -> Array:
    """(T, 478, 3) -> (T, 2, 2) width and height of the right and the left iris."""
    points = np.asarray(landmarks, np.float64)[..., :2]
    return np.stack([
        np.stack([np.linalg.norm(points[:, a] - points[:, b], axis=-1) for a, b in (iris[1::2], iris[2::2])], -1)
        for iris in (IRIS_RIGHT, IRIS_LEFT)
    ], 1)  # fmt: skip


def _gaze(landmarks: Array) -> Array:
    """(T, 2, 2) centre of each iris from the middle between its eye's corners, along and across, in eye widths."""
    points = np.asarray(landmarks, np.float64)[..., :2]
    parts = []
    for eye, iris in ((EYE_RIGHT, IRIS_RIGHT), (EYE_LEFT, IRIS_LEFT)):
        along = points[:, eye[8]] - points[:, eye[0]]
        offset = points[:, iris[0]] - (points[:, eye[0]] + points[:, eye[8]]) / 2
        across = np.stack([-along[:, 1], along[:, 0]], -1)
        parts.append(np.stack([(offset * axis).sum(-1) for axis in (along, across)], -1) / (along**2).sum(-1)[:, None])
    return np.stack(parts, 1)


def _both_eyes_open(values: Array, source: Array, edited: Array) -> Array:
    """(T, 2) -> (T,) mean over the eyes, NaN while one is shut: what the tracker calls an iris then is a guess."""
    before, after = eye_opening(source), eye_opening(edited)
    lid = EYE_OPEN * np.median(before, axis=0)
    open_ = (np.minimum(before, after) > lid).all(1)
    return np.where(open_, values.mean(1), np.nan)
