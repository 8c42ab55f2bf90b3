"""From timed phonemes to the 52 coefficients: what lips, jaw, lids and brows do while a sentence is spoken.

Every phoneme pulls the mouth towards its shape with a dominance that is highest while it sounds and fades before and
after, so that neighbours blend (Cohen & Massaro, *Modeling coarticulation in synthetic visual speech*, 1993). Sounds
that leave the lips free (t, k, n, ...) pull weakly, closures (b, p, m) so strongly that nothing else counts while they
last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from talkedit_sdk.face.topology import BLENDSHAPES, INDEX


@dataclass(frozen=True)
class Phoneme:
    """A sound in eSpeak's notation, `begin` and `end` in seconds."""

    name: str
    begin: float
    end: float


@dataclass(frozen=True)
class Shape:
    """A shape of the mouth: coefficients (both sides at once where there are two), how firmly they are held while the
    sound lasts, and how quickly lips come and go, relative to a vowel."""

    strength: float
    targets: dict[str, float]
    speed: float = 1.0


SHAPES: Final[dict[str, Shape]] = {
    "rest": Shape(2.0, {"jawOpen": 0.0, "mouthClose": 0.12, "mouthPress": 0.12}),
    "closed": Shape(25.0, {
        "jawOpen": 0.03, "mouthClose": 0.22, "mouthPress": 0.40, "mouthRollUpper": 0.22, "mouthRollLower": 0.20,
        "mouthLowerDown": 0.0, "mouthUpperUp": 0.0, "mouthStretch": 0.0,
    }, speed=2.2),
    "teeth on lip": Shape(15.0, {
        "jawOpen": 0.04, "mouthRollLower": 0.55, "mouthUpperUp": 0.28, "mouthShrugLower": 0.25, "mouthLowerDown": 0.0,
    }, speed=1.5),
    "wide open": Shape(5.0, {"jawOpen": 0.52, "mouthLowerDown": 0.22, "mouthUpperUp": 0.12}),
    "open": Shape(4.5, {"jawOpen": 0.38, "mouthLowerDown": 0.20, "mouthUpperUp": 0.10, "mouthStretch": 0.12}),
    "half open": Shape(3.0, {"jawOpen": 0.26, "mouthLowerDown": 0.15, "mouthStretch": 0.10}),
    "spread": Shape(4.5, {
        "jawOpen": 0.12, "mouthStretch": 0.32, "mouthSmile": 0.22, "mouthLowerDown": 0.20, "mouthUpperUp": 0.15,
    }),
    "rounded": Shape(6.0, {"jawOpen": 0.10, "mouthPucker": 0.95, "mouthFunnel": 0.30, "mouthStretch": 0.0}),
    "rounded open": Shape(5.5, {"jawOpen": 0.30, "mouthPucker": 0.65, "mouthFunnel": 0.45, "mouthStretch": 0.0}),
    "pushed out": Shape(5.0, {"jawOpen": 0.08, "mouthFunnel": 0.60, "mouthPucker": 0.45, "mouthShrugUpper": 0.15}),
    "teeth together": Shape(8.0, {"jawOpen": 0.05, "mouthLowerDown": 0.28, "mouthStretch": 0.20, "mouthUpperUp": 0.12}),
    "tongue up": Shape(1.5, {"jawOpen": 0.15, "mouthLowerDown": 0.12}),
    "tongue back": Shape(1.0, {"jawOpen": 0.20}),
}  # fmt: skip

VISEMES: Final[dict[str, tuple[str, ...]]] = {
    "_": ("rest",),
    "b": ("closed",), "p": ("closed",), "m": ("closed",),
    "f": ("teeth on lip",), "v": ("teeth on lip",),
    "a": ("wide open",), "aa": ("wide open",), "A": ("wide open",), "0": ("wide open",),
    "aU": ("wide open", "rounded"), "aI": ("wide open", "spread"),
    "E": ("open",), "V": ("open",), "eI": ("open", "spread"), "e@": ("open", "pushed out"),
    "3": ("half open", "pushed out"), "3:": ("half open", "pushed out"),
    "@": ("half open",), "a#": ("half open",), "@L": ("half open", "tongue up"), "h": ("half open",),
    "i": ("spread",), "i:": ("spread",), "I": ("spread",), "I#": ("spread",), "j": ("spread",),
    "i@": ("spread", "half open"),
    "u": ("rounded",), "u:": ("rounded",), "U": ("rounded",), "w": ("rounded",),
    "O": ("rounded open",), "O:": ("rounded open",), "OI": ("rounded open", "spread"),
    "oU": ("rounded open", "rounded"), "o@": ("rounded open", "pushed out"),
    "tS": ("pushed out",), "dZ": ("pushed out",), "S": ("pushed out",), "Z": ("pushed out",), "r": ("pushed out",),
    "s": ("teeth together",), "z": ("teeth together",), "T": ("teeth together",), "D": ("teeth together",),
    "t": ("tongue up",), "d": ("tongue up",), "n": ("tongue up",), "l": ("tongue up",), "t#": ("tongue up",),
    "k": ("tongue back",), "g": ("tongue back",), "N": ("tongue back",),
}  # fmt: skip
"""The shapes that make up each sound of eSpeak's American English, in order."""

BILABIAL: Final = frozenset("bpm")

_CONTROLS: Final = tuple(sorted({name for shape in SHAPES.values() for name in shape.targets}))
_FREE: Final = 0.06  # strength, relative to the shape's own, with which a sound pulls what it does not name to 0
_LEAD: Final = 0.052  # seconds before a sound at which its pull is 1/e; lips move before they are heard
_FADE: Final = 0.044
_BURST: Final = {"p": (-0.050, 0.012), "b": (-0.035, 0.028)}
"""Where lips are closed, seconds from the time that eSpeak gives for a stop, which is that of its burst."""

_SMOOTH: Final = 0.016
_STEP: Final = 0.005

_BLINK_CLOSE, _BLINK_HOLD, _BLINK_OPEN = 0.10, 0.03, 0.20  # seconds; lids fall faster than they rise
_BLINK: Final = {"eyeBlink": 1.0, "eyeLookDown": 0.45, "eyeSquint": 0.25}
_ACCENT: Final = {"browInnerUp": 0.18, "browOuterUp": 0.28}
_ACCENT_HALF: Final = 0.32  # seconds from nothing to the peak of a raised brow
_VOWELS: Final = frozenset("aAEVI30eoOuUi@")


def mouth_curves(phonemes: Sequence[Phoneme], times: NDArray[np.float64]) -> NDArray[np.float32]:
    """(T, 52) coefficients of jaw and lips at `times` (T,) seconds; everything else is 0.

    Raises:
        ValueError: a phoneme is not in `VISEMES`.
    """
    fine = np.arange(times[0] - 0.1, times[-1] + 0.1, _STEP)
    first, last = phonemes[0].begin, phonemes[-1].end
    silences = Phoneme("_", min(float(fine[0]), first), first), Phoneme("_", last, max(float(fine[-1]), last))
    parts = [part for phoneme in (silences[0], *phonemes, silences[1]) for part in _parts(phoneme)]
    begin, end = (np.array([getattr(part, name) for part, _ in parts])[:, None] for name in ("begin", "end"))
    early, late = np.clip(begin - fine, 0, None) / _LEAD, np.clip(fine - end, 0, None) / _FADE
    speed = np.array([shape.speed for _, shape in parts])[:, None]
    dominance = np.exp(-((speed * early) ** 2) - (speed * late) ** 2)
    targets = np.array([[shape.targets.get(name, 0.0) for name in _CONTROLS] for _, shape in parts])
    strength = np.array(
        [[shape.strength * (1.0 if name in shape.targets else _FREE) for name in _CONTROLS] for _, shape in parts]
    )
    pull = strength[:, None] * dominance[..., None]
    curves = (pull * targets[:, None]).sum(0) / pull.sum(0)
    kernel = np.exp(-0.5 * (np.arange(-12, 13) * _STEP / _SMOOTH) ** 2)
    result = np.zeros((len(times), len(BLENDSHAPES)), np.float32)
    for name, curve in zip(_CONTROLS, curves.T, strict=True):
        padded = np.pad(curve, len(kernel) // 2, mode="edge")
        _set(result, name, np.interp(times, fine, np.convolve(padded, kernel / kernel.sum(), "valid")))
    return result


def blinks(moments: Sequence[float], times: NDArray[np.float64]) -> NDArray[np.float32]:
    """(T, 52) coefficients of the eyes for blinks that begin at the given seconds."""
    result = np.zeros((len(times), len(BLENDSHAPES)), np.float32)
    knots = np.cumsum([0.0, _BLINK_CLOSE, _BLINK_HOLD, _BLINK_OPEN])
    shut = np.zeros(len(times))
    for moment in moments:
        shut = np.maximum(shut, _eased(np.interp(times - moment, knots, (0.0, 1.0, 1.0, 0.0))))
    for name, value in _BLINK.items():
        _set(result, name, value * shut)
    return result


def accents(phonemes: Sequence[Phoneme], count: int, apart: float = 0.7) -> tuple[float, ...]:
    """Middles of the `count` longest vowels, at least `apart` seconds from each other, in order."""
    vowels = [phoneme for phoneme in phonemes if phoneme.name[0] in _VOWELS]
    chosen: list[float] = []
    for vowel in sorted(vowels, key=lambda vowel: vowel.begin - vowel.end):
        middle = (vowel.begin + vowel.end) / 2
        if len(chosen) < count and all(abs(middle - other) >= apart for other in chosen):
            chosen.append(middle)
    return tuple(sorted(chosen))


def brow_curves(moments: Sequence[float], times: NDArray[np.float64]) -> NDArray[np.float32]:
    """(T, 52) coefficients of brows that rise a little towards each of the given seconds and sink again."""
    result = np.zeros((len(times), len(BLENDSHAPES)), np.float32)
    raised = np.zeros(len(times))
    for moment in moments:
        raised = np.maximum(raised, _eased(1 - np.abs(times - moment) / _ACCENT_HALF))
    for name, value in _ACCENT.items():
        _set(result, name, value * raised)
    return result


def _parts(phoneme: Phoneme) -> list[tuple[Phoneme, Shape]]:
    """A sound as stretches of one shape each; a diphthong glides from the first to the second."""
    name = "_" if phoneme.name.startswith("_") else phoneme.name
    if name not in VISEMES:
        raise ValueError(f"There is no mouth shape for the phoneme '{phoneme.name}'; add it to VISEMES.")
    shapes = [SHAPES[shape] for shape in VISEMES[name]]
    begin, end = phoneme.begin, phoneme.end
    if name in _BURST:
        begin, end = (phoneme.begin + shift for shift in _BURST[name])
    edges = np.linspace(begin, end, len(shapes) + 1)
    return [
        (Phoneme(name, float(begin), float(end)), shape)
        for begin, end, shape in zip(edges, edges[1:], shapes, strict=False)
    ]


def _set(curves: NDArray[np.float32], name: str, values: NDArray[np.float64]) -> None:
    for spelled in (name, name + "Left", name + "Right"):
        if spelled in INDEX:
            curves[:, INDEX[spelled]] = values


def _eased(t: NDArray[np.float64]) -> NDArray[np.float64]:
    t = np.clip(t, 0, 1)
    eased: NDArray[np.float64] = t * t * (3 - 2 * t)
    return eased
