"""How somebody speaks, as far as head, brows and lids go along with it: loudness, stressed syllables, phrases."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from talkedit_sdk.speech.types import RATE, Voice

_SYLLABLE: Final = 0.06  # seconds, of the loudness
_PHRASE: Final = 0.35  # seconds, of the activity
_RANGE: Final = (35.0, 8.0)  # dB below the loudest at which speech is over, and at which it is in full
_SILENCE: Final = 1e-4  # loudness, root mean square, of what counts as no speech at all
_APART: Final = 0.45  # seconds between two accents at least
_PROMINENT: Final = 0.15  # of an accent over what is around it
_AROUND: Final = 0.5  # seconds
_GAP: Final = 0.1  # seconds, of what ends a phrase
_FARTHEST: Final = 8.0  # widths beyond which nothing is left of a bump
_PAUSE: Final = 0.25  # of the loudness under which it is over


@dataclass(frozen=True)
class Prosody:
    """How a voice goes up and down.

    Members:
        activity: (T,) 0 in pauses, 1 in speech, smooth, at `RATE`.
        accents: (A,) ascending seconds of the stressed syllables; weights: (A,) how stressed each is, 0 to 1.
        phrase_ends: (P,) seconds.
    """

    activity: NDArray[np.float64]
    accents: NDArray[np.float64]
    weights: NDArray[np.float64]
    phrase_ends: NDArray[np.float64]

    @classmethod
    def of(cls, voice: Voice) -> Prosody:
        loudness = _loudness(voice)
        syllables = _smooth(loudness, _SYLLABLE)
        activity = np.clip(1.5 * _smooth(loudness, _PHRASE), 0, 1)
        prominence = syllables - _smooth(loudness, _AROUND)
        inner = range(1, len(syllables) - 1)
        peaks = [t for t in inner if syllables[t - 1] < syllables[t] >= syllables[t + 1] and prominence[t] > _PROMINENT]
        taken, reach = np.zeros(len(syllables), bool), math.ceil(_APART * RATE) - 1
        accents: list[int] = []
        for peak in sorted(peaks, key=lambda t: -prominence[t]):
            if not taken[peak]:
                accents.append(peak)
                taken[max(peak - reach, 0) : peak + reach + 1] = True
        accents.sort()
        weights = np.clip(prominence[accents] / (3 * _PROMINENT), 0, 1)
        speaks = _smooth(loudness, _GAP) > _PAUSE
        ends = np.flatnonzero(speaks[:-1] & ~speaks[1:])
        return cls(activity, np.array(accents) / RATE, weights, ends / RATE)

    def active(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """(T,) the activity at times."""
        return np.interp(times, np.arange(len(self.activity)) / RATE, self.activity)

    def nods(self, times: NDArray[np.float64], weights: NDArray[np.float64], width: float) -> NDArray[np.float64]:
        """(T,) at ascending times (T,): a bump of a width in seconds, as high as its weight (A,), at each accent."""
        total = np.zeros(len(times))
        begins, ends = (np.searchsorted(times, self.accents + side * _FARTHEST * width) for side in (-1, 1))
        for accent, weight, begin, end in zip(self.accents, weights, begins, ends, strict=True):
            total[begin:end] += weight * np.exp(-0.5 * ((times[begin:end] - accent) / width) ** 2)
        return total


def _loudness(voice: Voice) -> NDArray[np.float64]:
    """(T,) 0 to 1 at `RATE`."""
    step = voice.rate // RATE
    samples = np.pad(voice.samples, (0, -len(voice.samples) % step)).reshape(-1, step)
    power = np.square(samples, dtype=np.float64).mean(1)
    loudest = np.quantile(power, 0.98)
    if loudest < _SILENCE**2:
        return np.zeros(len(power))
    decibels = 10 * np.log10(power / loudest + 1e-9)
    low, high = (-bound for bound in _RANGE)
    return np.asarray(np.clip((decibels - low) / (high - low), 0, 1))


def _smooth(values: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Gaussian mean over seconds."""
    reach = int(3 * sigma * RATE)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / (sigma * RATE)) ** 2)
    padded = np.pad(values, reach, mode="edge")
    return np.convolve(padded, kernel / kernel.sum(), mode="valid")
