from __future__ import annotations

import numpy as np
import pytest

from talkedit_sdk import EyeControl, OptionError
from talkedit_sdk.speech.eyes import iris_shift

MINUTES = np.arange(0, 600, 1 / 25)


@pytest.mark.parametrize("rate", [5, 15, 30])
def test_people_blink_as_often_as_asked_and_not_twice_in_a_row(rate):
    onsets = EyeControl(blink_rate=rate).onsets(600, (), True, 0)
    assert len(onsets) == pytest.approx(10 * rate, rel=0.2)
    assert np.diff(onsets).min() >= 1
    assert np.diff(onsets).std() > 0.3 * (60 / rate - 1.1)


def test_blinks_fall_on_the_ends_of_phrases():
    ends = np.arange(3, 600, 3.0)
    drawn, free = (EyeControl().onsets(600, given, True, 0) for given in (ends, ()))
    near = [np.abs(onsets[:, None] - ends).min(1) < 0.02 for onsets in (drawn, free)]
    assert near[0].mean() > 0.35
    assert near[1].mean() < 0.1
    assert np.diff(drawn).min() >= 1


def test_a_video_keeps_its_own_blinks():
    assert len(EyeControl().onsets(60, (), False, 0)) == 0
    assert EyeControl(blinks=(5, 2)).onsets(60, (), False, 0).tolist() == [2, 5]
    assert EyeControl(blinks=()).onsets(60, (), True, 0).tolist() == []


def test_seeds_differ_and_repeat():
    one, again, other = (EyeControl().onsets(600, (), True, seed) for seed in (0, 0, 1))
    assert np.array_equal(one, again)
    assert not np.array_equal(one[:5], other[:5])
    assert not np.array_equal(EyeControl().gazes(MINUTES, True, 0), EyeControl().gazes(MINUTES, True, 1))


@pytest.mark.parametrize("fps", [24, 25, 30])
def test_every_blink_shuts_the_eye_in_some_frame_and_goes_without_a_jump(fps):
    control = EyeControl()
    times = np.arange(0, 10, 1 / fps)
    for onset in np.linspace(2, 3, 23):
        lids = control.lids(times, np.array([onset]))
        assert lids.min() <= 0
        shut = times[lids < 0.5]
        assert 0.08 < shut.max() - shut.min() + 1 / fps < 0.3
        assert lids[0] == lids[-1] == 1
    fine = control.lids(np.arange(0, 10, 1e-3), np.array([2.0]))
    assert np.abs(np.diff(fine)).max() < 0.03
    closing, opening = np.flatnonzero(fine < 0.99)[[0, -1]]
    deepest = fine.argmin()
    assert opening - deepest > 1.5 * (deepest - closing), "lids close faster than they open"


def test_openness_holds_between_blinks():
    lids = EyeControl(openness=0.7).lids(np.arange(0, 5, 0.01), np.array([2.0]))
    assert lids[0] == pytest.approx(0.7)
    assert lids.min() < 0


def test_eyes_of_a_photo_wander_a_little_around_where_they_look():
    gaze = EyeControl(gaze=(10, -5)).gazes(MINUTES, True, 0)
    assert np.abs(gaze.mean(0) - (10, -5)).max() < 0.2
    assert np.abs(gaze - (10, -5)).max() <= 1.31
    assert gaze.std(0).min() > 0.2
    moving = np.abs(np.diff(gaze, axis=0)).max(1) > 0
    assert moving.mean() < 0.15, "eyes rest most of the time"
    assert (EyeControl(gaze=(10, -5)).gazes(MINUTES, False, 0) == (10, -5)).all()


def test_irises_move_right_and_up_as_far_as_they_can():
    shift = iris_shift(np.array([[5, 0], [0, 5], [0, 0], [20, 0]], np.float32))
    assert shift[0].tolist() == pytest.approx([0.179, 0], abs=0.01)
    assert shift[1, 1] < 0
    assert shift[2].tolist() == [0, 0]
    assert 0.5 < shift[3, 0] <= 0.7


@pytest.mark.parametrize(
    "wrong",
    [
        {"openness": -0.1}, {"openness": 2}, {"openness": "wide"}, {"blink_rate": -1}, {"blink_rate": 1000},
        {"gaze": (0, 90)}, {"gaze": (1, 2, 3)}, {"blinks": (-1,)}, {"openness": float("nan")},
        {"gaze": 5}, {"blinks": 5}, {"blinks": "x"},
    ],
)  # fmt: skip
def test_nonsense_is_refused(wrong):
    with pytest.raises(OptionError, match=next(iter(wrong))):
        EyeControl(**wrong)
