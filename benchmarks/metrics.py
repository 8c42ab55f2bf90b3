"""The measures of `quality.py`: pure functions of landmarks, pixels and probabilities.

Landmarks are (T, 478, 3) pixels, x right, y down, z away from the camera, as the tracker gives them. Where a measure
has nothing to go by (lips that never move, no closure, fewer than three consecutive frames) it is NaN, not a perfect
score.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from talkedit_sdk.face.pose import Pose, align
from talkedit_sdk.face.topology import (
    BONE,
    EYE_LEFT,
    EYE_RIGHT,
    LIP_PAIRS,
    LIPS_OUTER,
    OUTER_EYE_CORNERS,
    OVAL,
    VERTICES,
)

Array = NDArray[Any]

CLOSED: Final = 0.010
"""Mouth opening, in face heights, under which lips count as closed: about 2 mm between landmarks on the lips' edges."""

TALKING: Final = 0.008
"""Standard deviation of the mouth opening, in face heights, under which there is no motion to correlate with."""

MOVED_REGION: Final = 1.7
"""How far from the face's centre an edit may reach, relative to the outline of the face."""

_FOREHEAD, _CHIN = 10, 152
_OPENING_MARGIN: Final = 0.06  # face heights around eyes and mouth, in which an edit bares or covers something


def mouth_opening(landmarks: Array) -> Array:
    """(T, 478, 3) -> (T,) mean distance of the inner lips in face heights, along the face; negative if crossed."""
    points = np.asarray(landmarks, np.float64)[..., :2]
    down = points[:, _CHIN] - points[:, _FOREHEAD]
    upper, lower = (points[:, [pair[side] for pair in LIP_PAIRS]].mean(1) for side in (0, 1))
    return np.asarray(((lower - upper) * down).sum(-1) / (down**2).sum(-1))


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


def sharpness(rgb: Array, landmarks: Array) -> float:
    """Laplacian energy of the brightness inside the hull of (478, 3) landmarks.

    Grain and codec noise make up most of it: any resampling costs a tenth to a third, and wider eyes add to it.
    """
    grey, points = _window(rgb, landmarks)
    return _energy(grey, _hull(grey, points))


def skin_detail(rgb: Array, landmarks: Array) -> float:
    """Laplacian energy after a blur of 1 pixel, in the face without the eyes and the mouth.

    What the eye calls sharp skin: good resampling keeps it, bilinear resampling costs a sixth.
    """
    grey, points = _window(rgb, landmarks)
    openings = np.zeros(grey.shape, np.uint8)
    for contour in (EYE_RIGHT, EYE_LEFT, LIPS_OUTER):
        cv2.fillPoly(openings, [points[list(contour)].round().astype(np.int32)], 1)
    side = int(_OPENING_MARGIN * np.linalg.norm(points[_CHIN] - points[_FOREHEAD])) | 1
    openings = cv2.dilate(openings, np.ones((side, side), np.uint8)).astype(np.uint8)
    return _energy(cv2.GaussianBlur(grey, (0, 0), 1.0), _hull(grey, points) & (openings == 0))


def untouched_share(source: Array, edited: Array, landmarks: Array) -> float:
    """Share of the pixels outside the region that an edit of the face may move that equal the source's to the bit."""
    outline = np.asarray(landmarks[list(OVAL), :2], np.float32)
    centre = outline.mean(0)
    reach = cv2.convexHull(centre + MOVED_REGION * (outline - centre)).round().astype(np.int32)
    outside = np.ones(source.shape[:2], np.uint8)
    cv2.fillConvexPoly(outside, reach, 0)
    change = cv2.absdiff(np.ascontiguousarray(source), np.ascontiguousarray(edited))
    changed = change[..., 0] | change[..., 1] | change[..., 2]
    total = int(outside.sum())
    return 1.0 - float(np.count_nonzero(changed[outside > 0])) / total if total else float("nan")


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


def _window(rgb: Array, landmarks: Array) -> tuple[Array, Array]:
    """Brightness around the face, float32, and the (468, 2) landmarks there."""
    points = np.ascontiguousarray(landmarks[:VERTICES, :2], np.float32)
    left, top = np.maximum(np.floor(points.min(0)), 0).astype(int)
    right, bottom = np.ceil(points.max(0)).astype(int) + 1
    grey = cv2.cvtColor(np.ascontiguousarray(rgb[top:bottom, left:right]), cv2.COLOR_RGB2GRAY)
    return grey.astype(np.float32), points - np.array([left, top], np.float32)


def _hull(grey: Array, points: Array) -> Array:
    inside = np.zeros(grey.shape, np.uint8)
    cv2.fillConvexPoly(inside, cv2.convexHull(points).round().astype(np.int32), 1)
    return inside > 0


def _energy(grey: Array, mask: Array) -> float:
    return float((cv2.Laplacian(grey, cv2.CV_32F)[mask] ** 2).mean())
