"""The best views of each face of a clip, gathered while it is tracked: few, spread over the time that it is seen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from talkedit_sdk.face.topology import OUTER_EYE_CORNERS, OVAL
from talkedit_sdk.face.track import SkinView
from talkedit_sdk.texture.skin import SkinMap

VIEWS: Final = 12
"""Of a person, at most."""

_HELD: Final = 192  # of all tracklets together; when there are more, the time that each stands for is doubled
_SPAN: Final = 0.4  # seconds that a view stands for at first
_NARROWEST: Final = 60.0  # pixels of a face worth looking at
_AMPLE: Final = 256.0  # pixels from which a face gains nothing by being larger
_TURNED: Final = 0.8  # sine of the yaw at which a view is worth nothing
_PROMISING: Final = 0.9  # of the quality that is held, as far as it is known without unrolling the face
_CENTRE: Final = (0.25, 0.75)  # rows and columns in which sharpness is measured, sides of the texture


@dataclass(frozen=True)
class _Rated:
    view: SkinView
    promise: float
    quality: float


class SkinCollector:
    """Keeps the best view of each stretch of time of each tracklet: large, frontal, sharp, surely a face, no hand
    before it. Bounded in memory, whatever the length of the clip."""

    def __init__(self, texels: SkinMap) -> None:
        self._texels, self._span = texels, _SPAN
        self._best: dict[tuple[int, int], _Rated] = {}
        self._looked: dict[int, float] = {}

    def add(
        self,
        rgb: NDArray[np.uint8],
        landmarks: NDArray[np.float32],
        confidence: float,
        tracklet: int,
        time: float,
        row: int,
        hands: NDArray[np.float32],
    ) -> None:
        """Looks at one face in a (H, W, 3) frame.

        Args:
            landmarks: (478, 3) pixels.
            confidence: that it is a face, in [0, 1].
            tracklet: who it is, as long as motion is continuous.
            time: seconds.
            row: by which `views` names it.
            hands: (M, 21, 2) pixels, NaN where there are none.
        """
        key = (tracklet, int(time / self._span))
        held = self._best.get(key)
        promise = confidence * _worth(landmarks)
        if promise <= 0 or (held and promise < _PROMISING * held.promise) or _covered(landmarks, hands):
            return
        if 0 <= time - self._looked.get(tracklet, -np.inf) < _SPAN:
            return
        self._looked[tracklet] = time
        texture = self._texels.unwrap(rgb, landmarks)
        quality = promise * sharpness(texture, self._texels)
        if held is None or quality > held.quality:
            self._best[key] = _Rated(SkinView(row, texture, landmarks), promise, quality)
        if len(self._best) > _HELD:
            self._thin()

    def views(self, rows: NDArray[np.int64]) -> tuple[SkinView, ...]:
        """Of the person seen in these rows, in ascending order; `SkinView.row` counts among them."""
        known = set(rows.tolist())
        mine = [rated for rated in self._best.values() if rated.view.row in known]
        mine.sort(key=lambda rated: rated.view.row)
        parts = np.array_split(np.arange(len(mine)), min(VIEWS, len(mine))) if mine else []
        best = (max((mine[index] for index in part), key=lambda rated: rated.quality) for part in parts)
        return tuple(replace(r.view, row=int(np.searchsorted(rows, r.view.row))) for r in best)

    def _thin(self) -> None:
        self._span *= 2
        merged: dict[tuple[int, int], _Rated] = {}
        # From the best downwards: of two that now share a stretch the better one remains.
        for (tracklet, stretch), rated in sorted(self._best.items(), key=lambda item: -item[1].quality):
            merged.setdefault((tracklet, stretch // 2), rated)
        self._best = dict(list(merged.items())[: _HELD * 3 // 4])


def _worth(landmarks: NDArray[np.float32]) -> float:
    """How large and frontal a face is, in [0, 1]."""
    width = float(np.ptp(landmarks[list(OVAL), 0]))
    right, left = landmarks[list(OUTER_EYE_CORNERS)]
    across = left - right
    turned = abs(float(across[2])) / max(float(np.linalg.norm(across)), 1e-3)
    return max(1 - turned / _TURNED, 0.0) * min(width / _AMPLE, 1.0) if width >= _NARROWEST else 0.0


def _covered(landmarks: NDArray[np.float32], hands: NDArray[np.float32]) -> bool:
    low, high = landmarks[list(OVAL), :2].min(0), landmarks[list(OVAL), :2].max(0)
    return bool(((hands > low) & (hands < high)).all(-1).any())


def sharpness(texture: NDArray[np.uint8], texels: SkinMap) -> float:
    """How much fine detail an (N, N, 3) texture shows around eyes, nose and mouth."""
    first, last = (round(share * texels.side) for share in _CENTRE)
    part = slice(first, last), slice(first, last)
    skin = cv2.erode(texels.inside.astype(np.uint8), np.ones((3, 3), np.uint8))[part]
    grey = cv2.cvtColor(texture[part], cv2.COLOR_RGB2GRAY)
    return float(np.std(cv2.Laplacian(grey, cv2.CV_32F)[skin > 0]))
