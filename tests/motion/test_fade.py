from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from talkedit_sdk.face.fit import FaceFit
from talkedit_sdk.face.pose import Pose
from talkedit_sdk.face.track import FaceTrack, Tracking
from talkedit_sdk.motion.fade import FADE_SECONDS, edge_fade, visibility

FPS = 25


def track(present, segments=None):
    frames = np.flatnonzero(present)
    if segments is None:
        segments = np.cumsum(np.diff(frames, prepend=frames[0]) > 1)
    count = len(frames)
    return FaceTrack(0, frames, np.zeros((count, 478, 3), np.float32), np.ones(count, np.float32), np.asarray(segments))


def clip(count, cuts=(), times=None):
    flags = np.zeros(count, bool)
    flags[list(cuts)] = True
    return Tracking((100, 100), np.arange(count) / FPS if times is None else times, flags, ())


def present(count, *absences):
    there = np.ones(count, bool)
    for start, stop in absences:
        there[start:stop] = False
    return there


def test_a_face_that_is_always_there_is_never_faded():
    assert (edge_fade(track(present(50)), clip(50)) == 1).all()


def test_fading_out_before_and_in_after_an_absence():
    there = present(100, (40, 60))
    fade = edge_fade(track(there), clip(100))
    before, after = fade[:40], fade[40:]
    assert before[0] == after[-1] == 1, "not at the ends of the clip"
    reach = round(FADE_SECONDS * FPS)
    assert (before[: 40 - reach] == 1).all()
    assert (after[reach:] == 1).all()
    assert (np.diff(before[-reach:]) < 0).all()
    assert (np.diff(after[:reach]) > 0).all()
    assert before[-1] < 0.1
    assert after[0] < 0.1
    np.testing.assert_allclose(before[-reach:], after[:reach][::-1], atol=1e-6)


def test_late_entry_and_early_exit():
    fade = edge_fade(track(present(100, (0, 20), (80, 100))), clip(100))
    assert fade[0] < 0.1
    assert fade[-1] < 0.1
    assert fade[30] == 1


def test_cuts_are_not_faded():
    there = present(100, (0, 20), (60, 100))
    fade = edge_fade(track(there), clip(100, cuts=(20, 60)))
    assert (fade == 1).all()
    half = edge_fade(track(there), clip(100, cuts=(20,)))
    assert half[0] == 1
    assert half[-1] < 0.1


def test_a_cut_within_the_clip_keeps_both_sides_whole():
    segments = (np.arange(60) >= 30).astype(int)
    assert (edge_fade(track(present(60), segments), clip(60, cuts=(30,))) == 1).all()


def test_the_fade_follows_the_time():
    there = present(200, (0, 20))
    times = np.arange(200) / 100
    fade = edge_fade(track(there), clip(200, times=times))
    assert (fade < 1).sum() == pytest.approx(FADE_SECONDS * 100, abs=2)
    at = {round(time, 2): value for time, value in zip(times[there], fade, strict=True)}
    coarse = edge_fade(track(present(100, (0, 10))), clip(100, times=np.arange(100) / 50))
    assert coarse[5] == pytest.approx(at[0.3], abs=0.1)


@given(st.lists(st.booleans(), min_size=2, max_size=60).filter(any), st.sets(st.integers(1, 59)))
def test_always_between_nothing_and_all(there, cuts):
    there = np.array(there)
    fade = edge_fade(track(there), clip(len(there), cuts=[cut for cut in cuts if cut < len(there)]))
    assert fade.shape == (there.sum(),)
    assert fade.dtype == np.float32
    assert fade.min() > 0, "a face that was found gets at least a little"
    assert fade.max() <= 1


def fitted(count, yaw=0.0, pitch=0.0, error=0.01):
    angles = [torch.as_tensor(a, dtype=torch.float64).expand(count) for a in (pitch, yaw)]
    zero = torch.zeros(count, dtype=torch.float64)
    turn = torch.stack([zero, zero, angles[1], zero, zero, -angles[0], -angles[1], angles[0], zero], -1)
    rotation = torch.matrix_exp(turn.view(-1, 3, 3)).float()
    pose = Pose(torch.full((count,), 100.0), rotation, torch.zeros(count, 3))
    return FaceFit(torch.zeros(468, 3), pose, torch.zeros(count, 52), torch.as_tensor(error).expand(count).float())


def seen(fit, segments=None):
    count = len(fit.error)
    segments = np.zeros(count, np.int64) if segments is None else segments
    return visibility(fit, np.arange(count) / FPS, segments)


@pytest.mark.parametrize("turn", [{}, {"yaw": 0.5}, {"yaw": -0.84}, {"pitch": 0.4}, {"pitch": -0.5}, {"error": 0.03}])
def test_faces_that_are_seen_well(turn):
    assert (seen(fitted(10, **turn)) == 1).all()


@pytest.mark.parametrize("turn", [{"yaw": 1.2}, {"yaw": -1.2}, {"pitch": 1.1}, {"pitch": -1.1}, {"error": 0.1}])
def test_faces_that_are_not(turn):
    assert (seen(fitted(10, **turn)) == 0).all()


def test_turning_away_fades_gradually_and_alike_on_both_sides():
    yaw = torch.linspace(0, 1.3, 60)
    strength = seen(fitted(60, yaw=yaw))
    assert strength[0] == 1
    assert strength[-1] == 0
    assert (np.diff(strength) <= 1e-6).all()
    assert np.abs(np.diff(strength)).max() < 0.2
    np.testing.assert_allclose(seen(fitted(60, yaw=-yaw)), strength, atol=1e-5)


def test_a_failed_fit_takes_its_neighbours_along_but_not_over_a_cut():
    error = torch.full((40,), 0.01)
    error[20:] = 0.2
    joined = seen(fitted(40, error=error))
    assert joined[20:].max() == 0
    assert 0 < joined[19] < 0.9, "the edit is on its way out before"
    assert joined[5] == 1
    apart = seen(fitted(40, error=error), (np.arange(40) >= 20).astype(np.int64))
    assert (apart[:20] == 1).all()


@pytest.mark.parametrize("count", [1, 2])
def test_very_short_tracks(count):
    assert seen(fitted(count)).tolist() == [1] * count
