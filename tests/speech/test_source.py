from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from talkedit_sdk.speech import source
from talkedit_sdk.speech.source import Beginning, Prolonged, back_and_forth, sized_still, still_size
from talkedit_sdk.video.source import FrameList

SIZE = 24, 32
NO_CUTS = np.zeros(10, bool)


def video(count=10):
    return FrameList([np.full((*SIZE, 3), index, np.uint8) for index in range(count)], Fraction(25))


def shown(clip, duration, cuts=NO_CUTS):
    order, times = back_and_forth(np.arange(len(cuts)) / 25, cuts, duration, SIZE)
    return [int(f.rgb[0, 0, 0]) for f in Prolonged(clip, order, times).frames()], order, times


def test_a_longer_video_ends_with_the_speech():
    values, order, times = shown(video(), 0.2)
    assert values == order.tolist() == [0, 1, 2, 3, 4]
    assert times[-1] + 0.04 == pytest.approx(0.2)


def test_a_shorter_video_goes_on_back_and_forth_in_even_time():
    values, order, times = shown(video(), 0.91)
    assert values == order.tolist() == [*range(10), *range(8, -1, -1), *range(1, 5)]
    assert np.allclose(np.diff(times), 0.04)
    assert times[-1] + 0.04 == pytest.approx(0.92)
    assert np.abs(np.diff(order)).tolist() == [1] * 22


def test_it_does_not_go_back_over_a_cut():
    cuts = NO_CUTS.copy()
    cuts[7] = True
    values, *_ = shown(video(), 0.6, cuts)
    assert values == [*range(10), 8, 7, 8, 9, 8]


def test_it_goes_back_no_further_than_is_kept(monkeypatch):
    monkeypatch.setattr(source, "_SPOOLED", 3 * 24 * 32 * 3)
    values, *_ = shown(video(), 0.6)
    assert values == [*range(10), 8, 7, 8, 9, 8]


def test_uneven_times_are_mirrored():
    times = np.array([0, 0.1, 0.3, 0.35])
    order, clock = back_and_forth(times, np.zeros(4, bool), 0.9, SIZE)
    assert order.tolist() == [0, 1, 2, 3, 2, 1, 0, 1]
    assert clock[3:].tolist() == pytest.approx([0.35, 0.4, 0.6, 0.7, 0.8])


def test_a_broken_clock_does_not_make_millions_of_frames():
    order, clock = back_and_forth(np.arange(10) * 1e-7, NO_CUTS, 2.0, SIZE)
    assert len(order) <= 2010
    assert (np.diff(clock) > 0).all()
    assert clock[-1] > 1.99


def test_a_shot_of_one_frame_at_the_end_is_held():
    cuts = NO_CUTS.copy()
    cuts[9] = True
    values, _, times = shown(video(), 0.5, cuts)
    assert values == [*range(10), 9, 9, 9]
    assert np.diff(times).min() > 0


def test_only_the_beginning_is_read():
    assert len(list(Beginning(video(), 0.2).frames())) == 5
    assert len(list(Beginning(video(), 0.0).frames())) == 1
    assert len(list(Beginning(video(), 9).frames())) == 10


@pytest.mark.parametrize("size", [(4000, 3000), (3000, 4000), (1920, 1080), (301, 199), (8192, 30), (1, 1)])
def test_photos_become_even_and_not_larger_than_full_hd(size):
    width, height = still_size(*size)
    assert width % 2 == height % 2 == 0
    assert width * height <= max(1920 * 1080, 4)
    if min(size) > 100:
        assert width / height == pytest.approx(size[0] / size[1], rel=0.02)


def test_a_small_photo_is_cropped_not_scaled():
    rgb = np.random.default_rng(0).integers(0, 255, (33, 41, 3), np.uint8)
    assert np.array_equal(sized_still(rgb), rgb[:32, :40])
    assert sized_still(rgb[:32, :40]).shape == (32, 40, 3)
