"""From skin to latent codes."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from talkedit_sdk.texture.network import LATENT, LEAKY_GAIN, EqualConv, EqualLinear, leaky

SIDE: Final = 128
"""Of the textures that the encoder looks at, whatever the generator makes."""

_WIDTHS: Final = (32, 64, 96, 128, 160)  # at sides 64, 32, 16, 8 and 4
_HIDDEN: Final = 256


class _Shrink(nn.Module):
    """To half the side, with a residual connection."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = EqualConv(inputs, outputs, 3, stride=2)
        self.second = EqualConv(outputs, outputs, 3)
        self.skip = EqualConv(inputs, outputs, 1, bias=False, gain=1.0)

    def forward(self, features: Tensor) -> Tensor:
        found = leaky(self.second(leaky(self.first(features))))
        kept: Tensor = self.skip(functional.avg_pool2d(features, 2))
        mixed: Tensor = (found + kept) * 0.5**0.5
        return mixed


class Encoder(nn.Module):
    """One code for the whole texture, and an offset from it for each layer but the first.

    After Tov et al., *Designing an Encoder for StyleGAN Image Manipulation* (SIGGRAPH 2021): codes of all layers that
    are nearly the same, and nearly what the mapping network gives, are codes that can be edited. Training lets the
    offsets in one after another.

    Args:
        layers: L of the generator.
    """

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.enter = EqualConv(4, _WIDTHS[0], 5, stride=2)
        self.shrink = nn.Sequential(*(_Shrink(*pair) for pair in pairwise(_WIDTHS)))
        self.look = EqualLinear(_WIDTHS[-1] * 16, _HIDDEN, gain=LEAKY_GAIN)
        self.base = EqualLinear(_HIDDEN, LATENT)
        self.offsets = EqualLinear(_HIDDEN, (layers - 1) * LATENT)
        nn.init.zeros_(self.offsets.weight)

    def forward(self, skin: Tensor, visible: Tensor) -> tuple[Tensor, Tensor]:
        """Looks at textures.

        Args:
            skin: (B, 3, N, N) even light, N a multiple of `SIDE` or a fraction of it.
            visible: (B, N, N) in [0, 1].

        Returns:
            (B, D) codes relative to the mean of all codes, (B, L-1, D) offsets of the layers from the second on.
        """
        seen = torch.cat([skin * visible[:, None], visible[:, None] - 0.5], 1)
        if seen.shape[-1] != SIDE:
            mode = "area" if seen.shape[-1] > SIDE else "bilinear"
            seen = functional.interpolate(seen, size=(SIDE, SIDE), mode=mode)
        hidden = leaky(self.look(self.shrink(leaky(self.enter(seen))).flatten(1)))
        return self.base(hidden), self.offsets(hidden).unflatten(1, (-1, LATENT))
