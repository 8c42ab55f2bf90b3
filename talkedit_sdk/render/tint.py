"""Lightens and darkens drawn skin by a map in the UV layout of the face."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import grid_sample

from talkedit_sdk.render.jit import compiled
from talkedit_sdk.texture.types import TOE

_LIFT = np.float32(255 * TOE)


def tint(picture: Tensor, places: Tensor, gain: Tensor) -> None:
    """Multiplies colours by 1 + gain, in place. They are rounded, so a gain below 0.002 changes nothing.

    Args:
        picture: (B, h, w, 3) uint8 RGB.
        places: (B, h, w, 3) float32: u and v of what each pixel shows, in [0, 1], and how much of the gain it takes, 0
            where there is no skin.
        gain: (B, N, N, 3) float32, of levels plus `TOE`; linear between the middles of its texels.
    """
    if picture.device.type == "cpu":
        for levels, where, change in zip(picture.numpy(), places.numpy(), gain.numpy(), strict=True):
            _tint(levels, where, np.require(change, np.float32, ["C"]))
    else:
        picture.copy_(_tinted(picture, places, gain))


def _tinted(picture: Tensor, places: Tensor, gain: Tensor) -> Tensor:
    grid = 2 * places[..., :2] - 1
    change = grid_sample(gain.permute(0, 3, 1, 2), grid, "bilinear", "border", align_corners=False).permute(0, 2, 3, 1)
    levels = picture.float()
    return (levels + (levels + 255 * TOE) * change * places[..., 2:] + 0.5).clamp_(0, 255).to(torch.uint8)


@compiled
def _tint(picture: NDArray[np.uint8], places: NDArray[np.float32], gain: NDArray[np.float32]) -> None:
    side = gain.shape[0]
    scale, last = np.float32(side), np.float32(side - 1)
    zero, half, most = np.float32(0), np.float32(0.5), np.float32(255)
    for row in range(picture.shape[0]):
        for column in range(picture.shape[1]):
            share = places[row, column, 2]
            if share <= 0:
                continue
            x = min(max(places[row, column, 0] * scale - half, zero), last)
            y = min(max(places[row, column, 1] * scale - half, zero), last)
            left, top = int(x), int(y)
            right, bottom = min(left + 1, side - 1), min(top + 1, side - 1)
            across, down = x - np.float32(left), y - np.float32(top)
            for k in range(3):
                upper = gain[top, left, k] + across * (gain[top, right, k] - gain[top, left, k])
                lower = gain[bottom, left, k] + across * (gain[bottom, right, k] - gain[bottom, left, k])
                level = np.float32(picture[row, column, k])
                level += (level + _LIFT) * share * (upper + down * (lower - upper)) + half
                picture[row, column, k] = np.uint8(min(max(level, zero), most))
