from __future__ import annotations

import time

import numpy as np
import pytest
import torch

from talkedit_sdk.speech.features import AHEAD, ENERGY, FEATURES, MELS, PITCH, VOICING, FeatureStream, features
from talkedit_sdk.speech.types import RATE, SAMPLE_RATE, Voice


def babble(seconds, seed=0, pitch=140.0):
    """Something like speech: a buzz with syllables and pauses, and a breath of noise."""
    random = np.random.default_rng(seed)
    times = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    phase = 2 * np.pi * np.cumsum(pitch * (1 + 0.1 * np.sin(3 * times))) / SAMPLE_RATE
    buzz = sum(np.sin(k * phase) / k for k in range(1, 30))
    syllables = np.clip(np.sin(2 * np.pi * 4 * times), 0, None) * (np.sin(2 * np.pi * 0.4 * times + 1) > -0.5)
    return (0.1 * buzz * syllables + 0.0005 * random.normal(size=len(times))).astype(np.float32)


def test_shape_and_range():
    for count in (1, 319, 320, 321, 16000, 24321):
        voice = Voice(babble(2)[:count])
        found = features(voice)
        assert found.shape == (voice.rows, FEATURES)
        assert bool(found.isfinite().all())
        assert float(found[:, :MELS].min()) > -2.6
        assert float(found[:, :MELS].max()) <= 2
    assert features(Voice(np.zeros(0, np.float32))).shape == (0, FEATURES)


def test_a_stream_gives_what_the_whole_gives():
    samples = babble(19)
    whole = features(Voice(samples))
    random = np.random.default_rng(1)
    stream, parts, start = FeatureStream(), [], 0
    while start < len(samples):
        count = int(random.integers(1, 16000))
        parts.append(stream.push(samples[start : start + count]))
        start += count
        given = sum(map(len, parts)) / RATE
        assert min(start, len(samples)) / SAMPLE_RATE - given < 0.52  # seconds that a row has to wait
    parts.append(stream.finish())
    torch.testing.assert_close(torch.cat(parts), whole, atol=1e-4, rtol=0)


def test_the_future_beyond_half_a_second_is_not_looked_at():
    samples = babble(8)
    other = samples.copy()
    other[4 * SAMPLE_RATE :] = np.random.default_rng(2).normal(size=len(other) - 4 * SAMPLE_RATE)
    same = 4 * RATE - AHEAD - 2
    torch.testing.assert_close(features(Voice(samples))[:same], features(Voice(other))[:same], atol=1e-4, rtol=0)
    assert AHEAD / RATE + 0.03 < 0.5


@pytest.mark.parametrize("gain", [0.4, 3.0])
def test_level_does_not_matter(gain):
    samples = babble(6)
    plain, other = (features(Voice(samples * np.float32(factor))) for factor in (1, gain))
    heard = plain[:, ENERGY] > -0.5
    assert float((other - plain)[heard].abs().quantile(0.95)) < 0.08


def test_a_microphone_hardly_matters():
    samples = babble(12)
    frequency = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)
    dull = np.fft.irfft(np.fft.rfft(samples) / (1 + (frequency / 1000) ** 2) ** 0.5, len(samples)).astype(np.float32)
    loud = features(Voice(samples))[:, ENERGY] > -0.6
    loud[: 6 * RATE] = False
    plain, muffled = (features(Voice(each))[loud][:, 30:50].mean() for each in (samples, dull))
    assert float((plain - muffled).abs()) < 0.2  # the filter takes 7 to 16 dB there, 0.35 to 0.8


def test_pitch_and_voicing():
    for pitch in (90.0, 140.0, 260.0):
        found = features(Voice(babble(3, pitch=pitch)))
        voiced = found[:, VOICING] > 0.9
        assert 0.2 < float(voiced.float().mean()) < 0.8
        assert float(found[voiced, PITCH].median()) == pytest.approx(np.log2(pitch / 150), abs=0.12)
    noise = np.random.default_rng(0).normal(0, 0.1, 3 * SAMPLE_RATE).astype(np.float32)
    assert float(features(Voice(noise))[:, VOICING].mean()) < 0.1


def test_a_room_in_which_nobody_speaks_is_quiet():
    room = np.random.default_rng(0).normal(0, 0.003, 2 * SAMPLE_RATE).astype(np.float32)
    found = features(Voice(np.concatenate([room, babble(3), room])))
    assert float(found[: 2 * RATE - AHEAD, ENERGY].max()) < -0.8
    assert float(found[-RATE:, ENERGY].max()) < -0.8
    assert float(features(Voice(np.zeros(SAMPLE_RATE, np.float32)))[:, ENERGY].max()) < -0.8


def test_a_minute_takes_a_second_at_most():
    voice = Voice(babble(30))
    features(voice)
    begin = time.process_time()
    features(voice)
    assert time.process_time() - begin < 0.5
