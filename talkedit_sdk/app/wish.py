"""What a visitor asks for, in the terms of the SDK."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from talkedit_sdk.app import texts
from talkedit_sdk.emotion import DETAIL, EMOTIONS, Emotion, Intensity, check_detail, check_mouth_weight
from talkedit_sdk.errors import OptionError

FLAT: Final[tuple[tuple[float, float], ...]] = ((0.0, 1.0), (1.0, 1.0))
"""A curve that leaves the intensity as it is."""

SOFTNESS: Final = 0.25
"""Seconds over which an edit that covers a part of the clip comes and goes, inside that part."""

_MAX_HANDLES: Final = 64


@dataclass(frozen=True)
class Wish:
    """One edit.

    Members:
        emotion: a name or a mixture.
        intensity: 0 to 1.5.
        mouth_weight: 0 to 1.
        face: "largest", "all", or a number.
        begin, end: seconds; outside of them the clip stays as it is. `end` None means to the end.
        curve: (place, share) with places from 0 at `begin` to 1 at `end`, shares of the intensity from 0 to 1.
        badge: whether the picture says that it was edited.
        detail: 0 to 1.
    """

    emotion: Emotion
    intensity: float = 1.0
    mouth_weight: float = 0.5
    face: str = "largest"
    begin: float = 0.0
    end: float | None = None
    curve: tuple[tuple[float, float], ...] = FLAT
    badge: bool = True
    detail: float = DETAIL

    @classmethod
    def checked(
        cls,
        emotion: str | Mapping[str, float],
        intensity: float,
        mouth_weight: float,
        face: str,
        begin: float = 0.0,
        end: float | None = None,
        curve: Sequence[Sequence[float]] = FLAT,
        badge: bool = True,
        detail: float = DETAIL,
    ) -> Wish:
        """
        Raises:
            OptionError: a value is unknown or out of range.
        """
        (point,) = Intensity.parse(intensity).points
        begin, end = _number(begin), None if end is None else _number(end)
        if begin < 0 or (end is not None and end <= begin):
            raise OptionError(texts.EMPTY_RANGE)
        shown, weight = Emotion.parse(emotion), check_mouth_weight(mouth_weight)
        fine = check_detail(detail)
        return cls(shown, point[1], weight, str(face), begin, end, _curve(curve), bool(badge), fine)

    def strength(self, duration: float) -> Intensity:
        """The intensity over time of a clip that lasts `duration` seconds.

        Raises:
            OptionError: the range lies behind the end of the clip.
        """
        end = duration if self.end is None else min(self.end, duration)
        if duration <= 0:
            return Intensity.parse(self.intensity * self.curve[0][1])
        if self.begin >= end:
            raise OptionError(texts.EMPTY_RANGE)
        points = [(self.begin + place * (end - self.begin), share * self.intensity) for place, share in self.curve]
        soft = min(SOFTNESS, (end - self.begin) / 2)
        if self.begin > 0:
            points = _faded(points, self.begin, soft)
        if end < duration:
            points = [(-t, v) for t, v in reversed(_faded([(-t, v) for t, v in reversed(points)], -end, soft))]
        return Intensity.parse(points)


def mixture(emotion: str, mixing: bool, shares: Sequence[float]) -> str | dict[str, float]:
    """The emotion that the choices and the sliders of the mixture mean; the choice where all sliders are at 0."""
    wanted = dict(zip(EMOTIONS, shares, strict=True)) if mixing else {}
    return wanted if any(wanted.values()) else emotion


def _faded(points: list[tuple[float, float]], start: float, soft: float) -> list[tuple[float, float]]:
    """The points from `start` on, rising from 0 within `soft` seconds to the straight lines they describe."""
    reached = float(Intensity(tuple(points)).at(np.array([start + soft]))[0])
    rest = [(time, value) for time, value in points if time > start + soft]
    return [(start, 0.0), (start + soft, reached), *rest]


def _number(value: object) -> float:
    if isinstance(value, (int, float)) and abs(value) < 1e9:
        return float(value)
    raise OptionError(texts.EMPTY_RANGE)


def _curve(curve: Sequence[Sequence[float]]) -> tuple[tuple[float, float], ...]:
    try:
        points = tuple((float(place), float(share)) for place, share in curve)
    except (TypeError, ValueError):
        raise OptionError(texts.BAD_CURVE) from None
    inside = all(0 <= place <= 1 and 0 <= share <= 1 for place, share in points)
    if not 2 <= len(points) <= _MAX_HANDLES or not inside or sorted(points, key=lambda p: p[0]) != list(points):
        raise OptionError(texts.BAD_CURVE)
    return points
