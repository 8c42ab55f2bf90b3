"""How latent codes move with expression."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from talkedit_sdk.face.topology import BLENDSHAPES
from talkedit_sdk.texture.network import LATENT, LEAKY_GAIN, EqualLinear, leaky

_CONTEXT: Final = 32
_HIDDEN: Final = 192
_REACH: Final = 3.0  # farthest that one number of a code can move


class LatentEditor(nn.Module):
    """Where expression takes the codes of a person: offsets of all layers for coefficients in a light.

    Only differences of them are used, so that nothing changes where coefficients do not, and what changes is as
    continuous as they are.

    Args:
        layers: L of the generator.
    """

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.layers = layers
        self.person = EqualLinear(LATENT, _CONTEXT)
        self.enter = EqualLinear(len(BLENDSHAPES) + 3 + _CONTEXT, _HIDDEN, gain=2 * LEAKY_GAIN)
        self.hidden = EqualLinear(_HIDDEN, _HIDDEN, gain=LEAKY_GAIN)
        self.leave = EqualLinear(_HIDDEN, layers * LATENT, gain=0.3)

    def forward(self, w: Tensor, coefficients: Tensor, light: Tensor) -> Tensor:
        """(B, L, D) codes of a person, (B, 52) coefficients, (B, 3) light -> (B, L, D) offsets."""
        context = torch.tanh(self.person(w.mean(1)))
        hidden = leaky(self.enter(torch.cat([coefficients, light, context], -1)))
        hidden = leaky(self.hidden(hidden))
        return _REACH * torch.tanh(self.leave(hidden).unflatten(1, (self.layers, LATENT)) / _REACH)
