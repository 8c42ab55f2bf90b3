"""Which closed lips are speech: b, p and m are over in a moment, a closed mouth at rest is not."""

from __future__ import annotations

from typing import Final

from torch import Tensor

from talkedit_sdk.face.smooth import gaussian_mean, smoothstep

_NEARBY: Final = 0.25  # seconds
_AT_REST: Final = (0.92, 0.60)  # share of the time nearby that the lips are closed: at rest, and in speech


def articulation(closed: Tensor, times: Tensor, segments: Tensor) -> Tensor:
    """(T, C) closedness of mouths over time -> (T, C) 1 in closures of speech, 0 in open and in resting mouths."""
    return closed * smoothstep(gaussian_mean(closed, times, segments, _NEARBY), *_AT_REST)
