from __future__ import annotations

import pytest
import torch

from talkedit_sdk.motion.windows import HOP, RATE, WINDOW, average, even_times, interpolate, window_starts


@pytest.mark.parametrize("fps", [12.0, 23.976, 25.0, 30.0, 60.0])
def test_even_times_span_the_clip(fps):
    times = 3 + torch.arange(100, dtype=torch.float64) / fps
    even = even_times(times)
    assert even[0] == times[0]
    assert even[-1] == times[-1]
    steps = even.diff()
    torch.testing.assert_close(steps[:-1], torch.full_like(steps[:-1], 1 / RATE))
    assert 0 < steps[-1] <= 1 / RATE + 1e-9


def test_one_frame_has_one_time():
    assert even_times(torch.tensor([2.0], dtype=torch.float64)).tolist() == [2.0]


def test_interpolation_is_exact_on_lines_at_any_spacing():
    times = torch.tensor([0.0, 0.1, 0.15, 0.4], dtype=torch.float64)
    values = (torch.stack([times, 1 - 2 * times], 1)).float()
    wanted = torch.tensor([-1.0, 0.0, 0.05, 0.12, 0.3, 0.4, 9.0], dtype=torch.float64)
    expected = wanted.clamp(0, 0.4).float()
    torch.testing.assert_close(interpolate(values, times, wanted), torch.stack([expected, 1 - 2 * expected], 1))
    torch.testing.assert_close(interpolate(values[:1], times[:1], wanted), values[:1].expand(7, -1))


@pytest.mark.parametrize("count", [1, 5, WINDOW, WINDOW + 1, WINDOW + HOP, 3 * WINDOW + 7])
def test_windows_cover_everything_and_average_back(count):
    starts = window_starts(count)
    length = min(WINDOW, count)
    assert starts[0] == 0
    assert starts[-1] + length == count
    signal = torch.rand(count, 3)
    pieces = torch.stack([signal[start : start + length] for start in starts])
    torch.testing.assert_close(average(pieces, starts, count), signal)


def test_windows_that_disagree_pass_into_each_other_without_a_jump():
    count = 4 * WINDOW
    starts = window_starts(count)
    pieces = torch.arange(len(starts)).float()[:, None, None].expand(-1, WINDOW, 1)
    steps = average(pieces, starts, count).diff(dim=0)
    assert steps.abs().max() < 0.12
