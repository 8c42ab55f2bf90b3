"""StyleGAN2 of face textures, in plain PyTorch.

After Karras et al., *Analyzing and Improving the Image Quality of StyleGAN* (CVPR 2020): mapping network, modulated and
demodulated convolutions, skip generator, equalised learning rate. Two things differ. There is no noise, since textures
must not flicker; and a block convolves before it enlarges, which costs a quarter.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Final

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

LATENT: Final = 128
"""D, numbers of a latent code."""

CHANNELS: Final = {4: 128, 8: 128, 16: 128, 32: 64, 64: 48, 128: 32, 256: 16, 512: 8}
"""Of the feature maps at each side."""

LEAKY_GAIN: Final = math.sqrt(2)
"""Of layers before a leaky ReLU, which halves the variance."""

RESOLUTIONS: Final = (32, 64, 128, 256, 512)

_MAPPING_LAYERS: Final = 4
_MAPPING_RATE: Final = 0.01  # relative to all other layers
_SLOPE: Final = 0.2
_SMALL: Final = 0.1  # weights of the last layer at the start, as skin differs little from its smooth part


def layer_count(resolution: int) -> int:
    """L, latent codes that one texture of this side takes."""
    return 2 * int(math.log2(resolution)) - 2


class EqualLinear(nn.Module):
    """A linear layer whose weights are scaled while running, so that all learn at one rate (Karras et al. 2018)."""

    def __init__(self, inputs: int, outputs: int, bias: float = 0.0, rate: float = 1.0, gain: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.full((outputs,), bias / rate))
        self._scale, self._rate = gain * rate / math.sqrt(inputs), rate

    def forward(self, values: Tensor) -> Tensor:
        return functional.linear(values, self.weight * self._scale, self.bias * self._rate)


class EqualConv(nn.Module):
    """A convolution of the same kind, zero-padded, with a stride of 1 or 2."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, bias: bool = True, gain: float = LEAKY_GAIN
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self._scale, self._stride = gain / math.sqrt(inputs * kernel**2), stride

    def forward(self, features: Tensor) -> Tensor:
        padding = self.weight.shape[-1] // 2
        return functional.conv2d(features, self.weight * self._scale, self.bias, self._stride, padding)


def leaky(features: Tensor) -> Tensor:
    """Leaky ReLU; layers before it have the gain `LEAKY_GAIN`, so that the variance is kept."""
    return functional.leaky_relu(features, _SLOPE)


class MappingNetwork(nn.Module):
    """z -> w."""

    def __init__(self) -> None:
        super().__init__()
        layers = (EqualLinear(LATENT, LATENT, rate=_MAPPING_RATE, gain=LEAKY_GAIN) for _ in range(_MAPPING_LAYERS))
        self.layers = nn.ModuleList(layers)

    def forward(self, z: Tensor) -> Tensor:
        """(B, D) normal numbers -> (B, D)."""
        w = z * torch.rsqrt(z.square().mean(-1, keepdim=True) + 1e-8)
        for layer in self.layers:
            w = leaky(layer(w))
        return w


class ModulatedConv(nn.Module):
    """A convolution whose input channels a latent code scales, and whose output is brought back to its variance.

    Scaling the features before and after one shared convolution gives the same as a kernel for each sample (equations 1
    to 3 of the paper), without grouped convolutions, which are slow.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.style = EqualLinear(LATENT, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, features: Tensor, w: Tensor) -> Tensor:
        """(B, C, H, W) features, (B, D) code."""
        style = self.style(w)
        power = style.square() @ self.weight.square().sum((2, 3)).T
        found = functional.conv2d(features * style[..., None, None].to(features), self.weight, padding=1)
        scale = LEAKY_GAIN * torch.rsqrt(power + 1e-8)
        return torch.addcmul(self.bias[:, None, None].to(found), found, scale[..., None, None].to(found))


class Paint(nn.Module):
    """Colours of features: a modulated 1x1 convolution without demodulation, tRGB of the paper."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.style = EqualLinear(LATENT, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.zeros(3, inputs))
        self.bias = nn.Parameter(torch.zeros(3))
        self._scale = 1 / math.sqrt(inputs)

    def forward(self, features: Tensor, w: Tensor) -> Tensor:
        """(B, C, H, W) features, (B, D) code -> (B, 3, H, W)."""
        weight = self.weight * self._scale * self.style(w)[:, None]
        flat = rearrange(features, "b c h w -> b (h w) c") @ weight.transpose(1, 2) + self.bias
        picture: Tensor = rearrange(flat.float(), "b (h w) c -> b c h w", h=features.shape[2])
        return picture


def enlarged(features: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, C, 2H, 2W), bilinear: zeros between the pixels, blurred by [1, 3, 3, 1]."""
    return functional.interpolate(features, scale_factor=2, mode="bilinear", align_corners=False)


class _Block(nn.Module):
    """From one side to the next: two convolutions and what they add to the picture."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = ModulatedConv(inputs, outputs)
        self.second = ModulatedConv(outputs, outputs)
        self.paint = Paint(outputs)

    def forward(self, features: Tensor, picture: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        features = leaky(enlarged(self.first(features, w[:, 0])))
        features = leaky(self.second(features, w[:, 1]))
        return features, enlarged(picture) + self.paint(features, w[:, 2])


class Generator(nn.Module):
    """w -> log skin, a sum of pictures of all sides, so that it can be run, and trained, up to any of them.

    Args:
        resolution: largest side, one of `RESOLUTIONS`.
    """

    def __init__(self, resolution: int) -> None:
        super().__init__()
        self.resolution, self.layers = resolution, layer_count(resolution)
        sides = [side for side in CHANNELS if side <= resolution]
        self.constant = nn.Parameter(torch.randn(1, CHANNELS[4], 4, 4))
        self.begin = ModulatedConv(CHANNELS[4], CHANNELS[4])
        self.paint = Paint(CHANNELS[4])
        nn.init.normal_(self.paint.weight, std=_SMALL)
        self.blocks = nn.ModuleList(_Block(CHANNELS[small], CHANNELS[large]) for small, large in pairwise(sides))

    def forward(self, w: Tensor, side: int | None = None) -> Tensor:
        """(B, L, D) codes -> (B, 3, side, side), at the largest side by default."""
        blocks = int(math.log2(side or self.resolution)) - 2
        features: Tensor = leaky(self.begin(self.constant.expand(len(w), -1, -1, -1), w[:, 0]))
        picture: Tensor = self.paint(features, w[:, 1])
        for number, block in enumerate(self.blocks[:blocks]):
            features, picture = block(features, picture, w[:, 2 * number + 1 : 2 * number + 4])
        return picture
