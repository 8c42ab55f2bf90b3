"""From timed sounds to coefficients of lips and jaw, by dominance functions.

Every sound pulls each control of the mouth towards its target; the pull is full while it lasts and falls off
exponentially before and after, so that neighbours blend, and what a sound does not care for is left to them (Cohen &
Massaro, *Modeling coarticulation in synthetic visual speech*, 1993). Closures pull so hard that nothing else counts
while they last; rounding is anticipated longest. Amplitudes and speeds are those of the tracked lips of people who
talk: see `tests/training/test_coarticulation.py` for the ranges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from talkedit_sdk.face.smooth import gaussian_mean, smoothstep
from talkedit_sdk.face.topology import BLENDSHAPES, INDEX
from talkedit_sdk.speech.types import RATE, Phone
from talkedit_sdk.training.phones import BILABIALS, CLASSES, SILENCE, VOWELS, Span, spans

__all__ = ["BILABIALS", "SILENCE", "Manner", "accents", "lips", "random_manner", "sealed"]


@dataclass(frozen=True)
class Shape:
    """What a class of sounds does: coefficients relative to lips at rest, both sides at once; how firmly they are held
    relative to a vowel; how quickly lips come and go."""

    targets: dict[str, float]
    strength: float = 1.0
    speed: float = 1.0


@dataclass(frozen=True)
class Manner:
    """How somebody articulates: factors on jaw, lips (what they do beyond the jaw) and rounding, and on the time that
    lips take."""

    jaw: float = 1.0
    lips: float = 1.0
    rounding: float = 1.0
    lag: float = 1.0


_SHAPES: Final[dict[str, Shape]] = {
    "pause": Shape({"jawOpen": 0.0, "mouthLowerDown": 0.0, "mouthPress": 0.02}, 1.2),
    "bilabial": Shape({
        "jawOpen": 0.03, "mouthLowerDown": 0.0, "mouthUpperUp": 0.0, "mouthPress": 0.16, "mouthRollUpper": 0.07,
        "mouthRollLower": 0.08, "mouthClose": 0.09, "mouthStretch": 0.0,
    }, 12, 3.0),
    "loose bilabial": Shape({"jawOpen": 0.08, "mouthLowerDown": 0.02, "mouthPress": 0.04}, 4, 1.6),
    "labiodental": Shape({
        "jawOpen": 0.07, "mouthLowerDown": 0.0, "mouthRollLower": 0.30, "mouthUpperUp": 0.24, "mouthPress": 0.0,
        "mouthStretch": 0.04,
    }, 9, 2.6),
    "dental": Shape({"jawOpen": 0.15, "mouthLowerDown": 0.16}, 2, 1.3),
    "alveolar": Shape({"jawOpen": 0.13, "mouthLowerDown": 0.13}, 0.7),
    "lateral": Shape({"jawOpen": 0.17, "mouthLowerDown": 0.13}, 0.7),
    "sibilant": Shape({
        "jawOpen": 0.04, "mouthLowerDown": 0.20, "mouthStretch": 0.07, "mouthSmile": 0.10, "mouthUpperUp": 0.04,
    }, 3, 1.3),
    "postalveolar": Shape({
        "jawOpen": 0.08, "mouthFunnel": 0.28, "mouthPucker": 0.28, "mouthLowerDown": 0.12, "mouthUpperUp": 0.05,
    }, 3, 1.1),
    "palatal": Shape({"jawOpen": 0.12, "mouthLowerDown": 0.13, "mouthStretch": 0.04}, 0.9),
    "velar": Shape({"jawOpen": 0.17, "mouthLowerDown": 0.08}, 0.5),
    "glottal": Shape({"jawOpen": 0.20}, 0.15),
    "rhotic": Shape({"jawOpen": 0.13, "mouthFunnel": 0.05, "mouthPucker": 0.07}, 0.8),
    "glide": Shape({"jawOpen": 0.05, "mouthPucker": 0.62, "mouthFunnel": 0.14, "mouthLowerDown": 0.02}, 3, 1.2),
    "open": Shape({"jawOpen": 0.48, "mouthLowerDown": 0.20, "mouthUpperUp": 0.05}),
    "half open": Shape({"jawOpen": 0.37, "mouthLowerDown": 0.17, "mouthStretch": 0.06, "mouthUpperUp": 0.04}),
    "central": Shape({"jawOpen": 0.33, "mouthLowerDown": 0.13}),
    "mid": Shape({"jawOpen": 0.26, "mouthLowerDown": 0.17, "mouthStretch": 0.07, "mouthSmile": 0.11}),
    "close": Shape({
        "jawOpen": 0.13, "mouthLowerDown": 0.17, "mouthStretch": 0.11, "mouthSmile": 0.21, "mouthUpperUp": 0.05,
    }),
    "schwa": Shape({"jawOpen": 0.20, "mouthLowerDown": 0.10}, 0.5),
    "open rounded": Shape({"jawOpen": 0.37, "mouthLowerDown": 0.13, "mouthPucker": 0.15, "mouthFunnel": 0.10}),
    "mid rounded": Shape({"jawOpen": 0.25, "mouthPucker": 0.38, "mouthFunnel": 0.16, "mouthLowerDown": 0.07}, 1.3),
    "close rounded": Shape({"jawOpen": 0.13, "mouthPucker": 0.62, "mouthFunnel": 0.18, "mouthLowerDown": 0.03}, 1.5),
    "front rounded": Shape({"jawOpen": 0.12, "mouthPucker": 0.56, "mouthFunnel": 0.20, "mouthLowerDown": 0.04}, 1.5),
    "front mid rounded": Shape({"jawOpen": 0.22, "mouthPucker": 0.38, "mouthFunnel": 0.16, "mouthLowerDown": 0.08}),
    "rhotic vowel": Shape({"jawOpen": 0.20, "mouthFunnel": 0.11, "mouthPucker": 0.10, "mouthLowerDown": 0.08}),
}  # fmt: skip
_CONTROLS: Final = tuple(sorted({name for shape in _SHAPES.values() for name in shape.targets}))
_ROUND: Final = ("mouthPucker", "mouthFunnel")
_EARLY: Final = {"jawOpen": 0.080, "mouthPucker": 0.095, "mouthFunnel": 0.090}
_LATE: Final = {"jawOpen": 0.045, "mouthPucker": 0.050, "mouthFunnel": 0.050}
_SECONDS: Final = (0.062, 0.042)  # of the others: time before and after a sound at which its pull is 1/e
_PASSING: Final = 0.25  # share of a vowel in which the mouth is already on its way to what follows
_INDIFFERENT: Final = 0.08  # share of its strength with which a sound pulls what it does not name to rest
_HOLD: Final = 0.15  # seconds of a pause from which on the mouth goes to rest
_STRESSED: Final = (0.92, 1.05, 1.18)  # size of vowels by stress
_FINE: Final = 4  # steps to a row
_SMOOTH: Final = 0.021  # seconds
_SHORTEST: Final = 0.05  # seconds that lips touch at least
_EDGE: Final = 0.020
_MARGIN: Final = 0.010  # model units by which lips at rest that touch are pressed on in a closure
_ACCENT: Final = {"browInnerUp": 0.10, "browOuterUp": 0.14}
_ACCENT_SECONDS: Final = 0.13
_APART: Final = 0.7


def lips(phones: Sequence[Phone], count: int, opening: Tensor, manner: Manner | None = None) -> Tensor:
    """What the mouth does while something is said.

    Args:
        phones: in order, without holes, as `say` gives them.
        count: rows.
        opening: (52,) inner-lip gap per unit of each coefficient, model units.
        manner: how it is articulated; None for the middle.

    Returns:
        (count, 52) coefficients in [0, 1] at `RATE`, relative to a face whose lips touch at rest: 0 is that rest, and
        in closures the sum of what opens and what closes is below 0.
    """
    manner = manner or Manner()
    found = spans(phones)
    if not found:
        return torch.zeros(count, len(BLENDSHAPES))
    times = torch.arange(count * _FINE) / (RATE * _FINE)
    curves = _blended(found, times, manner)
    row = torch.zeros(len(times), dtype=torch.int64)
    curves = gaussian_mean(curves, times, row, _SMOOTH)[::_FINE]
    beta = torch.zeros(count, len(BLENDSHAPES))
    for name, curve in zip(_CONTROLS, curves.T, strict=True):
        for index in _sides(name):
            beta[:, index] = curve
    return sealed(beta, phones, opening)


def sealed(coefficients: Tensor, phones: Sequence[Phone], opening: Tensor) -> Tensor:
    """(T, 52) coefficients as in `lips` -> the same with lips that touch in every closure: what still opens them is
    closed by `mouthClose`."""
    times = torch.arange(len(coefficients) * _FINE) / (RATE * _FINE)
    touching = torch.zeros(len(times), 1)
    for span in spans(phones):
        if span.kind in BILABIALS:
            middle, half = (span.begin + span.end) / 2, max(span.end - span.begin, _SHORTEST) / 2
            touching[(times - middle).abs() <= half] = 1
    contact = gaussian_mean(touching, times, torch.zeros(len(times), dtype=torch.int64), _EDGE)[::_FINE, 0]
    excess = (coefficients @ opening + _MARGIN).clamp_min(0) * smoothstep(contact, 0.0, 0.75)
    closed = coefficients.clone()
    closed[:, INDEX["mouthClose"]] += excess / -opening[INDEX["mouthClose"]]
    return closed.clamp(0, 1)


def accents(phones: Sequence[Phone], count: int) -> Tensor:
    """(count, 52) brows that rise a little with the longest stressed vowels, at most one in 0.7 s."""
    chosen: list[float] = []
    for phone in sorted(phones, key=lambda phone: phone.begin - phone.end):
        middle = (phone.begin + phone.end) / 2
        if phone.stress == 2 and all(abs(middle - other) >= _APART for other in chosen):
            chosen.append(middle)
    times = torch.arange(count) / RATE
    raised = torch.zeros(count)
    for number, middle in enumerate(chosen):
        raised += torch.exp(-0.5 * ((times - middle) / _ACCENT_SECONDS) ** 2) / (1 + 0.3 * number)
    beta = torch.zeros(count, len(BLENDSHAPES))
    for name, value in _ACCENT.items():
        for index in _sides(name):
            beta[:, index] = value * raised.clamp_max(1)
    return beta


def random_manner(generator: torch.Generator) -> Manner:
    """People differ: most within a quarter of the middle."""
    jaw, lip, rounding, lag = torch.randn(4, generator=generator).clamp(-2, 2).tolist()
    return Manner(0.92 * 1.25**jaw, 1.3**lip, 1.3**rounding, 1.12**lag)


def _blended(found: Sequence[Span], times: Tensor, manner: Manner) -> Tensor:
    """(N, C) controls: means of the targets, weighted with dominance."""
    shapes = [_SHAPES[CLASSES[span.kind]] for span in found]
    targets = torch.tensor([[shape.targets.get(name, 0.0) for name in _CONTROLS] for shape in shapes])
    size = torch.tensor([_STRESSED[span.stress] if span.kind in VOWELS else 1.0 for span in found])
    targets = targets * size[:, None] * torch.tensor([_share(name, manner) for name in _CONTROLS])
    strength = torch.tensor(
        [[shape.strength * (1.0 if name in shape.targets else _INDIFFERENT) for name in _CONTROLS] for shape in shapes]
    )
    quick = torch.tensor([shape.speed for shape in shapes])
    begin, end = (torch.tensor([getattr(span, name) for span in found]) for name in ("begin", "end"))
    silent = torch.tensor([span.kind in SILENCE for span in found])
    strength = strength * torch.where(silent, ((end - begin) / _HOLD).clamp(0.1, 1), 1.0)[:, None]
    vowel = torch.tensor([float(span.kind in VOWELS) for span in found])
    end = end - _PASSING * vowel * (end - begin)
    before, after = ((begin[:, None] - times).clamp_min(0), (times - end[:, None]).clamp_min(0))
    total = torch.zeros(len(times), len(_CONTROLS))
    weights = torch.full_like(total, 1e-6)
    for column, name in enumerate(_CONTROLS):
        early, late = _EARLY.get(name, _SECONDS[0]) * manner.lag, _LATE.get(name, _SECONDS[1]) * manner.lag
        distance = quick[:, None] * (before / early + after / late)
        pull = strength[:, column, None] * torch.exp(-(distance**1.5))
        total[:, column] = (pull * targets[:, column, None]).sum(0)
        weights[:, column] += pull.sum(0)
    return total / weights


def _share(name: str, manner: Manner) -> float:
    if name == "jawOpen":
        return manner.jaw
    if name in _ROUND:
        return manner.rounding
    return 1.0 if name in _SHAPES["bilabial"].targets and name != "mouthLowerDown" else manner.lips


def _sides(name: str) -> list[int]:
    return [INDEX[spelled] for spelled in (name, name + "Left", name + "Right") if spelled in INDEX]
