"""What a user asks for: an emotion or a mixture of emotions, and how strong it is over time."""

from __future__ import annotations

import difflib
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Final, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from talkedit_sdk.errors import OptionError

EmotionName: TypeAlias = Literal["neutral", "happy", "sad", "angry", "surprised", "fearful", "disgusted", "contempt"]
EMOTIONS: Final[tuple[str, ...]] = get_args(EmotionName)

MAX_INTENSITY: Final = 1.5

DETAIL: Final = 0.85
"""How much of the folds and shading of the skin is drawn unless somebody says otherwise."""
_MAX_SHARE: Final = 1e6

_SYNONYMS: Final[dict[str, str]] = {
    "calm": "neutral", "none": "neutral", "relaxed": "neutral", "expressionless": "neutral",
    "happiness": "happy", "joy": "happy", "joyful": "happy", "smile": "happy", "smiling": "happy", "glad": "happy",
    "sadness": "sad", "unhappy": "sad", "sorrow": "sad", "sorrowful": "sad",
    "anger": "angry", "mad": "angry", "furious": "angry", "rage": "angry",
    "surprise": "surprised", "astonished": "surprised", "amazed": "surprised",
    "fear": "fearful", "afraid": "fearful", "scared": "fearful", "frightened": "fearful",
    "disgust": "disgusted", "revolted": "disgusted",
    "contemptuous": "contempt", "scorn": "contempt", "disdain": "contempt",
}  # fmt: skip

EmotionLike: TypeAlias = "str | Mapping[str, float] | Emotion"
EmotionCurveLike: TypeAlias = "EmotionLike | Sequence[tuple[float, EmotionLike]] | EmotionCurve"
IntensityLike: TypeAlias = "float | Sequence[tuple[float, float]] | Intensity"


@dataclass(frozen=True)
class Emotion:
    """A point in the space of the eight emotions: shares that sum to 1, order `EMOTIONS`."""

    shares: tuple[float, ...]

    @classmethod
    def parse(cls, emotion: EmotionLike) -> Emotion:
        """Reads a name (`"happy"`, a synonym such as `"joy"`, or `"happy:0.7,surprised:0.3"`) or a mapping of names to
        shares, which are scaled to sum to 1.

        Raises:
            OptionError: a name is unknown (the nearest is suggested), or shares are negative, not finite or all zero.
        """
        if isinstance(emotion, Emotion):
            return emotion
        if isinstance(emotion, str):
            emotion = _split(emotion)
        if not isinstance(emotion, Mapping):
            raise OptionError("An emotion is a name such as 'happy' or a mixture such as {'happy': 0.7, 'sad': 0.3}.")
        shares = dict.fromkeys(EMOTIONS, 0.0)
        for name, share in emotion.items():
            if not isinstance(share, Real) or not 0 <= share <= _MAX_SHARE:
                raise OptionError(f"The share of '{name}' is {share!r}; give a number such as 0.7, or 0 for none.")
            shares[_canonical(name)] += float(share)
        total = sum(shares.values())
        if total <= 0:
            raise OptionError("The mixture is empty; give at least one emotion a share above 0.")
        return cls(tuple(share / total for share in shares.values()))

    @property
    def label(self) -> str:
        """`happy`, or `happy 70 % + surprised 30 %`."""
        parts = [(name, share) for name, share in zip(EMOTIONS, self.shares, strict=True) if share > 0]
        if len(parts) == 1:
            return parts[0][0]
        return " + ".join(f"{name} {share:.0%}".replace("%", " %") for name, share in parts)


@dataclass(frozen=True)
class EmotionCurve:
    """Emotion over time: points (seconds, emotion), blended from one to the next, constant before and after."""

    points: tuple[tuple[float, Emotion], ...]

    @classmethod
    def parse(cls, emotion: EmotionCurveLike) -> EmotionCurve:
        """Reads what `Emotion.parse` reads, for the whole clip, or a list such as `[(0, "sad"), (4, "happy")]`.

        Raises:
            OptionError: as `Emotion.parse`; or times are not finite, not ascending, or there are none.
        """
        if isinstance(emotion, EmotionCurve):
            return emotion
        if isinstance(emotion, (str, Mapping, Emotion)) or not isinstance(emotion, Iterable):
            return cls(((0.0, Emotion.parse(emotion)),))
        try:
            pairs = [(float(time), shown) for time, shown in emotion]
        except (TypeError, ValueError, OverflowError):
            raise OptionError(
                "An emotion over time is a list of (seconds, emotion) such as [(0, 'sad'), (4, 'happy')]."
            ) from None
        points = tuple((time, Emotion.parse(shown)) for time, shown in pairs)
        if not points:
            raise OptionError("The list of emotions is empty; give at least one (seconds, emotion).")
        if not all(math.isfinite(time) for time, _ in points):
            raise OptionError("A time in the list of emotions is not finite; give seconds.")
        if any(later[0] < earlier[0] for earlier, later in itertools.pairwise(points)):
            raise OptionError("The times of the emotions go backwards; sort them by time.")
        return cls(points)

    @property
    def label(self) -> str:
        """`sad`, or `sad, then happy`."""
        return ", then ".join(label for label, _ in itertools.groupby(emotion.label for _, emotion in self.points))

    def at(self, times: NDArray[np.float64]) -> NDArray[np.float32]:
        """(T,) seconds -> (T, 8) shares that sum to 1. Of two points at one time the later holds from there on."""
        seconds = _stepped(np.array([time for time, _ in self.points]))
        columns = np.array([emotion.shares for _, emotion in self.points]).T
        return np.stack([np.interp(times, seconds, column) for column in columns], 1).astype(np.float32)


@dataclass(frozen=True)
class Intensity:
    """Strength over time: points (seconds, value), straight lines between them, constant before and after."""

    points: tuple[tuple[float, float], ...]

    @classmethod
    def parse(cls, intensity: IntensityLike) -> Intensity:
        """Reads a number from 0 to 1.5 or a list of (seconds, value).

        Raises:
            OptionError: out of range, not finite, times not ascending, or no points.
        """
        if isinstance(intensity, Intensity):
            return intensity
        try:
            curve = intensity if isinstance(intensity, Iterable) else [(0.0, float(intensity))]
            points = tuple((float(time), float(value)) for time, value in curve)
        except (TypeError, ValueError, OverflowError):
            raise OptionError(
                "An intensity is a number from 0 to 1.5 or a list of (seconds, value) such as [(0, 0), (2, 1)]."
            ) from None
        if not points:
            raise OptionError("The intensity curve has no points; give at least one (seconds, value).")
        for time, value in points:
            if not (math.isfinite(time) and 0 <= value <= MAX_INTENSITY):
                raise OptionError(
                    f"Intensity {value:g} at {time:g} s is outside 0 to {MAX_INTENSITY:g}; choose one inside."
                )
        if any(later[0] < earlier[0] for earlier, later in itertools.pairwise(points)):
            raise OptionError("The times of the intensity curve go backwards; sort its points by time.")
        return cls(points)

    def at(self, times: NDArray[np.float64]) -> NDArray[np.float32]:
        """(T,) seconds -> (T,) values. Of two points at one time the later holds from there on (a step)."""
        seconds, values = (np.array(column) for column in zip(*self.points, strict=True))
        return np.interp(times, _stepped(seconds), values).astype(np.float32)

    @property
    def zero(self) -> bool:
        """True when nothing is asked for at any time."""
        return all(value == 0 for _, value in self.points)


def check_mouth_weight(weight: float) -> float:
    """The weight as float.

    Raises:
        OptionError: not a number from 0 to 1.
    """
    if not isinstance(weight, Real) or not 0 <= weight <= 1:
        raise OptionError(f"mouth_weight is {weight!r}; give a number from 0 (free mouth) to 1 (the source's lips).")
    return float(weight)


def check_detail(detail: float) -> float:
    """The detail as float.

    Raises:
        OptionError: not a number from 0 to 1.
    """
    if not isinstance(detail, Real) or not 0 <= detail <= 1:
        raise OptionError(f"detail is {detail!r}; give a number from 0 (skin as it is) to 1 (all folds and shading).")
    return float(detail)


def _stepped(seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same times, the first of two equal ones a trifle earlier, so that values there step instead of blending."""
    apart = seconds.copy()
    for place in np.flatnonzero(np.diff(apart) == 0):
        apart[place] = np.nextafter(apart[place], -np.inf)
    return apart


def _split(text: str) -> dict[str, float]:
    shares: dict[str, float] = {}
    for part in text.split(","):
        name, _, share = part.partition(":")
        try:
            shares[name.strip()] = shares.get(name.strip(), 0.0) + (float(share) if share else 1.0)
        except ValueError:
            raise OptionError(
                f"'{part.strip()}' is no share of an emotion; write for example happy:0.7,sad:0.3."
            ) from None
    return shares


def _canonical(name: str) -> str:
    key = str(name).strip().lower()
    if key in EMOTIONS:
        return key
    if key in _SYNONYMS:
        return _SYNONYMS[key]
    near = difflib.get_close_matches(key, [*EMOTIONS, *_SYNONYMS], n=1, cutoff=0.6)
    hint = f"did you mean '{near[0]}'?" if near else f"choose one of {', '.join(EMOTIONS)}."
    raise OptionError(f"There is no emotion '{name}'; {hint}")
