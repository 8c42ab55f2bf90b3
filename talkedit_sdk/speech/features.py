"""What of a voice tells about lips and mood: log-mel spectrum, loudness and pitch, whatever the level and microphone.

Every row depends on a bounded stretch of sound around it, `AHEAD` rows into the future, so that a stream gives exactly
what the whole recording gives. Pitch by autocorrelation after Boersma, *Accurate short-term analysis of the fundamental
frequency* (1993).
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import max_pool1d, pad

from talkedit_sdk.speech.types import RATE, SAMPLE_RATE, Voice

MELS: Final = 64
FEATURES: Final = 2 * MELS + 3
"""Columns: log-mel bands, their slopes, then loudness, voicing and pitch (octaves from 150 Hz where voiced).

A step of 1 is 20 dB; 0 is loud speech, and nothing is lower than -2.5."""

ENERGY, VOICING, PITCH = range(2 * MELS, FEATURES)

_STEP: Final = SAMPLE_RATE // RATE
_WINDOW: Final = 400  # samples, 25 ms
_FFT: Final = 1024
_REACH: Final = 480  # samples to each side of a row that are looked at, 30 ms for pitch
_BAND: Final = (60.0, 7600.0)  # Hz
_SLOWER: Final = 4  # pitch is looked for at a quarter of the rate
_PITCH_FFT: Final = 512
_PITCHES: Final = (60.0, 420.0)  # Hz
_HIGHER: Final = 0.02  # by which a candidate is preferred for every octave, so that no subharmonic is chosen
_VOICED: Final = (0.40, 0.80)  # height of the peak of autocorrelation: noise, voice
_REFERENCE: Final = 150.0  # Hz

_SILENT: Final = -55.0  # dB of full scale under which nothing counts as speech
_OVER_NOISE: Final = 20.0  # dB
_RELEASE: Final = 1.0 / RATE  # dB a row by which the level of speech is forgotten
_MEMORY: Final = 6 * RATE
_SMOOTH, _ATTACK, _EVEN, _COLOUR, _SLOPE = 2, 12, 3, 4, 2  # rows looked ahead by each step of normalisation
_PRIOR: Final = 1.5 * RATE  # rows of speech as which the usual spectrum counts
_FLOOR: Final = -50.0  # dB under the level of speech
_DECIBELS: Final = 20.0

AHEAD: Final = _SMOOTH + _ATTACK + _EVEN + _COLOUR + _SLOPE
"""Rows after a moment that its features depend on; with the window of analysis less than half a second."""
_PAST: Final = 2 * _MEMORY + AHEAD


def features(voice: Voice) -> Tensor:
    """(T, FEATURES) features of a voice at `RATE`, T = `voice.rows`."""
    stream, block = FeatureStream(), 60 * SAMPLE_RATE
    parts = [stream.push(voice.samples[start : start + block]) for start in range(0, len(voice.samples), block)]
    return torch.cat([*parts, stream.finish()])


class FeatureStream:
    """Features of sound that arrives bit by bit: the rows are those of `features`, each as soon as it is certain."""

    def __init__(self) -> None:
        self._samples = np.zeros(_REACH, np.float32)
        self._rows = torch.zeros(0, MELS + 3)
        self._given = 0  # of `_rows`
        self._heard = 0  # samples
        self._measured = 0  # rows since the beginning

    def push(self, samples: NDArray[np.float32]) -> Tensor:
        """Takes the next samples, (N,) at 16 kHz -> (K, FEATURES), K >= 0 rows that follow those given before."""
        self._heard += len(samples)
        self._measure(samples)
        return self._give(len(self._rows) - AHEAD)

    def finish(self) -> Tensor:
        """(K, FEATURES) the rows that are left once no more sound comes."""
        total = -(-self._heard // _STEP)
        missing = (total - self._measured - 1) * _STEP + 2 * _REACH - len(self._samples)
        self._measure(np.zeros(max(missing, 0), np.float32))
        extra = self._measured - total
        self._rows = self._rows[: len(self._rows) - extra] if extra > 0 else self._rows
        return self._give(len(self._rows))

    def _measure(self, samples: NDArray[np.float32]) -> None:
        self._samples = np.concatenate([self._samples, np.asarray(samples, np.float32)])
        count = (len(self._samples) - 2 * _REACH) // _STEP + 1
        if count <= 0:
            return
        windows = torch.from_numpy(self._samples).unfold(0, 2 * _REACH, _STEP)
        self._rows = torch.cat([self._rows, _measured(windows)])
        self._samples = self._samples[count * _STEP :]
        self._measured += count

    def _give(self, end: int) -> Tensor:
        if end <= self._given:
            return torch.zeros(0, FEATURES)
        given = _normalised(self._rows)[self._given : end]
        spare = max(end - _PAST, 0)
        self._rows, self._given = self._rows[spare:], end - spare
        return given


def _measured(windows: Tensor) -> Tensor:
    """(T, 960) samples around each row -> (T, 67): mel bands and loudness in dB of full scale, voicing, pitch."""
    windows = windows - windows.mean(1, keepdim=True)
    middle = windows[:, _REACH - _WINDOW // 2 : _REACH + _WINDOW // 2]
    power = torch.fft.rfft(middle * _HANN, _FFT).abs().square() / (_FFT * _HANN.square().sum()) * 2
    bands, loudness = power @ _MEL, middle.square().mean(1, keepdim=True)
    return torch.cat([_decibels(torch.cat([bands, loudness], 1)), _pitch(windows)], 1)


def _pitch(windows: Tensor) -> Tensor:
    """(T, 960) -> (T, 2) voicing in [0, 1] and pitch in octaves, by the highest peak of the autocorrelation."""
    slow = windows.reshape(len(windows), -1, _SLOWER).mean(2) * _PITCH_HANN
    spectrum = torch.fft.rfft(slow, _PITCH_FFT).abs().square()
    correlation = torch.fft.irfft(spectrum)[:, : _LAGS[-1] + 2]
    correlation = correlation / (correlation[:, :1] + 1e-7) * _LAG_GAIN
    candidates, earlier, later = (correlation[:, _LAGS + shift] for shift in (0, -1, 1))
    candidates = torch.where((candidates >= earlier) & (candidates >= later), candidates, -1.0)
    best = (candidates - _HIGHER * _LAGS.log2()).argmax(1, keepdim=True)
    before, peak, after = (correlation.gather(1, _LAGS[best] + shift) for shift in (-1, 0, 1))
    bend = (before - 2 * peak + after).clamp_max(-1e-6)
    lag = _LAGS[best] + (0.5 * (before - after) / bend).clamp(-0.5, 0.5)
    share = ((peak - _VOICED[0]) / (_VOICED[1] - _VOICED[0])).clamp(0, 1)
    return torch.cat([share, share * torch.log2(SAMPLE_RATE / _SLOWER / lag / _REFERENCE)], 1)


def _normalised(rows: Tensor) -> Tensor:
    """(T, 67) as `_measured` -> (T, FEATURES)."""
    loudness = rows[:, MELS : MELS + 1]
    level = _level(loudness)
    speech = torch.sigmoid((loudness - level + 20) / 3) * torch.sigmoid((loudness - _SILENT) / 3)
    voiced = rows[:, MELS + 1 :] * torch.sigmoid((loudness - level + 30) / 3)  # or a humming room would sing
    bands = rows[:, :MELS] - level
    # What lasts of the spectrum is the microphone and the speaker, mixed with what is usual while little was heard.
    heard = _mean(torch.cat([speech * (bands - _USUAL), speech], 1), _MEMORY, _COLOUR, total=True)
    colour = _USUAL + heard[:, :MELS] / (heard[:, MELS:] + _PRIOR)
    both = torch.cat([bands - colour, loudness - level], 1)
    both = (_soft_floor(both) / _DECIBELS).clamp_max(2)
    bands, energy = both[:, :MELS], both[:, MELS:]
    padded = torch.cat([bands[:1].expand(_SLOPE, -1), bands, bands[-1:].expand(_SLOPE, -1)])
    slopes = (padded[3:-1] - padded[1:-3] + 2 * (padded[4:] - padded[:-4])) / 4
    return torch.cat([bands, slopes, energy, voiced], 1)


def _level(loudness: Tensor) -> Tensor:
    """(T, 1) -> (T, 1) how loud loud speech is here, in dB: the loudest not long ago or at once, slowly forgotten, and
    well over the noise, so that a room in which nobody has spoken yet is quiet."""
    steady = _mean(loudness, _SMOOTH, _SMOOTH)[:, 0]
    drift = _RELEASE * torch.arange(len(steady), dtype=steady.dtype)
    peak = _highest(steady.clamp_min(_SILENT) + drift) - drift - _RELEASE * _ATTACK
    noise = -_highest(-steady.clamp_min(_SILENT - _OVER_NOISE))
    return _mean(peak.maximum(noise + _OVER_NOISE)[:, None], _EVEN, _EVEN)


def _highest(values: Tensor) -> Tensor:
    """(T,) -> (T,) maximum of what was not long ago and is at once."""
    padded = pad(values, (_MEMORY, _ATTACK), value=-1e6)
    return max_pool1d(padded[None, None], _MEMORY + _ATTACK + 1, 1)[0, 0]


def _mean(values: Tensor, past: int, ahead: int, total: bool = False) -> Tensor:
    """(T, C) -> (T, C) mean, or sum, of the rows from `past` before to `ahead` after each, as far as there are any."""
    rows = torch.arange(len(values))
    begin, end = (rows - past).clamp_min(0), (rows + ahead + 1).clamp_max(len(values))
    sums = torch.cat([values.new_zeros(1, values.shape[1]), values]).double().cumsum(0)
    found = sums[end] - sums[begin]
    return (found if total else found / (end - begin)[:, None]).to(values.dtype)


def _soft_floor(decibels: Tensor) -> Tensor:
    return _decibels(10 ** (decibels / 10) + 10 ** (_FLOOR / 10))


def _decibels(power: Tensor) -> Tensor:
    return 10 * torch.log10(power + 1e-10)


def _mel_bands() -> Tensor:
    """(513, 64) triangles, even on the mel scale (O'Shaughnessy 1987)."""
    low, high = (2595 * np.log10(1 + frequency / 700) for frequency in _BAND)
    edges = 700 * (10 ** (np.linspace(low, high, MELS + 2) / 2595) - 1)
    bins = np.arange(_FFT // 2 + 1)[:, None] * (SAMPLE_RATE / _FFT)
    rise = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    return torch.from_numpy(np.minimum(rise, fall).clip(0).astype(np.float32))


_HANN: Final = torch.hann_window(_WINDOW)
_MEL: Final = _mel_bands()
_PITCH_HANN: Final = torch.hann_window(2 * _REACH // _SLOWER)
_LAGS: Final = torch.arange(int(SAMPLE_RATE / _SLOWER / _PITCHES[1]), int(SAMPLE_RATE / _SLOWER / _PITCHES[0]) + 1)
_USUAL: Final = torch.from_numpy(
    np.interp(np.arange(MELS), (0, 8, 20, 63), (-22.5, -24.5, -40, -52)).astype(np.float32)
)
"""Mean spectrum of speech, dB under its level: the median over recordings of seven people."""


def _lag_gain() -> Tensor:
    """What the autocorrelation of the window takes from each lag, inverted."""
    own = torch.fft.irfft(torch.fft.rfft(_PITCH_HANN, _PITCH_FFT).abs().square())[: int(_LAGS[-1]) + 2]
    gain: Tensor = own[0] / own
    return gain


_LAG_GAIN: Final = _lag_gain()
