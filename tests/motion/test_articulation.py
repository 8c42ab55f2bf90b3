from __future__ import annotations

import torch

from talkedit_sdk.motion.articulation import articulation


def closures(*spans: tuple[float, float], fps: float = 30) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    times = torch.arange(int(4 * fps)) / fps
    closed = sum(((times >= begin) & (times < end)).float() for begin, end in spans)
    return closed[:, None], times, torch.zeros(len(times), dtype=torch.int64)


def test_a_bilabial_is_speech_and_a_resting_mouth_is_not():
    shut, times, segments = closures((0.9, 1.02), (2.0, 4.0))
    found = articulation(shut, times, segments)[:, 0]
    assert found[(times > 0.92) & (times < 1.0)].min() > 0.95
    assert found[times > 2.6].max() < 0.05
    assert found[(times > 1.1) & (times < 1.9)].max() == 0


def test_the_frame_rate_does_not_matter():
    slow = articulation(*closures((1.0, 1.2), (2.0, 4.0), fps=25))[:, 0]
    fast = articulation(*closures((1.0, 1.2), (2.0, 4.0), fps=50))[:, 0]
    torch.testing.assert_close(fast[::2], slow, rtol=0, atol=0.08)
