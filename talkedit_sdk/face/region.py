"""The square of the frame in which a face is looked for, and its pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

_MARGIN = 1.5  # side over the longest side of the face: what the FaceMesh network was trained on
_REACH = 0.78  # half a diagonal and a tenth, for views that are a little larger
_RIGHT_EYE, _LEFT_EYE = 33, 263  # outer corners


@dataclass(frozen=True)
class Region:
    """A rotated square. `x`, `y` (centre) and `side` in pixels, `roll` in radians, clockwise as seen on the screen."""

    x: float
    y: float
    side: float
    roll: float = 0.0

    @classmethod
    def around(cls, landmarks: NDArray[np.float64]) -> Region:
        """The region that frames (478, 3) landmarks: rolled with the eyes, half as large again as the face."""
        points = landmarks[:, :2]
        dx, dy = points[_LEFT_EYE] - points[_RIGHT_EYE]
        roll = math.atan2(dy, dx)
        axes = np.array([[math.cos(roll), -math.sin(roll)], [math.sin(roll), math.cos(roll)]])
        upright = points @ axes
        low, high = upright.min(axis=0), upright.max(axis=0)
        x, y = axes @ ((low + high) / 2)
        return cls(float(x), float(y), float((high - low).max()) * _MARGIN, roll)

    def matrix(self, size: int) -> NDArray[np.float64]:
        """(2, 3) map from pixels of a size x size crop of this region to pixels of the frame."""
        scale = self.side / size
        c, s, middle = math.cos(self.roll) * scale, math.sin(self.roll) * scale, (size - 1) / 2
        return np.array([[c, -s, self.x - (c - s) * middle], [s, c, self.y - (s + c) * middle]])

    def distance(self, other: Region) -> float:
        """Between the centres, in pixels."""
        return math.hypot(other.x - self.x, other.y - self.y)

    def agrees(self, other: Region, tolerance: float) -> bool:
        """True when centre, side and roll differ by no more than `tolerance` (of the side, of the side, in radians)."""
        return (
            self.distance(other) <= tolerance * self.side
            and abs(math.log(other.side / self.side)) <= tolerance
            and abs(_turn(self.roll, other.roll)) <= tolerance
        )

    def overlaps(self, other: Region) -> bool:
        """True when both frame the same face: two faces side by side are at least half a region apart."""
        return self.distance(other) < 0.35 * max(self.side, other.side)

    def followed(self, other: Region, slack: float) -> Region:
        """Moves after `other`, staying `slack` behind: what trembles by less stands still, nothing is delayed."""
        pull = _excess(self.distance(other), slack * self.side)
        grown, turned = other.side - self.side, _turn(self.roll, other.roll)
        return Region(
            self.x + (other.x - self.x) * pull,
            self.y + (other.y - self.y) * pull,
            self.side + grown * _excess(abs(grown), slack * self.side),
            self.roll + turned * _excess(abs(turned), slack),
        )


class Patch:
    """The surroundings of a region, from which crops of about `size` pixels can be sampled without aliasing.

    Bilinear sampling alone would let large faces flicker with every sub-pixel motion, so they are averaged down first.
    """

    def __init__(self, rgb: NDArray[np.uint8], region: Region, size: int) -> None:
        self._picture, self._left, self._top, self._shrink = rgb, 0, 0, 1
        shrink = int(region.side / size)
        if shrink < 2:
            return
        reach = region.side * _REACH + shrink
        left, top = max(0, int(region.x - reach)), max(0, int(region.y - reach))
        width = (min(rgb.shape[1], int(region.x + reach)) - left) // shrink
        height = (min(rgb.shape[0], int(region.y + reach)) - top) // shrink
        if width > 0 and height > 0:
            part = rgb[top : top + height * shrink, left : left + width * shrink]
            picture = cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA)
            self._picture, self._left, self._top, self._shrink = np.asarray(picture, np.uint8), left, top, shrink

    def crop(self, region: Region, size: int) -> NDArray[np.uint8]:
        """(size, size, 3) picture of `region`, which lies within the surroundings; black outside the frame."""
        matrix = region.matrix(size)
        matrix[:, 2] -= np.array([self._left, self._top]) + (self._shrink - 1) / 2
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return np.asarray(cv2.warpAffine(self._picture, matrix / self._shrink, (size, size), flags=flags), np.uint8)


def _turn(start: float, end: float) -> float:
    return math.remainder(end - start, math.tau)


def _excess(amount: float, slack: float) -> float:
    return max(0.0, 1.0 - slack / amount) if amount > 0 else 0.0
