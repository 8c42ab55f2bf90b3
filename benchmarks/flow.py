"""How much a face changes from frame to frame beyond its motion, by dense optical flow. Part of `quality.py`.

The flow is DIS: Kroeger, Timofte, Dai, Van Gool, *Fast Optical Flow using Dense Inverse Search*, ECCV 2016.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from talkedit_sdk.face.topology import OVAL

Array = NDArray[Any]

_SIDE: Final = 224  # pixels of the longer side of the picture that the flow sees
_MARGIN: Final = 0.1  # of the face around it
_REACH: Final = 1.1  # of the outline: the chin and the edge against the background belong to it
_MISS: Final = 0.5  # pixels by which the way there and back may miss, next to a tenth of the motion
_SEEN: Final = 0.2  # of the face, at least


@dataclass(frozen=True)
class Change:
    """From one frame to the next, mean absolute levels of 255 over the face.

    Members:
        warped: after its motion is taken out, where nothing is newly covered; NaN if next to nothing is left.
        plain: pixel by pixel.
    """

    warped: float
    plain: float


def change(previous: Array, rgb: Array, previous_landmarks: Array, landmarks: Array) -> Change:
    """Between consecutive frames, (H, W, 3) uint8, by their own motion.

    The landmarks, (478, 3) pixels, only say where the face is; give the source's for the edit too, so that the same
    part of the picture counts. The warping error of Lai et al., *Learning Blind Video Temporal Consistency*, ECCV 2018.
    """
    both = np.stack([previous_landmarks, landmarks])[..., :2]
    low, high = both.min((0, 1)), both.max((0, 1))
    margin = _MARGIN * (high - low)
    corner = np.maximum(np.floor(low - margin), 0).astype(int)
    opposite = np.ceil(high + margin).astype(int)
    scale = min(1.0, _SIDE / float((opposite - corner).max()))
    then, now = (_cut(picture, corner, opposite, scale) for picture in (previous, rgb))
    inside = _inside(now, (landmarks[list(OVAL), :2] - corner) * scale)
    if not inside.any():
        return Change(float("nan"), float("nan"))
    back, forth = _flow(now, then), _flow(then, now)
    rows, columns = np.mgrid[: now.shape[0], : now.shape[1]].astype(np.float32)
    there = np.stack([columns, rows], -1) + back
    miss = np.linalg.norm(back + _at(forth, there), axis=-1)
    seen = inside & (miss < _MISS + 0.1 * np.linalg.norm(back, axis=-1))
    warped = np.abs(_at(then.astype(np.float32), there) - now).mean(-1)
    enough = seen.sum() > _SEEN * inside.sum()
    return Change(float(warped[seen].mean()) if enough else float("nan"), float(cv2.absdiff(then, now)[inside].mean()))


def _cut(picture: Array, corner: Array, opposite: Array, scale: float) -> Array:
    part = np.ascontiguousarray(picture[corner[1] : opposite[1], corner[0] : opposite[0]])
    if scale < 1:
        part = np.asarray(cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
    return part


def _inside(picture: Array, outline: Array) -> Array:
    inside = np.zeros(picture.shape[:2], np.uint8)
    centre = outline.mean(0)
    cv2.fillPoly(inside, [(centre + _REACH * (outline - centre)).round().astype(np.int32)], 1)
    return inside > 0


def _flow(start: Array, end: Array) -> Array:
    greys = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (start, end)]
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    return np.asarray(flow.calc(greys[0], greys[1], None))


def _at(picture: Array, points: Array) -> Array:
    return np.asarray(cv2.remap(picture, points, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
