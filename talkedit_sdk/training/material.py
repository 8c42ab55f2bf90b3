"""Batches to learn motion editing from: who speaks, how it should look in another emotion, and what was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from talkedit_sdk.emotion import EMOTIONS, MAX_INTENSITY
from talkedit_sdk.face.topology import MIRRORED
from talkedit_sdk.motion.windows import RATE, WINDOW
from talkedit_sdk.training.corpus import Performance
from talkedit_sdk.training.facs import Speech, act, calmed, course, habit, random_styles

_NEUTRAL: Final = EMOTIONS.index("neutral")
_LONG: Final = 24  # frames of a performance from which it counts as speech
_ACTED: Final = 0.5  # share of sources that act an emotion, the others are as filmed
_IDENTITY: Final = 0.08


@dataclass(frozen=True)
class Lesson:
    """A batch.

    Members:
        source: Speech as the network sees it, (B, T, ...).
        filmed: (B, T, 52) the footage behind it, as it was.
        goal: (B, T, 52) the same speech in the target emotion, at intensity 1 and with a free mouth.
        emotion, intensity, mouth_weight, style: what is asked for, as in `MotionNetwork.forward`.
        own_emotion: (B, T, 8) what the source acts; neutral in part where it acts weakly.
        acted: (B,) bool, whether it acts at all; else it is footage as it was filmed.
    """

    source: Speech
    filmed: Tensor
    goal: Tensor
    emotion: Tensor
    intensity: Tensor
    mouth_weight: Tensor
    style: Tensor
    own_emotion: Tensor
    acted: Tensor

    def to(self, device: torch.device) -> Lesson:
        """The same on another device."""
        source = Speech(self.source.coefficients.to(device), self.source.gaps.to(device))
        tensors = {name: value.to(device) for name, value in vars(self).items() if name != "source"}
        return Lesson(source=source, **tensors)


class Material:
    """Draws lessons from performances. `openings` (5, 52) are inner-lip gaps per unit of each coefficient."""

    def __init__(self, performances: list[Performance], openings: Tensor, generator: torch.Generator) -> None:
        self._openings, self._random = openings, generator
        talking = [p.coefficients for p in performances if p.take.emotion is None and len(p.coefficients) >= _LONG]
        usual = habit(talking or [p.coefficients for p in performances])
        usual = (usual + usual[list(MIRRORED)]) / 2
        self._filmed = [p.coefficients for p in performances]
        self._gaps = [p.gaps for p in performances]
        self._calm = [calmed(p.coefficients[None], usual)[0] for p in performances]
        lengths = torch.tensor([float(len(p.coefficients)) for p in performances])
        self._weights = torch.where(lengths >= _LONG, lengths.sqrt(), 0.5)

    def speech(self, count: int, length: int = WINDOW) -> tuple[Speech, Tensor]:
        """`count` windows of calm speech, and as they were filmed (count, length, 52)."""
        picks = torch.multinomial(self._weights, count, replacement=True, generator=self._random).tolist()
        calm, gaps, filmed = [], [], []
        for pick in picks:
            total = len(self._filmed[pick])
            start = int(torch.randint(max(total - length, 0) + 1, (), generator=self._random))
            rows = (start + torch.arange(length)).clamp_max(total - 1)
            columns = list(MIRRORED) if self._chance(1) < 0.5 else list(range(len(MIRRORED)))
            gap = self._gaps[pick][rows]
            gaps.append(gap if columns[0] == 0 else gap.flip(1))
            calm.append(self._calm[pick][rows][:, columns])
            filmed.append(self._filmed[pick][rows][:, columns])
        quiet, real = torch.stack(calm), torch.stack(filmed)
        calm_gaps = (torch.stack(gaps) + (quiet - real) @ self._openings.T).clamp_min(0)
        return Speech(quiet, torch.minimum(calm_gaps, torch.stack(gaps) + 0.05)), real

    def lesson(self, count: int, length: int = WINDOW) -> Lesson:
        """A batch of `count` windows."""
        calm, filmed = self.speech(count, length)
        own_emotion = self._plain(count).expand(-1, length, -1)
        strength, own_style = course(count, length, self._random), random_styles(count, self._random)
        played = act(calm, own_emotion, strength, own_style, self._openings)
        acted = self._chance(count) < _ACTED
        gaps = (calm.gaps + (filmed - calm.coefficients) @ self._openings.T).clamp_min(0)
        source = Speech(
            torch.where(acted[:, None, None], played.coefficients, filmed),
            torch.where(acted[:, None, None], played.gaps, gaps),
        )
        own_emotion = strength[..., None] * own_emotion
        own_emotion[..., _NEUTRAL] += 1 - strength
        same = acted & (self._chance(count) < _IDENTITY / _ACTED)
        emotion = torch.where(same[:, None, None], own_emotion, self._wanted(count, length))
        style = torch.where(same[:, None], own_style, random_styles(count, self._random))
        goal = act(calm, emotion, torch.ones(count, length), style, self._openings).coefficients
        weight = (1.6 * self._chance(count) - 0.3).clamp(0, 1)
        intensity = self._intensity(count, length)
        return Lesson(source, filmed, goal, emotion, intensity, weight, style, own_emotion, acted)

    def frames(self, count: int) -> tuple[Tensor, Tensor]:
        """Single frames (count, 52) of acted emotions with labels (count, 8), for the classifier."""
        calm, _ = self.speech(count // 8, WINDOW)
        emotion = self._plain(count // 8).expand(-1, WINDOW, -1)
        strength = course(count // 8, WINDOW, self._random)
        acted = act(calm, emotion, strength, random_styles(count // 8, self._random), self._openings)
        label = strength[..., None] * emotion
        label[..., _NEUTRAL] += 1 - strength
        rows = torch.randint(WINDOW, (8,), generator=self._random)
        return acted.coefficients[:, rows].flatten(0, 1), label[:, rows].flatten(0, 1)

    def _chance(self, count: int) -> Tensor:
        return torch.rand(count, generator=self._random)

    def _plain(self, count: int) -> Tensor:
        """(count, 1, 8) one emotion each, neutral no more often than the others."""
        picks = torch.randint(len(EMOTIONS), (count,), generator=self._random)
        return torch.eye(len(EMOTIONS))[picks][:, None]

    def _wanted(self, count: int, length: int) -> Tensor:
        """(count, length, 8) targets: mostly one emotion, some mixtures, some that change on the way."""
        first, second = self._plain(count), self._plain(count)
        kind = self._chance(count)[:, None]
        share = self._chance(count)[:, None]
        seconds = torch.arange(length) / RATE
        passing = torch.sigmoid((seconds - share * length / RATE) / 0.15)
        blend = torch.where(kind < 0.7, 0.0, torch.where(kind < 0.85, share.expand(-1, length), passing))
        return torch.lerp(first, second, blend[..., None])

    def _intensity(self, count: int, length: int) -> Tensor:
        kind = self._chance(count)[:, None]
        ends = 0.1 + (MAX_INTENSITY - 0.1) * torch.rand(2, count, 1, generator=self._random)
        slope = torch.lerp(ends[0], ends[1], torch.linspace(0, 1, length))
        steady = ends[0].expand(-1, length)
        return torch.where(kind < 0.5, 1.0, torch.where(kind < 0.8, steady, slope))
