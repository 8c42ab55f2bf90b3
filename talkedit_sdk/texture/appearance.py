"""What one person's skin usually looks like over a clip, and how unlike that a frame is, texel by texel.

A frame is explained as the person's median texture, times smooth light, plus a few ways in which the texture changes as
a whole (turning, talking, frowning). All are fitted so that what does not belong there pulls less the stranger it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

FEWEST_FRAMES: Final = 10
"""Below that nothing can be called usual."""

_TOE = 10.0  # levels added before the logarithm, so that noise in the dark counts little
_TOLERANCE = (0.22, 0.06, 0.06)  # of log brightness, red and blue against green: what is never strange
_WAYS = 10  # in which a texture changes as a whole
_FRAMES_PER_WAY = 10
_ROUNDS = 4
_PRIOR = 1e-3
_SEEN = 0.2  # visibility from which on a texel has a say in the median


@dataclass(frozen=True)
class Appearance:
    """Statistics of one person, S texels in three channels: logarithm of brightness, red and blue against green.

    Members:
        median: (S, 3).
        ways: (K, S, 3) smooth light first, in units of `_TOLERANCE`.
        spread: (S, 3) how far from explained the texels usually are, never 0.
    """

    median: Tensor
    ways: Tensor
    spread: Tensor

    @classmethod
    def learn(cls, colours: Tensor, visible: Tensor, places: Tensor) -> Appearance:
        """From a sample of frames.

        Args:
            colours: (T, S, 3) uint8 RGB.
            visible: (T, S) in [0, 1]; what is known not to be skin has no say.
            places: (S, 2) in [-1, 1], where the texels lie in the texture, for the light.
        """
        values = _logarithm(colours)
        light = _light(places)
        median = _median(values - values.median(1, keepdim=True).values, visible)
        for _ in range(2):
            weights, rest = _explain(values - median, visible, light)[1:]
            median = _median(median + rest, visible)
        weights, rest = _explain(values - median, visible, light)[1:]
        count = min(_WAYS, len(values) // _FRAMES_PER_WAY)
        ways = torch.cat([light, _common(values - median, rest, weights, visible, light, count)])
        rest = _explain(values - median, visible, ways)[2].abs()
        rest[visible < _SEEN] = torch.nan
        usual = 1.5 * rest.nanmedian(0).values.nan_to_num(0)
        return cls(median, ways, (usual.square() + usual.new_tensor(_TOLERANCE).square()).sqrt())

    def strangeness(self, colours: Tensor, visible: Tensor) -> Tensor:
        """(T, S): distance of (T, S, 3) uint8 colours from all that is explained, 1 or less where all is as usual."""
        rest = _explain(_logarithm(colours) - self.median, visible, self.ways)[2]
        return (rest / self.spread).square().sum(-1).sqrt()


def _logarithm(colours: Tensor) -> Tensor:
    red, green, blue = ((colours.float() + _TOE) / 255).log().unbind(-1)
    return torch.stack([(red + green + blue) / 3, red - green, blue - green], -1)


def _light(places: Tensor) -> Tensor:
    """(8, S, 3): brightness that varies as a parabola over the face, and one tint."""
    x, y = places.unbind(-1)
    none, one = torch.zeros_like(x), torch.ones_like(x)
    brightness = [torch.stack([shade, none, none], -1) for shade in (one, x, y, x * x, x * y, y * y)]
    return torch.stack([*brightness, torch.stack([none, one, none], -1), torch.stack([none, none, one], -1)])


def _median(values: Tensor, visible: Tensor) -> Tensor:
    seen = torch.where((visible >= _SEEN)[..., None], values, torch.nan)
    return seen.nanmedian(0).values.nan_to_num(0)


def _explain(values: Tensor, visible: Tensor, ways: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Fits (K, S, 3) ways to (T, S, 3) differences from the median -> amounts (T, K), weights of the texels (T, S) and
    what is left (T, S, 3). Weights redescend as in Geman & McClure, *Statistical methods for tomographic image
    reconstruction*, 1987."""
    count, unit = len(ways), values.new_tensor(_TOLERANCE)
    scaled = values / unit
    products = torch.einsum("ksc,lsc->skl", ways, ways).flatten(1)
    prior = _PRIOR * values.shape[1] * torch.eye(count, device=values.device)
    weights = visible
    for _ in range(_ROUNDS):
        gram = (weights @ products).view(-1, count, count) + prior
        target = (weights[..., None] * scaled).flatten(1) @ ways.flatten(1).T
        amounts = torch.linalg.solve(gram, target)
        rest = scaled - (amounts @ ways.flatten(1)).view_as(scaled)
        weights = visible / (1 + rest.square().sum(-1) / 4).square()
    return amounts, weights, rest * unit


def _common(values: Tensor, rest: Tensor, weights: Tensor, visible: Tensor, light: Tensor, count: int) -> Tensor:
    """(count, S, 3) ways in which whole textures differ beyond light: principal components that ignore what is strange,
    by alternating least squares."""
    unit = values.new_tensor(_TOLERANCE)
    scaled = (rest / unit * weights[..., None]).flatten(1)
    ways: Tensor = torch.linalg.svd(scaled, full_matrices=False).Vh[:count].view(count, *values.shape[1:])
    if count == 0:
        return ways
    for _ in range(_ROUNDS):
        amounts, weights, rest = _explain(values, visible, torch.cat([light, ways]))
        amounts = amounts[:, len(light) :]
        wanted = rest / unit + torch.einsum("tk,ksc->tsc", amounts, ways)
        prior = (1e-6 + 1e-2 * len(values) * amounts.square().mean()) * torch.eye(count, device=values.device)
        gram = torch.einsum("ts,tk,tl->skl", weights, amounts, amounts) + prior
        target = torch.einsum("ts,tk,tsc->skc", weights, amounts, wanted)
        ways = torch.linalg.solve(gram, target).permute(1, 0, 2)
        ways = ways / ways.flatten(1).norm(dim=1)[:, None, None].clamp_min(1e-6)
    return ways
