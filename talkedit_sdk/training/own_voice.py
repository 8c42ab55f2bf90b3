"""Whether a clip's sound is the voice of the face that it shows, and how far sound and picture are apart.

Film music, dubbing and silence are common, so names and labels are not believed. A linear model of lip opening from the
sound, learned from the other people, is compared with the tracked lips at all shifts: only lips that move with this
sound fit it at one shift near zero and nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import Tensor

from talkedit_sdk.face.smooth import gaussian_mean
from talkedit_sdk.speech.features import ENERGY, MELS, VOICING
from talkedit_sdk.speech.types import RATE

_BANDS: Final = 16
_CONTEXT: Final = tuple(range(-8, 9, 2))  # rows
_ROUNDS: Final = 4
_RIDGE: Final = 300.0
_FEWEST: Final = 3  # other people from whom lips can be learned; with fewer, loudness opens them
_PACE: Final = (0.02, 0.5)  # seconds: what lips do in speech is slower than the first and quicker than the second
_NEAR: Final = 12  # rows of shift that are looked at
_FARTHEST: Final = 8  # at which sound and picture are believed to belong together
_DOUBT: Final = 0.12  # of correlation, at the farthest shift: sound and picture are mostly recorded together
_ENOUGH: Final = (0.28, 0.95)  # correlation, and share of arbitrary shifts that fit worse
_LONG: Final = 4.0  # seconds: shorter stretches have to fit better
_TOGETHER: Final = 1  # row, by closures of lips in clips whose words are known, later than the middle of all clips
_SHORTEST: Final = 45  # rows


@dataclass(frozen=True)
class Heard:
    """A stretch of video: features of its sound (T, FEATURES) and lip gap (T,), row for row as the file has them."""

    person: str
    features: Tensor
    gap: Tensor


@dataclass(frozen=True)
class Match:
    """How well lips fit the sound: correlation at the best shift near zero, the rows by which the picture comes later,
    the share of arbitrary shifts that fit worse, and whether it is the face's own voice."""

    correlation: float
    late: int
    rank: float
    own: bool


def own_voices(clips: Sequence[Heard]) -> list[Match]:
    """Judges every stretch by what the others teach. Which those are, and how far sound and picture are apart in them,
    is found in a few rounds, the first of which goes by loudness; near the middle of the clips that fit they are taken
    to be together."""
    lips = [_paced(clip.gap[:, None].clamp_min(0))[:, 0] for clip in clips]
    matches = _centred([_match(clip.features[:, ENERGY], lip) for clip, lip in zip(clips, lips, strict=True)])
    for _ in range(_ROUNDS):
        lessons: dict[str, Tensor] = {}
        for clip, lip, match in zip(clips, lips, matches, strict=True):
            if match.own:
                lessons[clip.person] = lessons.get(clip.person, 0) + _lesson(clip.features, lip, match.late)
        found = []
        for clip, lip in zip(clips, lips, strict=True):
            others = [lesson for person, lesson in lessons.items() if person != clip.person]
            expected = clip.features[:, ENERGY]
            if len(others) >= _FEWEST:
                total = torch.stack(others).sum(0)
                ridge = _RIDGE * torch.eye(len(total))
                expected = _inputs(clip.features) @ torch.linalg.solve(total[:, :-1] + ridge, total[:, -1])
            found.append(_match(expected, lip))
        matches = _centred(found)
    return matches


def _centred(matches: list[Match]) -> list[Match]:
    late = sorted(match.late for match in matches if match.own)
    middle = late[len(late) // 2] + _TOGETHER if late else 0
    return [replace(m, late=m.late - middle, own=m.own and abs(m.late - middle) <= _FARTHEST) for m in matches]


def _inputs(features: Tensor) -> Tensor:
    """(T, FEATURES) -> (T, 162) coarse spectrum, loudness and voicing now, before and after."""
    bands = features[:, :MELS].reshape(len(features), _BANDS, -1).mean(2)
    columns = torch.cat([bands, features[:, [ENERGY, VOICING]]], 1)
    rows = torch.arange(len(features))
    around = torch.cat([columns[(rows + shift).clamp(0, len(rows) - 1)] for shift in _CONTEXT], 1)
    return around - around.mean(0)


def _lesson(features: Tensor, lips: Tensor, late: int) -> Tensor:
    """(162, 163) what a clip adds to the normal equations, its picture moved to where the sound is."""
    inputs = _inputs(features)
    return inputs.T @ torch.cat([inputs, _shifted(lips, late)[:, None]], 1)


def _match(expected: Tensor, lips: Tensor) -> Match:
    count = len(lips)
    if count < _SHORTEST or float(lips.std()) < 1e-4:
        return Match(0.0, 0, 0.0, False)
    expected = _paced(expected[:, None])[:, 0]
    spectra = [torch.fft.rfft(values - values.mean()) for values in (expected, lips)]
    scale = (expected - expected.mean()).norm() * (lips - lips.mean()).norm() + 1e-9
    curve = torch.fft.irfft(spectra[0].conj() * spectra[1], count) / scale
    shifts = torch.arange(-_NEAR, _NEAR + 1)
    near = curve[shifts % count]
    late = int(shifts[(near - _DOUBT * (shifts / _FARTHEST) ** 2).argmax()])
    best = float(near[late + _NEAR])
    # As many shifts are tried far away as near, or the best of many would look like a discovery.
    rivals = curve.roll(_NEAR).unfold(0, 2 * _NEAR + 1, 1).amax(1)[2 * _NEAR + 1 :]
    rank = float((rivals < best).float().mean()) if len(rivals) else 0.0
    asked = _ENOUGH[0] * max(1.0, (_LONG / (count / RATE)) ** 0.5) ** 0.5
    return Match(best, late, rank, best >= asked and rank >= _ENOUGH[1])


def _paced(values: Tensor) -> Tensor:
    """(T, C) -> what changes at the pace of syllables, of spread 1."""
    times, one = torch.arange(len(values)) / RATE, torch.zeros(len(values), dtype=torch.int64)
    quick, slow = (gaussian_mean(values, times, one, seconds) for seconds in _PACE)
    return (quick - slow) / ((quick - slow).std(0, keepdim=True) + 1e-6)


def _shifted(values: Tensor, rows: int) -> Tensor:
    """(T,) -> what comes `rows` later, the ends held."""
    return values[(torch.arange(len(values)) + rows).clamp(0, len(values) - 1)]
