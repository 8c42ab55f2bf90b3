"""Which part of a face hands cover."""

from __future__ import annotations

import itertools
from typing import Final

import numpy as np
from numpy.typing import NDArray

from talkedit_sdk.face.topology import OVAL

_FINGERS: Final = tuple((0, *range(root, root + 4)) for root in (1, 5, 9, 13, 17))
_BONES: Final = tuple(pair for line in (*_FINGERS, (1, 5, 9, 13, 17)) for pair in itertools.pairwise(line))
_THICK: Final = 0.16  # half a finger with its shadow, in lengths of the palm
_SOFT: Final = 0.08  # over which cover ends, in lengths of the palm
_FOREARM: Final = 1.0  # how much of it is in the way, in lengths of the palm
_OUTSIDE: Final = 0.08  # face heights by which the wrist of a real hand is outside of the face
_LEAST: Final = 0.20  # face heights of the palm of a real hand
_TOP, _BOTTOM = 10, 152


def hand_cover(
    positions: NDArray[np.float32], landmarks: NDArray[np.float32], hands: NDArray[np.float32]
) -> NDArray[np.float32]:
    """How much of each texel is behind a hand.

    Args:
        positions: (S, 2) pixels of the texels.
        landmarks: (478, 3) of the face.
        hands: (H, 21, 2) pixels, NaN where there is no hand. What cannot be the hand of somebody with such a face
            (too small, or grown out of the face) is a mistake of the hand detector and ignored.

    Returns:
        (S,) in [0, 1].
    """
    cover = np.zeros(len(positions), np.float32)
    outline = landmarks[list(OVAL), :2]
    height = float(np.linalg.norm(landmarks[_BOTTOM, :2] - landmarks[_TOP, :2]))
    for hand in hands:
        palm = float(max(np.linalg.norm(hand[9] - hand[0]), 1.3 * np.linalg.norm(hand[17] - hand[5])))
        if not palm > _LEAST * height or _depth(outline, hand[0]) > -_OUTSIDE * height:
            continue
        starts, ends = (hand[[bone[end] for bone in _BONES]] for end in (0, 1))
        elbow = hand[0] + _FOREARM * (hand[0] - hand[9])
        starts, ends = np.concatenate([starts, hand[:1]]), np.concatenate([ends, elbow[None]])
        away = _distance(positions, starts, ends).min(1) / palm
        cover = np.maximum(cover, ((_THICK + _SOFT - away) / _SOFT).clip(0, 1))
    return cover


def _depth(outline: NDArray[np.float32], point: NDArray[np.float32]) -> float:
    """How far a point lies inside a closed outline, negative outside."""
    following = np.roll(outline, -1, 0)
    distance = float(_distance(point[None], outline, following).min())
    low, high = outline[:, 1], following[:, 1]
    crosses = (low > point[1]) != (high > point[1])
    at = outline[:, 0] + (point[1] - low) / np.where(crosses, high - low, 1) * (following[:, 0] - outline[:, 0])
    return distance if int((crosses & (at > point[0])).sum()) % 2 else -distance


def _distance(
    points: NDArray[np.float32], starts: NDArray[np.float32], ends: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(P, L) distance of points (P, 2) from line segments (L, 2) to (L, 2)."""
    along = ends - starts
    offset = points[:, None] - starts
    share = ((offset * along).sum(-1) / (along**2).sum(-1).clip(1e-6)).clip(0, 1)
    distance: NDArray[np.float32] = np.linalg.norm(offset - share[..., None] * along, axis=-1)
    return distance
