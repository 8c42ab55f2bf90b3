"""What the eyes do while somebody speaks: blinks as people blink, openness, and where they look."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Final

import numpy as np
from numpy.typing import NDArray

from talkedit_sdk.errors import OptionError
from talkedit_sdk.speech.easing import eased

MAX_RATE: Final = 60.0
MAX_OPENNESS: Final = 1.3
MAX_GAZE: Final = 20.0
_CLOSING, _SHUT, _OPENING = 0.08, 0.05, 0.17  # seconds of a blink
_PRESSED: Final = 1.07  # of the gap that lids go
_REFRACTORY: Final = 1.1  # seconds between two blinks at least
_FIRST: Final = 0.7  # seconds before the first
_PHRASE_END: Final = 0.7  # seconds around the end of a phrase from which a blink is drawn to it
_FIXATION: Final = (0.25, 1.1)  # seconds between small saccades: at least, and on average beyond that
_WANDER: Final = (1.3, 0.6)  # degrees of small saccades, sideways and up and down
_EYEBALL: Final = 2.05  # radii of the iris from the centre of the eyeball
_MOST: Final = np.array([0.7, 0.15])  # radii that an iris can go in one picture: what lids hide is not known
_JUMP: Final = 0.03  # seconds that one takes


@dataclass(frozen=True)
class EyeControl:
    """What the eyes do.

    Members:
        openness: 1 as in the source, 0 shut, up to 1.3 wide.
        blink_rate: blinks per minute of a photo, 0 to 60; a video keeps its own.
        gaze: degrees to the right and up in the picture, up to 20 either way, by which the eyes look elsewhere.
        blinks: when to blink, in seconds, instead of `blink_rate`; in a video on top of its own blinks.

    Raises:
        OptionError: out of range.
    """

    openness: float = 1.0
    blink_rate: float = 15.0
    gaze: tuple[float, float] = (0.0, 0.0)
    blinks: Sequence[float] | None = None

    def __post_init__(self) -> None:
        _check("openness", self.openness, 0, MAX_OPENNESS)
        _check("blink_rate", self.blink_rate, 0, MAX_RATE)
        if not isinstance(self.gaze, (Sequence, np.ndarray)) or len(self.gaze) != 2:
            raise OptionError(f"gaze is {self.gaze!r}; give degrees to the right and up, such as (5, 0).")
        for angle in self.gaze:
            _check("gaze", angle, -MAX_GAZE, MAX_GAZE)
        if self.blinks is not None and not isinstance(self.blinks, (Sequence, np.ndarray)):
            raise OptionError(f"blinks is {self.blinks!r}; give seconds, such as [0.5, 3.2].")
        for time in () if self.blinks is None else self.blinks:
            _check("a time of blinks", time, 0, math.inf)

    def onsets(self, duration: float, phrase_ends: Sequence[float], still: bool, seed: int) -> NDArray[np.float64]:
        """When lids begin to close, seconds; `still` says that the source is a photo, which has no blinks of its own.

        Intervals are exponential after a pause in which nobody blinks again, and blinks near the end of a phrase fall
        on it (Nakano and Kitazawa, *Eyeblink entrainment at breakpoints of speech*, Exp. Brain Research 2010).
        """
        if self.blinks is not None:
            return np.sort(np.asarray(self.blinks, np.float64))
        if not still or self.blink_rate == 0:
            return np.zeros(0)
        chance = np.random.default_rng((seed, 1))
        found: list[float] = []
        mean = max(60 / self.blink_rate - _REFRACTORY, 0.1)
        time = _FIRST + chance.exponential(mean / 2)
        while time < duration:
            near = [end for end in phrase_ends if abs(end - time) < _PHRASE_END]
            onset = min(near, key=lambda end: abs(end - time)) if near else time
            if not found or onset - found[-1] >= _REFRACTORY:
                found.append(onset)
            time = max(time, onset) + _REFRACTORY + chance.exponential(mean)
        return np.array(found)

    def lids(self, times: NDArray[np.float64], onsets: NDArray[np.float64]) -> NDArray[np.float32]:
        """(T,) how far the lids are apart, relative to the source: `openness` between blinks, in the midst of one a
        little less than 0, so that they touch for sure."""
        shut = np.zeros(len(times))
        for onset in onsets:
            since = times - onset
            closing, opening = eased(since / _CLOSING), eased((since - _CLOSING - _SHUT) / _OPENING)
            shut = np.maximum(shut, closing - opening)
        return (self.openness * (1 - _PRESSED * shut)).astype(np.float32)

    def gazes(self, times: NDArray[np.float64], still: bool, seed: int) -> NDArray[np.float32]:
        """(T, 2) degrees to the right and up: `gaze`, and in a photo the small saccades of eyes at rest."""
        gaze = np.tile(np.array(self.gaze, np.float64), (len(times), 1))
        if still and len(times):
            chance, time, place = np.random.default_rng((seed, 2)), _FIRST / 2, np.zeros(2)
            while time < times[-1]:
                target = np.clip(chance.normal(0, 0.5, 2), -1, 1) * _WANDER
                gaze += eased((times[:, None] - time) / _JUMP) * (target - place)
                place = target
                time += _FIXATION[0] + chance.exponential(_FIXATION[1])
        return gaze.astype(np.float32)


def iris_shift(gaze: NDArray[np.float32]) -> NDArray[np.float32]:
    """(T, 2) degrees to the right and up -> (T, 2) by how many of its radii an iris moves right and down."""
    shift = _EYEBALL * np.sin(np.radians(gaze)) * (1, -1)
    return np.asarray(np.clip(shift, -_MOST, _MOST), np.float32)


def _check(name: str, value: object, low: float, high: float) -> None:
    if not isinstance(value, Real) or not low <= float(value) <= high:
        wanted = f"from {low:g} to {high:g}" if math.isfinite(high) else "of 0 or more"
        raise OptionError(f"{name} is {value!r}; give a number {wanted}.")
