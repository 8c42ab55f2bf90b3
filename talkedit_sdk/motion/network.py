"""The motion network: how a window of someone speaking changes with the emotion."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from talkedit_sdk.emotion import EMOTIONS
from talkedit_sdk.face.topology import BLENDSHAPES, LIP_PAIRS

STYLE: Final = 8
"""Numbers of a style code; zero is the middle of how people show an emotion."""

CHANNELS: Final = 96
BLOCKS: Final = 6

_COUNT: Final = len(BLENDSHAPES)
_SEEN: Final = _COUNT + len(LIP_PAIRS)
_ASKED: Final = len(EMOTIONS) + 2 + STYLE
_GAP_SCALE: Final = 8.0  # inner-lip gaps are model units, coefficients reach 1
_UNTOUCHED: Final = ("eyeLook", "tongueOut", "cheekPuff")  # gaze is what the eyes do, not how they look


class MotionNetwork(nn.Module):
    """Temporal convolutions, modulated in each frame by what is asked for and by the window as a whole.

    It does not give coefficients but two rows per frame, what to add and which share of the source's own to take away,
    so that the result at any intensity s is β + s (added - taken · β): zero change at s = 0 whatever the weights are,
    quick motion of the source passes through, and the rows can be brought to another frame rate.
    """

    def __init__(self, channels: int = CHANNELS, blocks: int = BLOCKS) -> None:
        super().__init__()
        self.enter = nn.Conv1d(_SEEN, channels, 1)
        self.asked = nn.Sequential(nn.Linear(_ASKED, channels), nn.GELU(), nn.Linear(channels, channels))
        self.whole = nn.Linear(2 * _SEEN, channels)
        self.blocks = nn.ModuleList(_Block(channels, 2 ** (number % 4)) for number in range(blocks))
        self.leave = nn.Conv1d(channels, 2 * _COUNT, 1)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(torch.as_tensor(self.leave.bias))
        moved = torch.tensor([float(not name.startswith(_UNTOUCHED)) for name in BLENDSHAPES])
        self.register_buffer("moved", moved, persistent=False)

    def forward(
        self,
        coefficients: Tensor,
        gaps: Tensor,
        emotion: Tensor,
        intensity: Tensor,
        mouth_weight: Tensor,
        style: Tensor,
    ) -> Tensor:
        """Looks at windows of any length.

        Args:
            coefficients: (B, T, 52) of the source.
            gaps: (B, T, 5) inner-lip gaps of the source, model units.
            emotion: (B, T, 8) shares that sum to 1, order `EMOTIONS`.
            intensity: (B, T), 0 to 1.5.
            mouth_weight: (B,), 0 to 1.
            style: (B, 8).

        Returns:
            (B, T, 2, 52) what to add at intensity 1, and the share of the source to take away.
        """
        count = coefficients.shape[1]
        seen = torch.cat([coefficients, _GAP_SCALE * gaps], -1)
        steady = torch.cat([mouth_weight[:, None], style], -1)[:, None].expand(-1, count, -1)
        asked = self.asked(torch.cat([emotion, intensity[..., None], steady], -1))
        whole = self.whole(torch.cat([seen.mean(1), seen.std(1, correction=0)], -1))
        condition = nn.functional.gelu(asked + whole[:, None]).transpose(1, 2)
        hidden = self.enter(seen.transpose(1, 2))
        for block in self.blocks:
            hidden = block(hidden, condition)
        added, taken = self.leave(hidden).transpose(1, 2).unflatten(-1, (2, _COUNT)).unbind(-2)
        moved = torch.as_tensor(self.moved)
        return torch.stack([moved * added, moved * torch.tanh(taken)], -2)


class _Block(nn.Module):
    """A wide look along time for each channel, then a mix of the channels; the condition scales and shifts between."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.along = nn.Conv1d(
            channels, channels, 7, padding=3 * dilation, dilation=dilation, groups=channels, padding_mode="replicate"
        )
        self.modulate = nn.Conv1d(channels, 2 * channels, 1)
        self.mix = nn.Sequential(nn.Conv1d(channels, 2 * channels, 1), nn.GELU(), nn.Conv1d(2 * channels, channels, 1))

    def forward(self, hidden: Tensor, condition: Tensor) -> Tensor:
        scale, shift = self.modulate(condition).chunk(2, 1)
        changed: Tensor = hidden + self.mix(_normalised(self.along(hidden)) * (1 + scale) + shift)
        return changed


def _normalised(hidden: Tensor) -> Tensor:
    """(B, C, T) with mean 0 and variance 1 over the channels of each frame."""
    centred = hidden - hidden.mean(1, keepdim=True)
    return centred * torch.rsqrt(centred.square().mean(1, keepdim=True) + 1e-5)


def changed(coefficients: Tensor, change: Tensor, intensity: Tensor) -> Tensor:
    """(..., 52) source, (..., 2, 52) from the network, (...) intensity -> (..., 52), not yet bounded to [0, 1]."""
    added, taken = change.unbind(-2)
    return coefficients + intensity[..., None] * (added - taken * coefficients)


def style_code(seed: int) -> Tensor:
    """(8,) the style of a seed; the same seed gives the same style, and 0 the middle of all styles."""
    if seed == 0:
        return torch.zeros(STYLE)
    return torch.randn(STYLE, generator=torch.Generator().manual_seed(seed)).clamp(-1.8, 1.8)
