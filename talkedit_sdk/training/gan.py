"""Networks that tell made textures and codes from real ones, and the losses of StyleGAN2. None of them ships.

Karras et al., *Analyzing and Improving the Image Quality of StyleGAN* (CVPR 2020), sections 3.1 and 4.1; R1 after
Mescheder et al., *Which Training Methods for GANs do actually Converge?* (ICML 2018).
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from talkedit_sdk.texture.network import LATENT, LEAKY_GAIN, EqualConv, EqualLinear, leaky

_CHANNELS: Final = {4: 128, 8: 128, 16: 96, 32: 64, 64: 32, 128: 16, 256: 12, 512: 8}  # at each side
_LOUDER: Final = 4.0  # log skin has a spread of about a quarter
_GROUP: Final = 4  # samples among which the spread is told
_PATH_DECAY: Final = 0.01
_FEATURE_SIDE: Final = 64  # largest side of the features that are compared


class Discriminator(nn.Module):
    """Tells real log skin from made. It looks at all sides, each of which adds to the features of the next smaller
    one, so that it can grow with the generator."""

    def __init__(self, resolution: int) -> None:
        super().__init__()
        sides = [side for side in _CHANNELS if side <= resolution]
        self.enter = nn.ModuleList(EqualConv(3, _CHANNELS[side], 1) for side in sides)
        self.blocks = nn.ModuleList(_Reduce(_CHANNELS[large], _CHANNELS[small]) for small, large in pairwise(sides))
        self.last = EqualConv(_CHANNELS[4] + 1, _CHANNELS[4], 3)
        self.judge = nn.Sequential(
            EqualLinear(_CHANNELS[4] * 16, _CHANNELS[4], gain=LEAKY_GAIN), _Leaky(), EqualLinear(_CHANNELS[4], 1)
        )

    def forward(self, skin: Tensor, features: list[Tensor] | None = None) -> Tensor:
        """(B, 3, N, N) -> (B,) scores, high for real ones. Features on the way are appended to `features`."""
        skin = _LOUDER * skin
        number = int(math.log2(skin.shape[-1])) - 2
        found = leaky(self.enter[number](skin))
        while number:
            number -= 1
            skin = functional.avg_pool2d(skin, 2)
            found = self.blocks[number](found) + leaky(self.enter[number](skin))
            if features is not None and skin.shape[-1] <= _FEATURE_SIDE:
                features.append(found)
        found = leaky(self.last(torch.cat([found, _spread(found)], 1)))
        scores: Tensor = self.judge(found.flatten(1))[:, 0]
        return scores


class _Reduce(nn.Module):
    """To half the side; adds nothing at the start, when it has just been grown."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = EqualConv(inputs, inputs, 3)
        self.second = EqualConv(inputs, outputs, 3, stride=2)
        nn.init.zeros_(self.second.weight)

    def forward(self, features: Tensor) -> Tensor:
        reduced: Tensor = self.second(leaky(self.first(features)))
        return leaky(reduced)


class _Leaky(nn.Module):
    def forward(self, features: Tensor) -> Tensor:
        return leaky(features)


def _spread(features: Tensor) -> Tensor:
    """(B, 1, H, W) mean standard deviation of the features over groups of the batch, by which a generator that always
    makes the same is found out."""
    count = next(size for size in range(min(_GROUP, len(features)), 0, -1) if len(features) % size == 0)
    groups = features.view(count, -1, *features.shape[1:])
    spread = (groups.var(0, correction=0) + 1e-8).sqrt().mean((1, 2, 3))
    return spread.repeat(count)[:, None, None, None].expand(-1, 1, *features.shape[2:])


class LatentDiscriminator(nn.Module):
    """Tells codes of the mapping network from codes of the encoder (Tov et al. 2021, section 4)."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            EqualLinear(LATENT, LATENT, gain=LEAKY_GAIN),
            _Leaky(),
            EqualLinear(LATENT, LATENT, gain=LEAKY_GAIN),
            _Leaky(),
            EqualLinear(LATENT, 1),
        )

    def forward(self, codes: Tensor) -> Tensor:
        """(..., D) -> (...) scores."""
        scores: Tensor = self.layers(codes)[..., 0]
        return scores


def taken_for_real(scores: Tensor) -> Tensor:
    """Non-saturating loss of what makes the fakes."""
    return functional.softplus(-scores).mean()


def told_apart(real: Tensor, fake: Tensor) -> Tensor:
    """Logistic loss of what tells them apart."""
    return functional.softplus(-real).mean() + functional.softplus(fake).mean()


def gradient_penalty(scores: Tensor, inputs: Tensor) -> Tensor:
    """R1: mean squared gradient of the scores of real (B, ...) inputs."""
    (gradient,) = torch.autograd.grad(scores.sum(), inputs, create_graph=True)
    return gradient.square().flatten(1).sum(1).mean()


class PathLength:
    """Keeps a step in w as long in the picture wherever it is taken (appendix B of the paper)."""

    def __init__(self) -> None:
        self.mean = 0.0

    def penalty(self, pictures: Tensor, codes: Tensor, generator: torch.Generator) -> Tensor:
        """(B, 3, N, N) pictures of (B, L, D) codes that require a gradient."""
        noise = torch.randn(pictures.shape, generator=generator).to(pictures.device) / pictures.shape[-1]
        (gradient,) = torch.autograd.grad((pictures * noise).sum(), codes, create_graph=True)
        lengths = gradient.square().sum(2).mean(1).sqrt()
        self.mean += _PATH_DECAY * (float(lengths.detach().mean()) - self.mean)
        return (lengths - self.mean).square().mean()
