"""Adaptive discriminator augmentation, after Karras et al., *Training Generative Adversarial Networks with Limited
Data* (NeurIPS 2020).

Textures have a fixed layout, so what turns and mirrors pictures is left out, and moves are small; that faces are as
often seen mirrored is told by the data already.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

_TARGET: Final = 0.6  # share of real textures more that are taken for real than for made, beyond which it overfits
_LAG: Final = 0.99  # of that share over steps
_PACE: Final = 1 / 500  # of p, each step
_MOST: Final = 0.85
_SHIFT: Final = 0.04  # of the side
_SCALE: Final = 0.05
_BRIGHTNESS: Final = 0.15  # log units
_CONTRAST: Final = 0.25
_TINT: Final = 0.08
_NOISE: Final = 0.04
_HOLE: Final = 0.3  # side of what is cut out


class Augmentation:
    """Changes real and made textures alike, each change with probability `p`, and adapts p by how sure the
    discriminator is of real ones."""

    def __init__(self, generator: torch.Generator) -> None:
        self._random = generator
        self.p = 0.0
        self.sureness = 0.0

    def adapt(self, real: Tensor) -> None:
        """Hears the scores of real textures."""
        self.sureness = _LAG * self.sureness + (1 - _LAG) * float(real.detach().sign().mean())
        self.p = min(max(self.p + _PACE * (1 if self.sureness > _TARGET else -1), 0.0), _MOST)

    def __call__(self, skin: Tensor) -> Tensor:
        """(B, 3, N, N) log skin -> the same, changed."""
        if not self.p:
            return skin
        skin = self._moved(skin)
        skin = skin * torch.exp(_CONTRAST * self._some(skin, 1)) + _BRIGHTNESS * self._some(skin, 1)
        skin = skin + _TINT * self._some(skin, 3)
        noise = torch.randn(skin.shape, generator=self._random).to(skin.device)
        skin = skin + _NOISE * self._some(skin, 1).abs() * noise
        return skin * self._holes(skin)

    def _chosen(self, count: int) -> Tensor:
        return (torch.rand(count, generator=self._random) < self.p).float()

    def _some(self, skin: Tensor, channels: int) -> Tensor:
        """(B, channels, 1, 1) normal numbers, zero where the change is not made."""
        numbers = torch.randn(len(skin), channels, generator=self._random) * self._chosen(len(skin))[:, None]
        return numbers[..., None, None].to(skin.device)

    def _moved(self, skin: Tensor) -> Tensor:
        if not bool((moves := self._chosen(len(skin))).any()):
            return skin
        zoom, *shift = moves * torch.randn(3, len(skin), generator=self._random)
        zero, scale = torch.zeros_like(zoom), torch.exp(_SCALE * zoom)
        right, down = (2 * _SHIFT * each for each in shift)
        turn = torch.stack([scale, zero, right, zero, scale, down], -1).view(-1, 2, 3)
        grid = functional.affine_grid(turn.to(skin.device), list(skin.shape), align_corners=False)
        moved: Tensor = functional.grid_sample(skin, grid, align_corners=False)
        return moved

    def _holes(self, skin: Tensor) -> Tensor:
        """(B, 1, N, N) 0 inside a square, 1 elsewhere."""
        steps = (torch.arange(skin.shape[-1]) + 0.5) / skin.shape[-1]
        middle = torch.rand(2, len(skin), 1, generator=self._random)
        down, right = ((steps - each).abs() < _HOLE / 2 for each in middle)
        hole: Tensor = (down[:, :, None] & right[:, None]).float() * self._chosen(len(skin))[:, None, None]
        return (1 - hole)[:, None].to(skin.device)
