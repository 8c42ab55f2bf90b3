"""Whether teeth and irises keep their shape: landmarks hardly tell, pixels do. Part of `quality.py`.

Pictures are (H, W, 3) uint8 RGB, landmarks (478, 3) pixels of the same frame before and after an edit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from talkedit_sdk.face.topology import (
    EYE_LEFT,
    EYE_RIGHT,
    IRIS_LEFT,
    IRIS_RIGHT,
    LIPS_INNER,
    MOUTH_CORNERS,
)

Array = NDArray[Any]

_CORNERS_APART: Final = 120  # pixels between the corners of an upright mouth or eye
_SIZE: Final = (160, 120)  # its width, height
_AREA: Final = 200  # pixels, at least
_HEIGHT: Final = 7  # pixels, at least
_SOURCE_HEIGHT: Final = 4  # pixels of the source, at least
_SEEN: Final = 0.6  # share of the source's pixels that the edit's lips or lids leave open, at least
_ALIKE: Final = 0.75  # correlation; below it this is something else
_TEETH_PRIOR: Final = 0.01  # correlation that a stretch by e has to gain: what shows no structure is not stretched
_IRIS_PRIOR: Final = 0.03  # rows of lights look alike when shifted

_SCALES: Final = tuple(np.geomspace(0.6, 1.7, 13))
_LARGEST: Final = 2.0  # scale, and its inverse the smallest; beyond it anything can be made to look like anything
_STEP: Final = (0.06, 0.06, 2.0, 1.5)
_FINEST: Final = 0.004

_TOOTH_BRIGHTNESS: Final = 0.5  # of the surroundings', at least
_TOOTH_REDNESS: Final = 0.8  # of the surroundings', at most
_ROW: Final = 0.6  # of the height in which there are teeth; the other row may have the rest
_UPPER_SHIFTS: Final = tuple(range(-4, 13, 2))
_LOWER_SHIFTS: Final = tuple(range(-6, 31, 2))
_IRIS_SHIFTS: Final = tuple(range(-6, 7, 2))
_IRIS_REACH: Final = 1.2  # radii: its rim is what tells its shape
_LASHES: Final = 5  # pixels next to the lids, which lashes and shadow cover


@dataclass(frozen=True)
class Stretch:
    """How much wider and higher something is in the edit than in the source: 1 if it keeps its shape.

    NaN where one of both does not show it, or shows something else.
    """

    width: float = float("nan")
    height: float = float("nan")


def teeth_stretch(
    source: Array, edited: Array, source_landmarks: Array, edited_landmarks: Array
) -> tuple[Stretch, Stretch]:
    """Upper and lower row of teeth.

    The scale and shift under which the edit's pixels look most like the source's, over those that the lips cover in
    neither. So the lips' own motion says nothing; dense optical flow would take it along.
    """
    upright = _upright(source_landmarks[list(MOUTH_CORNERS)])
    before, after = (_turned(picture, upright) for picture in (source, edited))
    teeth = _teeth(before, _between(before, source_landmarks, upright))
    between = _between(after, edited_landmarks, upright)
    if not _teeth(after, between).any():
        return Stretch(), Stretch()
    least = _SOURCE_HEIGHT * float(np.linalg.norm(upright[:, 0]))
    return (
        _fit(before, after, _row(teeth), between, _UPPER_SHIFTS, least, _TEETH_PRIOR),
        _fit(before, after, _row(teeth[::-1])[::-1], between, _LOWER_SHIFTS, least, _TEETH_PRIOR),
    )


def iris_stretch(source: Array, edited: Array, source_landmarks: Array, edited_landmarks: Array) -> Stretch:
    """Mean of both irises, each with its rim, over the pixels that the lids cover in neither."""
    found = []
    for eye, corners, iris in ((EYE_RIGHT, (33, 133), IRIS_RIGHT), (EYE_LEFT, (362, 263), IRIS_LEFT)):
        upright = _upright(source_landmarks[list(corners)])
        before, after = (_turned(picture, upright) for picture in (source, edited))
        points = _moved(source_landmarks[list(iris)], upright)
        radius = _IRIS_REACH * np.linalg.norm(points[1] - points[3]) / 2
        disc = np.zeros(before.shape[:2], np.uint8)
        cv2.circle(disc, points[0].round().astype(int).tolist(), round(float(radius)), 1, -1)
        visible, open_ = (
            _filled(before, _moved(landmarks[list(eye)], upright), _LASHES)
            for landmarks in (source_landmarks, edited_landmarks)
        )
        least = _SOURCE_HEIGHT * float(np.linalg.norm(upright[:, 0]))
        found.append(_fit(before, after, visible & (disc > 0), open_, _IRIS_SHIFTS, least, _IRIS_PRIOR))
    width, height = np.array([(stretch.width, stretch.height) for stretch in found]).mean(0)
    return Stretch(float(width), float(height))


def _fit(
    before: Array, after: Array, where: Array, open_: Array, shifts: Sequence[int], least: float, prior: float
) -> Stretch:
    """Of the pixels `where` of one picture, among those `open_` in the other: a grid first, then ever smaller steps."""
    rows, columns = np.nonzero(where)
    if len(rows) < _AREA or np.ptp(np.percentile(rows, (5, 95))) < max(_HEIGHT, least):
        return Stretch()
    here = np.stack([columns, rows], -1).astype(np.float64)
    centre = here.mean(0)
    target, look = (cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32) for picture in (before, after))
    wanted, mask = target[rows, columns], open_.astype(np.float32)

    def alike(move: Array) -> float:
        width, height, right, down = move
        if max(width, height, 1 / width, 1 / height) > _LARGEST:
            return -1.0
        there = (centre + (here - centre) * (width, height) + (right, down)).astype(np.float32)[None]
        visible, found = _at(mask, there)[0] > 0.5, _at(look, there)[0]
        if visible.mean() < _SEEN or np.ptp(found[visible]) == 0 or np.ptp(wanted[visible]) == 0:
            return -1.0
        return float(np.corrcoef(found[visible], wanted[visible])[0, 1]) - prior * abs(float(np.log(height)))

    unstretched = max((np.array([1.0, 1.0, 0.0, shift]) for shift in shifts), key=alike)
    if alike(unstretched) < 0:
        return Stretch()
    stretched = max((np.array([1.0, height, 0.0, shift]) for height in _SCALES for shift in shifts), key=alike)
    score, best = max((_climb(alike, start) for start in (unstretched, stretched)), key=lambda found: found[0])
    return Stretch(float(best[0]), float(best[1])) if score > _ALIKE else Stretch()


def _climb(score: Callable[[Array], float], start: Array) -> tuple[float, Array]:
    """The best of the moves around, until none is better, then in smaller steps."""
    best, reached, step = start, score(start), np.array(_STEP)
    while step[1] > _FINEST:
        tries = [best + sign * step * axis for axis in np.eye(4) for sign in (-1, 1)]
        scores = [score(move) for move in tries]
        if max(scores) > reached:
            reached, best = max(scores), tries[int(np.argmax(scores))]
        else:
            step = step / 2
    return reached, best


def _upright(corners: Array) -> Array:
    """(2, 3) affine map to a picture in which two points, (2, 3) pixels, are level, in the middle, and a fixed distance
    apart.
    """
    corners = corners[:, :2].astype(np.float64)
    across = corners[1] - corners[0]
    cosine, sine = _CORNERS_APART * across / (across**2).sum()
    linear = np.array([[cosine, sine], [-sine, cosine]])
    return np.column_stack([linear, np.array(_SIZE) / 2 - linear @ corners.mean(0)])


def _turned(picture: Array, upright: Array) -> Array:
    return np.asarray(cv2.warpAffine(picture, upright, _SIZE, flags=cv2.INTER_LINEAR), np.uint8)


def _moved(points: Array, upright: Array) -> Array:
    return np.asarray(points[:, :2] @ upright[:, :2].T + upright[:, 2])


def _filled(picture: Array, contour: Array, rim: int = 1) -> Array:
    """Inside a contour, without so many pixels next to it."""
    inside = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillPoly(inside, [contour.round().astype(np.int32)], 1)
    return np.asarray(cv2.erode(inside, np.ones((2 * rim + 1, 2 * rim + 1), np.uint8)) > 0)


def _between(mouth: Array, landmarks: Array, upright: Array) -> Array:
    """Where an upright mouth is open: between the inner lips, and neither of their colour nor next to it."""
    dark, red = _colours(mouth)
    lips = cv2.dilate((red & ~dark).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return np.asarray(_filled(mouth, _moved(landmarks[list(LIPS_INNER)], upright)) & ~lips)


def _teeth(mouth: Array, between: Array) -> Array:
    dark, red = _colours(mouth)
    return np.asarray(between & ~dark & ~red)


def _colours(mouth: Array) -> tuple[Array, Array]:
    """Where an upright mouth is darker than teeth are, and where it is as red as lips are."""
    lab = cv2.cvtColor(mouth.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    brightness, redness = np.median(lab[..., 0]), np.median(lab[..., 1])
    return lab[..., 0] < _TOOTH_BRIGHTNESS * brightness, lab[..., 1] > _TOOTH_REDNESS * redness


def _row(teeth: Array) -> Array:
    """The first run of each column from above, and no more than the upper part of the whole."""
    rows = np.flatnonzero(teeth.any(1))
    if not len(rows):
        return teeth
    ended = np.cumsum(~teeth & (np.cumsum(teeth, 0) > 0), 0) > 0
    last = rows[0] + _ROW * (rows[-1] - rows[0])
    return np.asarray(teeth & ~ended & (np.arange(len(teeth)) <= last)[:, None])


def _at(picture: Array, points: Array) -> Array:
    return np.asarray(cv2.remap(picture, points, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
