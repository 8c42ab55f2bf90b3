from __future__ import annotations

import numpy as np
import pytest

from talkedit_sdk.speech.types import SAMPLE_RATE
from talkedit_sdk.training import rooms


@pytest.fixture
def clicks():
    """A second of bursts of noise, four a second."""
    random = np.random.default_rng(0)
    times = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    return random.normal(size=SAMPLE_RATE) * 0.2 * (times * 4 % 1 < 0.3)


def test_recordings_are_not_delayed_and_stay_in_range(clicks):
    for seed in range(25):
        heard = rooms.recorded(clicks.astype(np.float32), np.random.default_rng(seed))
        assert heard.shape == clicks.shape
        assert np.isfinite(heard).all()
        assert np.abs(heard).max() <= 1
        envelopes = [np.convolve(np.abs(each), np.ones(400) / 400, "same") for each in (clicks, heard)]
        envelopes = [each - each.mean() for each in envelopes]
        fits = [float((envelopes[0] * np.roll(envelopes[1], -shift)).sum()) for shift in range(-800, 801, 80)]
        assert abs(int(np.argmax(fits)) - 10) <= 4  # 20 ms, what a reverberant room adds


def test_lines_and_tilts(clicks):
    def power(samples, low, high):
        frequency = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)
        return float((np.abs(np.fft.rfft(samples)[(frequency > low) & (frequency < high)]) ** 2).sum())

    phone = rooms.filtered(clicks, 300, 3400)
    assert power(phone, 0, 150) < 0.01 * power(clicks, 0, 150)
    assert power(phone, 600, 2500) == pytest.approx(power(clicks, 600, 2500), rel=0.1)
    dull = rooms.tilted(clicks, -9)
    assert power(dull, 4000, 8000) < 0.25 * power(clicks, 4000, 8000)
    assert power(dull, 0, 500) == pytest.approx(power(clicks, 0, 500), rel=0.01)
    thin = rooms.thinned(clicks, 200)
    np.testing.assert_allclose(thin, clicks, atol=1e-6)
    assert rooms.noise(8000, np.random.default_rng(0)).std() == pytest.approx(1)
