"""Views into the mouth of one person, gathered while a clip is tracked: few, the best, from slightly to wide open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from talkedit_sdk.face.topology import LIP_PAIRS, LIPS_OUTER, OUTER_EYE_CORNERS
from talkedit_sdk.face.track import MouthView

Box: TypeAlias = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels, the last two exclusive."""

_LEVELS: Final = (0.10, 0.14, 0.18, 0.23, 0.30)
"""Openness from which a view belongs to a level."""

_CLENCHED: Final = 0.15  # worth of clenched teeth, against 1 of nothing but darkness
_BETTER: Final = 1.15  # times as good is what replaces a view
_MARGIN: Final = 0.22  # of the width of the mouth, around the lips
_WIDEST: Final = 256  # pixels of a view
_SMALLEST: Final = 16  # pixels of a mouth's width
_TURNED: Final = 0.8  # sine of the yaw at which a view is worth nothing
_UPPER: Final = [upper for upper, _ in LIP_PAIRS]
_LOWER: Final = [lower for _, lower in LIP_PAIRS]
_OUTER: Final = list(LIPS_OUTER)
_EDGE: Final = 0.1  # share of the gap at either lip in which its own colour may still show
_SAMPLES: Final = np.linspace(_EDGE, 1 - _EDGE, 24, dtype=np.float32)
_PLACES: Final = np.stack([np.ones(5), np.arange(-2.0, 3.0)], 1)
_LINE: Final = (_PLACES @ np.linalg.pinv(_PLACES)).astype(np.float32)
"""(5, 5) from five values to the straight line nearest to them."""

_CONTRAST: Final = (0.45, 0.65)  # of the darkest place to the brightest: teeth stay together below, part there above
_HOLLOW: Final = 0.4  # of the brightest place: what is darker is no tooth
_WHOLE: Final = 0.92  # where teeth part in a mouth that shows no such place


def openness(landmarks: NDArray[np.float32]) -> float:
    """Gap of the inner lips of (478, 3) landmarks in distances of the outer eye corners: 0 closed, 0.3 wide open."""
    gap = np.linalg.norm(landmarks[_LOWER[1:-1]].mean(0) - landmarks[_UPPER[1:-1]].mean(0))
    eyes = np.linalg.norm(np.diff(landmarks[list(OUTER_EYE_CORNERS)], axis=0))
    return float(gap) / max(float(eyes), 1e-3)


def parting(rgb: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Where upper and lower teeth part in a picture (H, W, 3), as shares of the gap from the upper to the lower lip at
    the five `LIP_PAIRS`: the darkest place. What is above it moves with the skull, what is below with the jaw."""
    light = _between_lips(rgb, landmarks)
    low, high = light.min(0), light.max(0)
    # The mean of the dark places rather than the darkest one: it does not leap.
    weight = np.exp((low - light) / (0.1 * (high - low) + 3.0))
    darkest = (weight * _SAMPLES[:, None]).sum(0) / weight.sum(0)
    contrast = 1 - low / np.maximum(high, 1.0)
    sure = ((contrast - _CONTRAST[0]) / (_CONTRAST[1] - _CONTRAST[0])).clip(0, 1)
    # One dark corner is no gap between teeth: most places have to agree, and then on a straight line.
    line = _LINE @ darkest
    return np.asarray(_WHOLE + np.median(sure) * (line - _WHOLE), np.float32)


def hollowness(rgb: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> float:
    """Share of what lies between the lips of a picture (H, W, 3) that is dark: none where clenched teeth fill it."""
    light = _between_lips(rgb, landmarks)
    return float((light < _HOLLOW * light.max()).mean())


def _between_lips(rgb: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
    """(24, 5) sum of the channels from the upper to the lower lip at the five `LIP_PAIRS`."""
    upper, lower = (landmarks[side, :2].astype(np.float32) for side in (_UPPER, _LOWER))
    points = upper + _SAMPLES[:, None, None] * (lower - upper)
    columns, rows = np.rint(points).astype(np.int64).transpose(2, 0, 1)
    inside = rgb[rows.clip(0, rgb.shape[0] - 1), columns.clip(0, rgb.shape[1] - 1)]
    return np.asarray(inside.sum(-1, dtype=np.float32))


@dataclass(frozen=True)
class _Rated:
    view: MouthView
    quality: float


class MouthCollector:
    """Keeps the best view of each level of openness: large, sharp, frontal, surely a face. Bounded in memory."""

    def __init__(self) -> None:
        self._best: dict[int, _Rated] = {}

    def add(
        self,
        rgb: NDArray[np.uint8],
        landmarks: NDArray[np.float32],
        confidence: float,
        hands: NDArray[np.float32] | None = None,
    ) -> None:
        """Looks at the mouth of one face in a (H, W, 3) frame, unless `hands` (N, P, 2), pixels, NaN where there are
        none, are before it."""
        level = int(np.searchsorted(_LEVELS, openness(landmarks), side="right")) - 1
        corners = landmarks[list(OUTER_EYE_CORNERS)]
        across = corners[1] - corners[0]
        frontal = 1 - abs(float(across[2])) / (_TURNED * max(float(np.linalg.norm(across)), 1e-3))
        box = _surroundings(landmarks, rgb.shape)
        if level < 0 or frontal <= 0 or box is None or (hands is not None and _touch(hands, box)):
            return
        view = _cropped(rgb, landmarks, box)
        # Teeth that part show what a mouth that opens further needs most.
        quality = confidence * frontal * _detail(view.rgb) * (_CLENCHED + hollowness(view.rgb, view.landmarks))
        held = self._best.get(level)
        if held is None or quality > _BETTER * held.quality:
            self._best[level] = _Rated(view, quality)

    def merge(self, other: MouthCollector) -> MouthCollector:
        """The best of both, which show the same person."""
        merged = MouthCollector()
        for level in self._best.keys() | other._best.keys():
            rated = [one._best[level] for one in (self, other) if level in one._best]
            merged._best[level] = max(rated, key=lambda each: each.quality)
        return merged

    @property
    def views(self) -> tuple[MouthView, ...]:
        """In order of openness."""
        return tuple(self._best[level].view for level in sorted(self._best))


def _surroundings(landmarks: NDArray[np.float32], shape: tuple[int, ...]) -> Box | None:
    """Around the lips; None if they are tiny or not wholly in the picture."""
    lips = landmarks[_OUTER, :2]
    low, high = lips.min(0), lips.max(0)
    width = float(high[0] - low[0])
    left, top = (int(v) for v in np.floor(low - _MARGIN * width))
    right, bottom = (int(v) for v in np.ceil(high + _MARGIN * width) + 1)
    if width < _SMALLEST or left < 0 or top < 0 or right > shape[1] or bottom > shape[0]:
        return None
    return left, top, right, bottom


def _touch(hands: NDArray[np.float32], box: Box) -> bool:
    left, top, right, bottom = box
    x, y = hands[..., 0], hands[..., 1]
    return bool(((x > left) & (x < right) & (y > top) & (y < bottom)).any())


def _cropped(rgb: NDArray[np.uint8], landmarks: NDArray[np.float32], box: Box) -> MouthView:
    left, top, right, bottom = box
    crop, points = rgb[top:bottom, left:right], landmarks - np.array([left, top, 0], np.float32)
    scale = _WIDEST / crop.shape[1]
    if scale < 1:
        size = (_WIDEST, max(round(scale * crop.shape[0]), 1))
        points = points * np.float32(scale)
        points[:, :2] += np.float32(0.5 * scale - 0.5)
        crop = np.asarray(cv2.resize(crop, size, interpolation=cv2.INTER_AREA), np.uint8)
    points = points.astype(np.float32)
    return MouthView(points, crop.copy(), parting(crop, points))


def _detail(crop: NDArray[np.uint8]) -> float:
    """How much there is to see: a blurred mouth shows little, teeth show more than lips."""
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    size: float = min(crop.shape[1] / _WIDEST, 1.0) ** 0.5
    return float(np.std(cv2.Laplacian(grey, cv2.CV_32F))) * size
