"""Batches to learn speech from: windows of real people, and pairs of windows that share content or mood."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import max_pool1d

from talkedit_sdk.emotion import EMOTIONS
from talkedit_sdk.face.smooth import smoothstep
from talkedit_sdk.face.topology import MIRRORED
from talkedit_sdk.motion.articulation import articulation
from talkedit_sdk.motion.network import STYLE
from talkedit_sdk.motion.windows import interpolate
from talkedit_sdk.speech.driver import ARTICULATORS
from talkedit_sdk.speech.features import ENERGY, MELS, PITCH, VOICING
from talkedit_sdk.speech.types import RATE
from talkedit_sdk.training.facs import apex
from talkedit_sdk.training.phones import BILABIALS, SILENCE
from talkedit_sdk.training.utterance import Utterance

WINDOW: Final = 3 * RATE
_NEUTRAL: Final = EMOTIONS.index("neutral")
_RESTING: Final = 0.2  # share of the frames of a clip, those with the least open mouth, that show it at rest
_TOUCHING: Final = (0.02, 0.0)  # model units over rest from which lips are apart, and where they touch
_STOP: Final = 6  # rows
_LOUD: Final = (-0.9, -0.3)  # loudness under which there is silence for certain, and over which there is a voice
_STRETCH: Final = 0.1
_OTHER_THROAT: Final = 2.5  # bands by which formants are moved
_MASKED: Final = 10  # bands
_NEAR: Final = 1.5  # rows


@dataclass(frozen=True)
class Speaker:
    """An utterance with what is derived from it.

    Members:
        utterance: as read.
        initial: (52,) the person at rest.
        strength: (T,) of the emotion in the voice, none where it is neutral.
        told: (T,) how far the face is to show it; of neutral, how far it is to leave the mood of `initial`.
        labelled: whether the emotion is known.
        closed: (T,) 1 where lips touch in speech.
        speaking: (T,) 1 in speech, 0 in silence, -1 where it is hard to tell.
        content: what is the same in utterances of the same words; empty where nobody knows.
    """

    utterance: Utterance
    initial: Tensor
    strength: Tensor
    told: Tensor
    labelled: bool
    closed: Tensor
    speaking: Tensor
    content: tuple[int, ...]


@dataclass(frozen=True)
class SpeechLesson:
    """A batch of windows, two by two.

    Members:
        features, truth: (B, T, ...).
        initial: (B, 52).
        phones: (B, T) classes, -1 where unknown.
        closed, speaking: (B, T), see `Speaker`.
        emotion: (B, T, 8) shares; strength: (B, T) in the voice; told: (B, T) on the face.
        labelled: (B,) whether the emotion is known.
        aligned: (B, T) where in the other window of the pair the same is said, -1 where nowhere.
    """

    features: Tensor
    truth: Tensor
    initial: Tensor
    phones: Tensor
    closed: Tensor
    speaking: Tensor
    emotion: Tensor
    strength: Tensor
    told: Tensor
    labelled: Tensor
    aligned: Tensor

    def to(self, device: torch.device) -> SpeechLesson:
        """The same on another device."""
        return SpeechLesson(**{name: value.to(device) for name, value in vars(self).items()})


def resting(coefficients: Tensor, opening: Tensor) -> Tensor:
    """(T, 52) of a clip with its mouth openings (T,) -> (52,) the person at rest: the median of the face, and the mouth
    of moments when it is least open."""
    fewest = max(int(_RESTING * len(opening)), 1)
    return coefficients[opening.argsort()[:fewest]].median(0).values


def prepare(utterances: list[Utterance], opening: Tensor) -> list[Speaker]:
    """Finds who is at rest how, and where lips touch. `opening` (52,) is mouth opening per unit of each coefficient."""
    calm: dict[str, list[Tensor]] = {}
    for utterance in utterances:
        if utterance.kind == "real" and not bool((_shown(utterance) > 0).any()):
            calm.setdefault(utterance.person, []).append(utterance.coefficients)
    rests = {person: _rest(torch.cat(clips), opening) for person, clips in calm.items()}
    return [_speaker(utterance, rests.get(utterance.person), opening) for utterance in utterances]


def _speaker(utterance: Utterance, rest: Tensor | None, opening: Tensor) -> Speaker:
    beta, strength = utterance.coefficients, _shown(utterance)
    if utterance.kind == "spoken":
        changes = torch.cat([torch.tensor([True]), utterance.phones.diff() != 0])
        return Speaker(
            utterance=utterance,
            initial=torch.zeros_like(beta[0]),
            strength=strength,
            told=utterance.strength,
            labelled=True,
            closed=torch.isin(utterance.phones, torch.tensor(BILABIALS)).float(),
            speaking=1 - torch.isin(utterance.phones, torch.tensor(SILENCE)).float(),
            content=tuple(utterance.phones[changes].tolist()),
        )
    own = _rest(beta, opening) if rest is None else rest
    parted = ((beta - own) @ opening)[:, None]
    clock = torch.arange(len(beta)) / RATE
    # Stops are silent too, but not for long.
    energy = max_pool1d(utterance.features[None, :, ENERGY], 2 * _STOP + 1, 1, _STOP)[0]
    return Speaker(
        utterance=utterance,
        initial=own,
        strength=strength,
        # Without a calm clip of the same person nobody can tell the mood of a clip from how the person looks.
        told=strength if rest is not None else torch.zeros_like(strength),
        labelled=rest is not None and bool(utterance.emotion.any()),
        closed=articulation(smoothstep(parted, *_TOUCHING), clock, torch.zeros(len(beta), dtype=torch.int64))[:, 0],
        speaking=torch.where(energy < _LOUD[0], 0.0, torch.where(energy > _LOUD[1], 1.0, -1.0)),
        content=(),
    )


def _rest(coefficients: Tensor, opening: Tensor) -> Tensor:
    return resting(coefficients, coefficients @ opening)


def _shown(utterance: Utterance) -> Tensor:
    return utterance.strength * (1 - utterance.emotion[:, _NEUTRAL])


def _at(values: Tensor, rows: Tensor) -> Tensor:
    """(T, ...) values at fractional rows (L,) -> (L, ...), straight lines between."""
    low = rows.floor().long().clamp(0, max(len(values) - 2, 0))
    high = (low + 1).clamp_max(len(values) - 1)
    share = (rows - low).clamp(0, 1)
    return torch.lerp(values[low], values[high], share if values.ndim == 1 else share[:, None])


def _alignment(one: Tensor, other: Tensor) -> Tensor:
    """Phones (T,) and (S,) of the same words -> (T,) the row of `other` at which each row of `one` is said."""
    ends = [torch.cat([torch.tensor([0]), phones.diff().nonzero()[:, 0] + 1, torch.tensor([len(phones)])]).double()
            for phones in (one, other)]  # fmt: skip
    return interpolate(ends[1][:, None], ends[0], torch.arange(len(one), dtype=torch.float64))[:, 0].float()


def _found(places: Tensor, rows: Tensor) -> Tensor:
    """Index of the nearest of ascending `rows` for each place, -1 where none is within a row and a half."""
    index = torch.searchsorted(rows.contiguous(), places.contiguous()).clamp_max(len(rows) - 1)
    return torch.where((rows[index] - places).abs() < _NEAR, index, -1)


class SpeechMaterial:
    """Draws lessons; half of each batch is real as long as there are real people and others."""

    def __init__(self, speakers: list[Speaker], generator: torch.Generator) -> None:
        self._random = generator
        self._real = [speaker for speaker in speakers if speaker.utterance.kind == "real"]
        self._spoken = [speaker for speaker in speakers if speaker.utterance.kind == "spoken"]
        self._moods = apex(torch.zeros(1, STYLE))[0] * (1 - torch.eye(len(MIRRORED))[list(ARTICULATORS)].sum(0))
        self._rests = [speaker.initial for speaker in self._real]
        lengths = torch.tensor([float(len(speaker.told)) for speaker in self._real])
        self._weights = lengths.sqrt()
        self._same: dict[tuple[int, ...], list[int]] = {}
        for number, speaker in enumerate(self._spoken):
            self._same.setdefault(speaker.content, []).append(number)

    def lesson(self, count: int, length: int = WINDOW) -> SpeechLesson:
        """A batch of `count` windows, an even number."""
        pairs = count // 2
        real = 0 if not self._real else pairs if not self._spoken else pairs // 2
        drawn = [self._real_pair(length) for _ in range(real)] + [self._same_words(length) for _ in range(pairs - real)]
        windows = [window for pair in drawn for window in pair]
        return SpeechLesson(
            **{name: torch.stack([getattr(window, name) for window in windows]) for name in vars(windows[0])}
        )

    def _real_pair(self, length: int) -> tuple[SpeechLesson, SpeechLesson]:
        speaker = self._real[int(torch.multinomial(self._weights, 1, generator=self._random))]
        mirror = self._chance() < 0.5
        one, other = (self._window(speaker, self._rows(speaker, length), mirror) for _ in range(2))
        return one, other

    def _same_words(self, length: int) -> tuple[SpeechLesson, SpeechLesson]:
        number = self._pick(len(self._spoken))
        one = self._spoken[number]
        family = self._same[one.content]
        other = self._spoken[family[self._pick(len(family))]]
        mirror = self._chance() < 0.5
        looks = self._person()
        rows = self._rows(one, length)
        places = _alignment(one.utterance.phones, other.utterance.phones)
        begin = places[int(rows[0])]
        step = (rows[1] - rows[0]) * (1 + _STRETCH * (2 * self._chance() - 1)) if length > 1 else torch.tensor(1.0)
        others = (begin + step * torch.arange(length)).clamp_max(len(other.told) - 1)
        first, second = self._window(one, rows, mirror, looks), self._window(other, others, mirror, looks)
        back = _alignment(other.utterance.phones, one.utterance.phones)
        return (
            replace(first, aligned=_found(_at(places, rows), others)),
            replace(second, aligned=_found(_at(back, others), rows)),
        )

    def _rows(self, speaker: Speaker, length: int) -> Tensor:
        """(length,) places in an utterance, at a pace that is not quite its own; the last one again at its end."""
        total = len(speaker.told)
        pace = 1 + _STRETCH * (2 * self._chance() - 1)
        begin = self._chance() * max(total - 1 - pace * (length - 1), 0)
        return (begin + pace * torch.arange(length)).clamp_max(total - 1)

    def _person(self) -> Tensor:
        """(2, 52) how somebody made up looks at rest, and a mood in which the picture shows them."""
        rest = self._rests[self._pick(len(self._rests))] * self._chance() if self._rests else torch.zeros(len(MIRRORED))
        mood = self._moods[self._pick(len(self._moods))] * max(1.6 * self._chance() - 0.6, 0)
        return torch.stack([rest, mood])

    def _window(self, speaker: Speaker, rows: Tensor, mirror: bool, looks: Tensor | None = None) -> SpeechLesson:
        utterance, near = speaker.utterance, rows.round().long()
        initial, told = speaker.initial, _at(speaker.told, rows)
        truth = _at(utterance.coefficients, rows)
        if looks is not None:
            rest, mood = looks
            # What is asked for takes the place of the mood; neutral is nothing but that, and may be asked for in part.
            told = told * (1 - self._chance() * _at(utterance.emotion, rows)[:, _NEUTRAL])
            initial = (rest + mood).clamp_max(1)
            truth = (truth + rest + (1 - told)[:, None].clamp_min(0) * mood).clamp_max(1)
        sides = list(MIRRORED) if mirror else slice(None)
        return SpeechLesson(
            features=self._disturbed(_at(utterance.features, rows)),
            truth=truth[:, sides],
            initial=initial[sides],
            phones=utterance.phones[near],
            closed=speaker.closed[near],
            speaking=speaker.speaking[near],
            emotion=_at(utterance.emotion, rows),
            strength=_at(speaker.strength, rows),
            told=told,
            labelled=torch.tensor(speaker.labelled),
            aligned=torch.full((len(rows),), -1),
        )

    def _disturbed(self, features: Tensor) -> Tensor:
        """Features as of another throat, microphone, pitch and room."""
        features = features.clone()
        bands = torch.linspace(0, 1, MELS)
        warp = (bands * (MELS - 1) + _OTHER_THROAT * self._normal() * (0.3 + bands)).clamp(0, MELS - 1)
        low = warp.floor().long().clamp_max(MELS - 2)
        share = warp - low
        mel, slope = (features[:, part] for part in (slice(0, MELS), slice(MELS, 2 * MELS)))
        mel, slope = (torch.lerp(values[:, low], values[:, low + 1], share) for values in (mel, slope))
        colour = sum(0.08 * self._normal() * torch.cos(torch.pi * k * bands) for k in range(4))
        mel = mel + colour
        if self._chance() < 0.4:
            noise = -2.4 + 1.5 * self._chance() + 0.2 * self._normal() * torch.cos(torch.pi * bands)
            noisy = torch.log10(10 ** (2 * mel) + 10 ** (2 * noise)) / 2
            slope, mel = slope * 10 ** (2 * (mel - noisy)), noisy
        if self._chance() < 0.5:
            first = self._pick(MELS - _MASKED)
            mel[:, first : first + _MASKED] = mel[:, first : first + _MASKED].mean(0)
            slope[:, first : first + _MASKED] = 0
        features[:, :MELS], features[:, MELS : 2 * MELS] = mel, slope
        features[:, ENERGY] += 0.1 * self._normal()
        features[:, PITCH] += 0.15 * self._normal() * features[:, VOICING]
        return features + 0.03 * torch.randn(features.shape, generator=self._random)

    def _chance(self) -> float:
        return float(torch.rand((), generator=self._random))

    def _normal(self) -> float:
        return float(torch.randn((), generator=self._random).clamp(-2, 2))

    def _pick(self, count: int) -> int:
        return int(torch.randint(count, (), generator=self._random))
