"""Time as the motion network sees it: a fixed rate, and windows that overlap."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

RATE: Final = 30.0
"""Frames a second at which motion is edited, whatever the rate of the clip."""

WINDOW: Final = 96
"""Frames of a window: longer than a phrase, so that it shows what lasts and what is said."""

HOP: Final = 32


def even_times(times: Tensor) -> Tensor:
    """(T,) ascending seconds -> times at `RATE` over the same stretch, the last one included."""
    first, last = float(times[0]), float(times[-1])
    count = int((last - first) * RATE + 0.999) + 1
    return (first + torch.arange(count, dtype=times.dtype, device=times.device) / RATE).clamp_max(last)


def interpolate(values: Tensor, times: Tensor, wanted: Tensor) -> Tensor:
    """(T, C) values at (T,) ascending times -> (N, C) at `wanted`, straight lines between, constant outside."""
    if len(values) == 1:
        return values.expand(len(wanted), -1)
    right = torch.searchsorted(times, wanted).clamp(1, len(times) - 1)
    gap = (times[right] - times[right - 1]).clamp_min(1e-9)
    share = ((wanted - times[right - 1]) / gap).clamp(0, 1).to(values.dtype)[:, None]
    return torch.lerp(values[right - 1], values[right], share)


def window_starts(count: int) -> list[int]:
    """First frames of the windows that cover `count` frames, the last one flush with the end."""
    last = max(count - WINDOW, 0)
    return sorted({*range(0, last, HOP), last})


def average(pieces: Tensor, starts: list[int], count: int) -> Tensor:
    """(W, L, C) windows -> (count, C), each frame the mean over the windows that see it.

    Windows weigh most in their middle and nothing beyond their ends, so that none begins or ends with a jump.
    """
    length = pieces.shape[1]
    ramp = torch.sin(torch.pi * (torch.arange(length, device=pieces.device) + 0.5) / length).square()
    total = pieces.new_zeros(count, pieces.shape[2])
    weight = pieces.new_zeros(count, 1)
    for piece, start in zip(pieces, starts, strict=True):
        total[start : start + length] += ramp[:, None] * piece
        weight[start : start + length] += ramp[:, None]
    return total / weight
