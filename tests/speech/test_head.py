from __future__ import annotations

import cv2
import numpy as np
import pytest

from talkedit_sdk.face.topology import CHIN, FOREHEAD, OVAL, RIGID
from talkedit_sdk.speech.head import HeadWarp, sway
from talkedit_sdk.speech.prosody import Prosody

TIMES = np.arange(0, 60, 1 / 25)
SIZE = 480, 400


def speaking(activity=1.0, accents=()):
    accents = np.array(accents, float)
    return Prosody(np.full(3200, float(activity)), accents, np.ones(len(accents)), np.zeros(0))


@pytest.fixture(scope="module")
def landmarks(model):
    """(478, 3) of a face 180 pixels high in the middle of the photo."""
    points = np.zeros((478, 3), np.float32)
    points[:468] = 95 * model.mean.numpy() + (200, 230, 0)
    return points


@pytest.fixture(scope="module")
def warp(landmarks):
    return HeadWarp(landmarks, SIZE)


@pytest.fixture(scope="module")
def photo():
    noise = np.random.default_rng(0).normal(0, 1, (*SIZE, 3))
    smooth = cv2.GaussianBlur(noise, (0, 0), 3)
    return np.clip(128 + 200 * smooth, 0, 255).astype(np.uint8)


def test_the_motion_is_small_slow_and_never_jumps():
    motion = sway(speaking(), TIMES, 1.0, 0)
    roll, yaw, pitch = np.degrees(np.abs(motion[:, 2:5]).max(0))
    assert 0.5 < roll <= 2
    assert max(yaw, pitch) < 8
    assert np.abs(motion[:, :2]).max() < 0.03
    spectrum = np.abs(np.fft.rfft(motion - motion.mean(0), axis=0)) ** 2
    quick = np.fft.rfftfreq(len(motion), 1 / 25) > 1.5
    assert spectrum[quick].sum() < 0.01 * spectrum.sum()


def test_a_head_is_stiller_in_pauses_and_nods_on_accents():
    talk, pause, still = (sway(speaking(activity), TIMES, head, 0) for activity, head in ((1, 1), (0, 1), (1, 0)))
    assert pause.std(0).max() < 0.4 * talk.std(0).max()
    assert not still.any()
    nods = sway(speaking(1, [20.0]), TIMES, 1.0, 0) - talk
    assert TIMES[nods[:, 4].argmax()] == pytest.approx(20, abs=0.15)
    assert np.abs(nods[np.abs(TIMES - 20) > 1.5]).max() < 1e-5


def test_seeds_differ_and_repeat():
    one, again, other = (sway(speaking(), TIMES, 1.0, seed) for seed in (0, 0, 1))
    assert np.array_equal(one, again)
    assert np.abs(one - other).max() > 0.01


def test_without_motion_the_photo_is_the_photo(warp, photo, landmarks):
    none = np.zeros(6, np.float32)
    assert warp.draw(photo, none) is photo
    assert np.array_equal(warp.move(landmarks, none), landmarks)


@pytest.mark.parametrize("part", range(6))
def test_landmarks_go_where_the_picture_goes(warp, photo, landmarks, part):
    motion = np.zeros(6, np.float32)
    motion[part] = (0.03, 0.03, 0.04, 0.08, 0.08, 0.02)[part]
    drawn, moved = warp.draw(photo, motion), warp.move(landmarks, motion)
    assert np.abs(moved - landmarks).max() > 1
    for vertex in (*RIGID, CHIN, FOREHEAD):
        before, after = (
            cv2.getRectSubPix(picture, (9, 9), tuple(map(float, points[vertex, :2]))).astype(float)
            for picture, points in ((photo, landmarks), (drawn, moved))
        )
        stayed = cv2.getRectSubPix(drawn, (9, 9), tuple(map(float, landmarks[vertex, :2]))).astype(float)
        gone = float(np.abs(moved[vertex] - landmarks[vertex]).max())
        if gone > 1:
            assert np.abs(before - after).mean() < 0.35 * np.abs(before - stayed).mean()


def test_shoulders_and_background_keep_still_and_nothing_folds(warp, photo, landmarks):
    motion = 2 * np.abs(sway(speaking(), TIMES, 2.0, 0)).max(0)
    drawn = warp.draw(photo, motion)
    still = np.abs(drawn.astype(int) - photo)
    assert still[-40:].mean() < 0.1 * still[150:300, 150:250].mean()
    assert not any(edge.any() for edge in (still[0], still[-1], still[:, 0], still[:, -1]))
    y, x = np.mgrid[:480:4, :400:4].astype(np.float32)
    grid = np.stack([x.ravel(), y.ravel(), 0 * x.ravel()], 1)
    moved = warp.move(grid, motion).reshape(*x.shape, 3)
    assert np.diff(moved[..., 0], axis=1).min() > 0.5
    assert np.diff(moved[..., 1], axis=0).min() > 0.5


def test_what_is_near_moves_most_when_the_head_turns(warp, landmarks):
    turned = warp.move(landmarks, np.array([0, 0, 0, 0.08, 0, 0], np.float32)) - landmarks
    ears = [vertex for vertex in OVAL if landmarks[vertex, 2] > 60]
    assert turned[4, 0] > 3
    assert turned[4, 0] > 2 * np.abs(turned[ears, 0]).max()


def test_a_face_at_the_edge_of_the_photo_is_no_trouble(landmarks, photo):
    aside = landmarks - np.array([150, 120, 0], np.float32)
    cut = HeadWarp(aside, SIZE)
    motion = sway(speaking(), TIMES, 1.0, 0)[50]
    assert cut.draw(photo, motion).shape == photo.shape
    assert np.isfinite(cut.move(aside, motion)).all()
