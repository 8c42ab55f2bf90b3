"""What passes between the motion stages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


@dataclass(frozen=True)
class MotionRequest:
    """Coefficients of someone speaking, and what to make of them.

    Members:
        coefficients: (T, 52) in [0, 1], as fitted.
        times: (T,) float64 seconds, ascending.
        segments: (T,) int64; motion is continuous within equal values.
        emotion: (T, 8) shares of the target that sum to 1, order `EMOTIONS`.
        intensity: (T,) float32, 0 to 1.5, fades at the ends of tracks included.
        mouth_weight: 0 (the emotion shapes the mouth) to 1 (the source's lips).
        lip_gaps: (T, 5) vertical distance of the inner lips in the source at `LIP_PAIRS`, model units.
        style: seed of how this person shows emotions; 0 for the middle of all styles.
    """

    coefficients: Tensor
    times: Tensor
    segments: Tensor
    emotion: Tensor
    intensity: Tensor
    mouth_weight: float
    lip_gaps: Tensor
    style: int = 0


@dataclass(frozen=True)
class MotionEdit:
    """What the face should do instead.

    Members:
        coefficients: (T, 52) edited, in [0, 1]; equal to the source's where the intensity is 0.
        lip_hold: (T,) how firmly the lips keep the source's openings, 0 to 1; the geometry enforces it (`LipGuard`).
    """

    coefficients: Tensor
    lip_hold: Tensor


class MotionEditor(Protocol):
    """Turns coefficients into those of the same person saying the same words in another emotion."""

    def edit(self, request: MotionRequest) -> MotionEdit: ...
