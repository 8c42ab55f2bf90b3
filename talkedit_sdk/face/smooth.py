"""Averages over time that do not lag and do not cross cuts, and steps without a corner."""

from __future__ import annotations

import torch
from torch import Tensor


def gaussian_mean(values: Tensor, times: Tensor, segments: Tensor, sigma: float) -> Tensor:
    """Centred Gaussian mean of (T, C) values at (T,) times in seconds, within equal segments only.

    Weights follow the real times, so variable frame rates are averaged alike. Cost grows with the number of frames
    inside three sigma, not with the length of the clip squared.
    """
    total, weight_sum = values.clone(), torch.ones_like(values[:, :1])
    for shift in range(1, len(values)):
        gap = times[shift:] - times[:-shift]
        if float(gap.min()) > 3 * sigma:
            break
        weight = torch.exp(-0.5 * (gap / sigma) ** 2) * (segments[shift:] == segments[:-shift])
        weight = weight.to(values.dtype)[:, None]
        total[:-shift] += weight * values[shift:]
        total[shift:] += weight * values[:-shift]
        weight_sum[:-shift] += weight
        weight_sum[shift:] += weight
    return total / weight_sum


def smoothstep(value: Tensor, low: float, high: float) -> Tensor:
    """0 at `low`, 1 at `high`, level at both ends; `low` may be the larger of the two."""
    t = ((value - low) / (high - low)).clamp(0, 1)
    return t * t * (3 - 2 * t)
