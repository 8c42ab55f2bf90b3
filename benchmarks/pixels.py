"""Measures of `quality.py` that look at one frame: sharpness, grain and colour of the face by region.

Pictures are (H, W, 3) uint8 RGB, landmarks (478, 3) pixels of the same picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from talkedit_sdk.face.topology import EYE_LEFT, EYE_RIGHT, LIPS_INNER, LIPS_OUTER, OVAL, VERTICES

Array = NDArray[Any]

REGIONS: Final = ("eyes", "mouth", "cheeks", "forehead")
"""Eyes with their lids, lips without what is between them, which an edit may bare, cheeks below glasses, forehead."""

MOVED_REGION: Final = 1.7
"""How far from the face's centre an edit may reach, relative to the outline of the face."""

_FOREHEAD, _CHIN = 10, 152
_OPENING_MARGIN: Final = 0.06  # face heights around eyes and mouth, in which an edit bares or covers something
_RIM: Final = 0.02  # face heights around eyes and mouth that count as theirs
_CHEEKS: Final = ((50, 36, 205, 187, 123), (280, 266, 425, 411, 352))  # below the rims of glasses
_FOREHEAD_TOP: Final = (103, 67, 109, 10, 338, 297, 332)
_FOREHEAD_MIDDLE: Final = (104, 69, 108, 151, 337, 299, 333)
_BROWS_TOP: Final = (63, 105, 66, 9, 296, 334, 293)
_SMALLEST: Final = 40  # pixels of a region, at least
_KEPT: Final = 0.85  # of the pixels of a region
_GRAIN: Final = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)


@dataclass(frozen=True)
class Texture:
    """One face in one frame. Regions as in `REGIONS`, NaN where one is hardly in the picture.

    Members:
        detail: energy of the skin's fine detail, the Laplacian after a blur of 1 pixel, in the face without eyes and
            mouth. What the eye calls sharp skin: good resampling keeps it, bilinear resampling costs a sixth.
        sharpness: (4,) the same by region.
        grain: (4,) squared noise by region: Immerkaer, *Fast Noise Variance Estimation*, CVIU 1996.
        colour: (3,) mean CIE Lab of cheeks and forehead.
    """

    detail: float
    sharpness: Array
    grain: Array
    colour: Array


def texture(rgb: Array, landmarks: Array) -> Texture:
    """What the skin looks like from near, wherever the landmarks say it is."""
    points = np.ascontiguousarray(landmarks[:VERTICES, :2], np.float32)
    corner = np.maximum(np.floor(points.min(0)), 0).astype(int)
    right, bottom = np.ceil(points.max(0)).astype(int) + 1
    window = np.ascontiguousarray(rgb[corner[1] : bottom, corner[0] : right]).astype(np.float32)
    points -= corner
    grey = np.asarray(cv2.cvtColor(window, cv2.COLOR_RGB2GRAY))
    fine = cv2.Laplacian(cv2.GaussianBlur(grey, (0, 0), 1.0), cv2.CV_32F) ** 2
    noise = np.abs(cv2.filter2D(grey, cv2.CV_32F, _GRAIN))
    masks = [_region(grey, points, name) for name in REGIONS]
    lab = cv2.cvtColor(window / 255, cv2.COLOR_RGB2LAB)
    colour = lab[masks[2] | masks[3]]
    return Texture(
        detail=_mean(fine, _skin(grey, points)),
        sharpness=np.array([_mean(fine, mask) for mask in masks]),
        grain=np.array([np.pi / 2 * (_mean(noise, mask) / 6) ** 2 for mask in masks]),
        colour=colour.mean(0) if len(colour) >= _SMALLEST else np.full(3, np.nan),
    )


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


def _region(grey: Array, points: Array, name: str) -> Array:
    if name == "eyes":
        return _filled(grey, [points[list(eye)] for eye in (EYE_RIGHT, EYE_LEFT)], _RIM * _height(points))
    if name == "mouth":
        inner = _filled(grey, [points[list(LIPS_INNER)]], _RIM / 2 * _height(points))
        return _filled(grey, [points[list(LIPS_OUTER)]], _RIM * _height(points)) & ~inner
    if name == "cheeks":
        return _filled(grey, [points[list(cheek)] for cheek in _CHEEKS])
    top, middle, brows = (points[list(line)] for line in (_FOREHEAD_TOP, _FOREHEAD_MIDDLE, _BROWS_TOP))
    return _filled(grey, [np.concatenate([(top + middle) / 2, ((middle + brows) / 2)[::-1]])])


def _skin(grey: Array, points: Array) -> Array:
    """The face without eyes and mouth and what an edit bares or covers around them."""
    openings = [points[list(contour)] for contour in (EYE_RIGHT, EYE_LEFT, LIPS_OUTER)]
    hull = cv2.convexHull(points)[:, 0]
    return _filled(grey, [hull]) & ~_filled(grey, openings, _OPENING_MARGIN / 2 * _height(points))


def _filled(grey: Array, contours: list[Array], margin: float = 0.0) -> Array:
    mask = np.zeros(grey.shape, np.uint8)
    for contour in contours:
        cv2.fillPoly(mask, [contour.round().astype(np.int32)], 1)
    if margin:
        side = 2 * round(margin) + 1
        mask = np.asarray(cv2.dilate(mask, np.ones((side, side), np.uint8)), np.uint8)
    return mask > 0


def _height(points: Array) -> float:
    return float(np.linalg.norm(points[_CHIN] - points[_FOREHEAD]))


def _mean(values: Array, mask: Array) -> float:
    """Without the strongest, which are the edges of something else: rims of glasses, strands of hair, catch lights."""
    inside = values[mask]
    if len(inside) < _SMALLEST:
        return float("nan")
    kept = int(_KEPT * len(inside))
    return float(np.partition(inside, kept)[:kept].mean())
