from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from talkedit_sdk.face.smooth import gaussian_mean


def at(times, segments=None):
    times = torch.as_tensor(np.array(times, np.float64))
    return times, torch.zeros(len(times), dtype=torch.int64) if segments is None else torch.as_tensor(segments)


def reference(values, times, segments, sigma):
    """The definition, one frame at a time."""
    means = []
    for time, segment in zip(times, segments, strict=True):
        weights = np.exp(-0.5 * ((times - time) / sigma) ** 2) * (segments == segment)
        means.append((weights[:, None] * values).sum(0) / weights.sum())
    return np.array(means)


@given(st.data())
def test_it_is_the_weighted_mean_of_its_definition(data):
    """But for neighbours more than three sigma away, which may be left out."""
    gaps = data.draw(st.lists(st.floats(0.001, 0.2), min_size=1, max_size=30))
    segments = np.sort(data.draw(st.lists(st.integers(0, 2), min_size=len(gaps), max_size=len(gaps))))
    sigma = data.draw(st.sampled_from([0.01, 0.05, 0.3]))
    values = np.random.default_rng(0).uniform(size=(len(gaps), 3))
    times = np.cumsum(gaps)
    found = gaussian_mean(torch.from_numpy(values), *at(times, segments), sigma).numpy()
    np.testing.assert_allclose(found, reference(values, times, segments, sigma), atol=0.03)


def test_no_lag():
    """A straight movement stays what it is, and a peak stays where it is."""
    times, segments = at(np.arange(100) / 25)
    ramp = times[:, None] * torch.tensor([[1.0, -3.0]]).double()
    torch.testing.assert_close(gaussian_mean(ramp, times, segments, 0.1)[20:-20], ramp[20:-20])
    peak = torch.exp(-0.5 * ((times - 2) / 0.2) ** 2)[:, None]
    smoothed = gaussian_mean(peak, times, segments, 0.15)
    assert smoothed.argmax() == peak.argmax()
    torch.testing.assert_close(smoothed[50 - 30 : 50], smoothed[51 : 51 + 30].flip(0))


@given(st.integers(1, 40), st.integers(0, 2**31))
def test_constants_stay(count, seed):
    gaps = np.random.default_rng(seed).uniform(0.001, 0.2, count)
    values = torch.full((count, 4), 0.7)
    torch.testing.assert_close(gaussian_mean(values, *at(np.cumsum(gaps)), 0.07), values)


def test_cuts_are_not_crossed():
    times, segments = at(np.arange(20) / 25, [0] * 10 + [1] * 10)
    values = (segments[:, None] * 5).double()
    torch.testing.assert_close(gaussian_mean(values, times, segments, 1.0), values)


def test_weights_follow_the_time_not_the_frame():
    """The same movement, shown twice as fast for a while, is smoothed alike where the frames coincide."""
    dense = np.arange(0, 4, 0.01)
    uneven = np.concatenate([np.arange(0, 2, 0.02), np.arange(2, 4, 0.01)])
    means = [
        gaussian_mean(torch.from_numpy(np.sin(3 * times))[:, None], *at(times), 0.08)[np.abs(times - moment).argmin()]
        for times in (dense, uneven)
        for moment in (1.0, 3.0)
    ]
    assert means[0] == pytest.approx(float(means[2]), abs=1e-3)
    assert means[1] == pytest.approx(float(means[3]), abs=1e-3)


def test_noise_goes_down():
    times, segments = at(np.arange(500) / 25)
    noise = torch.from_numpy(np.random.default_rng(0).normal(size=(500, 1)))
    assert gaussian_mean(noise, times, segments, 0.08).std() < 0.5 * noise.std()


@pytest.mark.parametrize("count", [0, 1, 2])
def test_short_clips(count):
    values = torch.ones(count, 52)
    torch.testing.assert_close(gaussian_mean(values, *at(np.arange(count) / 25), 0.05), values)


def test_the_input_is_left_alone():
    values = torch.rand(10, 3)
    before = values.clone()
    gaussian_mean(values, *at(np.arange(10) / 25), 0.1)
    assert (values == before).all()
