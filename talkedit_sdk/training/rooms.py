"""What happens to a voice on its way: rooms, noise, microphones and lines."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from talkedit_sdk.speech.types import SAMPLE_RATE

_Samples = NDArray[np.float32]
_CLEAN: Final = 0.3  # share of recordings to which nothing but a change of level happens
_LINES: Final = ((300.0, 3400.0), (80.0, 3800.0), (120.0, 5500.0), (50.0, 7000.0))  # Hz
_FRAME: Final = 1024


def recorded(samples: _Samples, random: np.random.Generator) -> _Samples:
    """(N,) a voice as it is -> (N,) as some microphone may have heard it, not delayed."""
    heard = samples.astype(np.float64)
    if random.random() > _CLEAN:
        heard = coloured(heard, random)
        if random.random() < 0.6:
            heard = reverberated(heard, random.uniform(0.1, 0.7), random.uniform(-20, -4), random)
        if random.random() < 0.3:
            heard = filtered(heard, *_LINES[random.integers(len(_LINES))])
        if random.random() < 0.7:
            heard = heard + noise(len(heard), random) * _loudness(heard) * 10 ** (-random.uniform(5, 40) / 20)
        if random.random() < 0.3:
            heard = thinned(heard, random.uniform(25, 45))
        if random.random() < 0.1:
            heard = np.tanh(heard / (2.5 * _loudness(heard) + 1e-9)) * 2.5 * _loudness(heard)
    peak = float(np.abs(heard).max()) + 1e-9
    return (heard / peak * 10 ** (-random.uniform(1, 28) / 20)).astype(np.float32)


def coloured(samples: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    """The same through a microphone: a smooth, random response within about 6 dB, and a tilt."""
    frequency = np.linspace(0, 1, len(samples) // 2 + 1)
    waves = sum(random.normal(0, 2.5) * np.cos(np.pi * k * frequency + random.uniform(0, 6)) for k in range(1, 6))
    response = 10 ** ((waves + random.normal(0, 5) * (frequency - 0.3)) / 20)
    return _irfft(np.fft.rfft(samples) * response, len(samples))


def tilted(samples: NDArray[np.float64], decibels: float) -> NDArray[np.float64]:
    """The same with high frequencies raised (a pressed voice) or lowered (a soft one), evenly over octaves above 500 Hz
    up to `decibels`."""
    frequency = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)
    octaves = np.log2(np.maximum(frequency, 500) / 500) / 4
    return _irfft(np.fft.rfft(samples) * 10 ** (decibels * octaves / 20), len(samples))


def filtered(samples: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """The same through a line that carries `low` to `high` Hz."""
    frequency = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)
    response = 1 / np.sqrt((1 + (low / (frequency + 1e-3)) ** 8) * (1 + (frequency / high) ** 12))
    return _irfft(np.fft.rfft(samples) * response, len(samples))


def reverberated(
    samples: NDArray[np.float64], seconds: float, decibels: float, random: np.random.Generator
) -> NDArray[np.float64]:
    """The same in a room whose tail falls by 60 dB in `seconds` and is `decibels` against the direct sound."""
    times = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    decay = np.where(times > random.uniform(0.002, 0.015), 10 ** (-3 * times / seconds), 0.0)
    tail: NDArray[np.float64] = random.normal(size=len(times)) * decay
    tail = tail * (10 ** (decibels / 20) / (float(np.linalg.norm(tail)) + 1e-9))
    tail[0] += 1.0
    size = len(samples) + len(tail)
    return _irfft(np.fft.rfft(samples, size) * np.fft.rfft(tail, size), size)[: len(samples)]


def noise(count: int, random: np.random.Generator) -> NDArray[np.float64]:
    """(count,) noise of loudness 1: between white and brown, with or without a hum."""
    frequency = np.fft.rfftfreq(count, 1 / SAMPLE_RATE)
    spectrum = random.normal(size=len(frequency)) + 1j * random.normal(size=len(frequency))
    found = _irfft(spectrum / np.maximum(frequency, 40) ** random.uniform(0, 1), count)
    found /= found.std() + 1e-12
    if random.random() < 0.25:
        times, mains = np.arange(count) / SAMPLE_RATE, random.choice([50.0, 60.0])
        found = found + sum(np.sin(2 * np.pi * mains * k * times + random.uniform(0, 6)) / k for k in (1, 2, 3, 5))
    loud: NDArray[np.float64] = found / (found.std() + 1e-12)
    return loud


def thinned(samples: NDArray[np.float64], decibels: float) -> NDArray[np.float64]:
    """The same as a codec of few bits leaves it: what is `decibels` under the loudest of its moment is gone."""
    window = np.sin(np.pi * (np.arange(_FRAME) + 0.5) / _FRAME)
    hop = _FRAME // 2
    padded = np.pad(samples, (hop, _FRAME + hop))
    starts = range(0, len(padded) - _FRAME + 1, hop)
    spectra = np.fft.rfft(np.stack([padded[start : start + _FRAME] * window for start in starts]))
    size = np.abs(spectra)
    spectra[size < size.max(1, keepdims=True) * 10 ** (-decibels / 20)] = 0
    result = np.zeros(len(padded))
    for start, piece in zip(starts, np.fft.irfft(spectra) * window, strict=True):
        result[start : start + _FRAME] += piece
    return result[hop : hop + len(samples)]


def _loudness(samples: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(samples**2)) + 1e-9)


def _irfft(spectrum: NDArray[np.complex128], count: int) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.fft.irfft(spectrum, count)
    return found
