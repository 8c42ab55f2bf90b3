"""The speech network: what a face does while it says something, and how it feels about it.

After A2ENet (*Emotion-Aware Talking Face Generation Based on 3DMM*, NNICE 2024): one Transformer encoder for content
and one for emotion, and a Transformer decoder that puts both together on the face of a person. Each attention looks no
further than its neighbourhood, so that speech can come in chunks: a frame depends on `AHEAD` frames after it and `BACK`
before, and on nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from einops import rearrange
from torch import Tensor, nn

from talkedit_sdk.emotion import EMOTIONS
from talkedit_sdk.face.topology import BLENDSHAPES

PHONES: Final = 40
"""Room for classes of phones, which the content encoder learns to tell apart; what they stand for is the training's
matter."""

EYES: Final = tuple(index for index, name in enumerate(BLENDSHAPES) if name.startswith(("eyeBlink", "eyeLook")))
"""Coefficients of lids and gaze: eye control says what they do, the network hands them on and goes along with them."""

WIDTH: Final = 96
_FEELING: Final = 64  # width of the encoder for emotion
_HEADS: Final = 4
_CODE: Final = 32
_STEM: Final = 2  # frames that a stem sees to either side
_CONTENT: Final = ((12, 3), (12, 3), (12, 3))  # frames that each block looks back and ahead
_EMOTION: Final = ((25, 2), (25, 2))
_POOL: Final = (100, 8)
_DECODER: Final = ((8, 2), (8, 2))
_DROPPED: Final = 0.2
_FIRM: Final = 4.0  # how much quicker it is learned what an emotion takes away than all else

AHEAD: Final = max(
    _STEM + sum(ahead for _, ahead in _CONTENT + _DECODER), _STEM + sum(ahead for _, ahead in _EMOTION) + _POOL[1]
)
BACK: Final = max(_STEM + sum(back for back, _ in _CONTENT), _STEM + sum(b for b, _ in _EMOTION) + _POOL[0]) + sum(
    back for back, _ in _DECODER
)


@dataclass(frozen=True)
class Content:
    """What is said.

    Members:
        memory: (B, T, WIDTH) for the decoder.
        phones: (B, T, PHONES) logits.
        closure: (B, T) logit of lips that touch.
        speaking: (B, T) logit of a voice.
    """

    memory: Tensor
    phones: Tensor
    closure: Tensor
    speaking: Tensor


class SpeechNetwork(nn.Module):
    """Features of speech -> coefficients of the person who says it. `features` is how many there are in a frame."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.content_stem = _Stem(features, WIDTH)
        self.content_blocks = nn.ModuleList(_Block(WIDTH, *reach) for reach in _CONTENT)
        self.heard = nn.Linear(WIDTH, PHONES + 2)
        self.emotion_stem = _Stem(features, _FEELING)
        self.emotion_blocks = nn.ModuleList(_Block(_FEELING, *reach) for reach in _EMOTION)
        self.felt = nn.Sequential(nn.Linear(2 * _FEELING, _FEELING), nn.GELU(), nn.Linear(_FEELING, len(EMOTIONS) + 1))
        self.table = nn.Parameter(0.3 * torch.randn(len(EMOTIONS), _CODE))
        self.person = nn.Linear(len(BLENDSHAPES), WIDTH)
        self.eyes = nn.Linear(len(EYES), WIDTH)
        self.mood = nn.Linear(_CODE, WIDTH, bias=False)
        self.decoder = nn.ModuleList(_CrossBlock(*reach) for reach in _DECODER)
        self.taken = nn.Linear(_CODE, len(BLENDSHAPES), bias=False)
        self.leave = nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, len(BLENDSHAPES)))
        nn.init.zeros_(self.taken.weight)
        nn.init.zeros_(self.get_parameter("leave.1.weight"))
        nn.init.zeros_(self.get_parameter("leave.1.bias"))
        moved = torch.tensor([float(index not in EYES) for index in range(len(BLENDSHAPES))])
        self.register_buffer("moved", moved, persistent=False)

    def content(self, features: Tensor) -> Content:
        """(B, T, F) -> what is said."""
        hidden = self.content_stem(features)
        for block in self.content_blocks:
            hidden = block(hidden)
        phones, closure, speaking = self.heard(hidden).split([PHONES, 1, 1], -1)
        return Content(hidden, phones, closure[..., 0], speaking[..., 0])

    def emotion(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T, F) -> (B, T, 8) logits of the emotions in the voice and (B, T) how aroused it is, in [0, 1]."""
        hidden = self.emotion_stem(features)
        for block in self.emotion_blocks:
            hidden = block(hidden)
        mean = running_mean(hidden, *_POOL)
        spread = (running_mean(hidden.square(), *_POOL) - mean.square()).clamp_min(1e-6).sqrt()
        logits, strength = self.felt(torch.cat([mean, spread], -1)).split([len(EMOTIONS), 1], -1)
        return logits, torch.sigmoid(strength[..., 0])

    def code(self, shares: Tensor, strength: Tensor) -> Tensor:
        """(B, T, 8) shares and (B, T) strengths -> (B, T, 32) what the decoder is told; nothing at strength 0."""
        return (shares @ self.table) * strength[..., None]

    def decode(self, memory: Tensor, code: Tensor, initial: Tensor, eyes: Tensor) -> Tensor:
        """Puts content and emotion on a face.

        Args:
            memory: (B, T, WIDTH) of `content`.
            code: (B, T, 32) of `code`.
            initial: (B, 52) coefficients of the person at rest, lips closed as this person closes them.
            eyes: (B, T, 10) the coefficients `EYES` as eye control wants them.

        Returns:
            (B, T, 52) coefficients, not bounded to [0, 1].
        """
        hidden = self.person(initial)[:, None] + self.eyes(eyes) + self.mood(code)
        for block in self.decoder:
            hidden = block(hidden, memory, code)
        change = torch.as_tensor(self.moved) * self.leave(hidden)
        left = initial[:, None] * (1 - torch.tanh(_FIRM * self.taken(code)))  # of the mood in which the person is seen
        found: Tensor = (left + change).index_copy(-1, torch.tensor(EYES, device=eyes.device), eyes)
        return found


class _Stem(nn.Module):
    """Frames of features -> frames of the network, which know their neighbours."""

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.enter = nn.Linear(features, width)
        self.along = nn.Conv1d(width, width, 2 * _STEM + 1, padding=_STEM, groups=width)
        self.norm = nn.LayerNorm(width)
        self.drop = nn.Dropout(_DROPPED)

    def forward(self, features: Tensor) -> Tensor:
        hidden = self.enter(features)
        near = rearrange(self.along(rearrange(hidden, "b t c -> b c t")), "b c t -> b t c")
        stemmed: Tensor = self.drop(self.norm(hidden + nn.functional.gelu(near)))
        return stemmed


class _Attention(nn.Module):
    """Each frame attends to memory from `back` frames before it to `ahead` after; how far off something is counts."""

    def __init__(self, width: int, back: int, ahead: int) -> None:
        super().__init__()
        self._back, self._ahead = back, ahead
        self.ask = nn.Linear(width, width)
        self.show = nn.Linear(width, 2 * width)
        self.leave = nn.Linear(width, width)
        self.distance = nn.Parameter(torch.zeros(_HEADS, back + 1 + ahead))

    def forward(self, hidden: Tensor, memory: Tensor) -> Tensor:
        places = torch.arange(hidden.shape[1], device=hidden.device)
        offset = places - places[:, None] + self._back
        far = (offset < 0) | (offset > self._back + self._ahead)
        bias = self.distance[:, offset.clamp(0, self._back + self._ahead)].masked_fill(far, -torch.inf)
        query = rearrange(self.ask(hidden), "b t (h c) -> b h t c", h=_HEADS)
        key, value = rearrange(self.show(memory), "b t (two h c) -> two b h t c", two=2, h=_HEADS)
        found = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        attended: Tensor = self.leave(rearrange(found, "b h t c -> b t (h c)"))
        return attended


def _mlp(width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Dropout(_DROPPED), nn.Linear(2 * width, width))


class _Block(nn.Module):
    """Of an encoder."""

    def __init__(self, width: int, back: int, ahead: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.attention = _Attention(width, back, ahead)
        self.mlp = _mlp(width)

    def forward(self, hidden: Tensor) -> Tensor:
        normal = self.norms[0](hidden)
        hidden = hidden + self.attention(normal, normal)
        changed: Tensor = hidden + self.mlp(self.norms[1](hidden))
        return changed


class _CrossBlock(nn.Module):
    """Of the decoder: looks at the content, scaled and shifted by the emotion, which leaves all as it is at zero."""

    def __init__(self, back: int, ahead: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)])
        self.remembered = nn.LayerNorm(WIDTH)
        self.attention = _Attention(WIDTH, back, ahead)
        self.modulate = nn.Linear(_CODE, 2 * WIDTH, bias=False)
        self.mlp = _mlp(WIDTH)

    def forward(self, hidden: Tensor, memory: Tensor, code: Tensor) -> Tensor:
        hidden = hidden + self.attention(self.norms[0](hidden), self.remembered(memory))
        scale, shift = self.modulate(code).chunk(2, -1)
        changed: Tensor = hidden + self.mlp(self.norms[1](hidden) * (1 + scale) + shift)
        return changed


def running_mean(values: Tensor, back: int, ahead: int) -> Tensor:
    """(B, T, C) -> its mean over the frames from `back` before each to `ahead` after it, as far as there are any."""
    count = values.shape[1]
    places = torch.arange(count, device=values.device)
    first, last = (places - back).clamp_min(0), (places + ahead + 1).clamp_max(count)
    total = nn.functional.pad(values.cumsum(1), (0, 0, 1, 0))
    return (total[:, last] - total[:, first]) / (last - first)[:, None]
