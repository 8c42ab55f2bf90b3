from __future__ import annotations

import cv2
import numpy as np
import pytest
from skimage import data

from talkedit_sdk.face.cuts import CutDetector


def window(picture, x=0, y=0, gain=1.0, offset=0.0):
    part = picture[y : y + 180, x : x + 240]
    return np.clip(part * gain + offset, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def shots():
    return data.astronaut(), cv2.resize(data.coffee(), (512, 512)), cv2.resize(data.chelsea(), (512, 512))


def cuts_of(pictures):
    detector = CutDetector()
    answers = [detector.update(p) for p in pictures]
    assert len(detector.flags) == len(answers)
    return np.flatnonzero(detector.flags).tolist()


def test_cuts_between_shots_are_found(shots):
    a, b, c = shots
    assert cuts_of([window(a)] * 5 + [window(b)] * 4 + [window(c)] + [window(a)] * 3) == [5, 9, 10]


def test_first_frame_is_no_cut(shots):
    assert cuts_of([window(shots[0])]) == []
    assert cuts_of([]) == []


def test_fast_pan_is_no_cut(shots):
    assert cuts_of([window(shots[0], x=12 * t, y=8 * t) for t in range(20)]) == []


def test_flash_is_no_cut(shots):
    a, b, _ = shots
    calm = [window(a)] * 6
    assert cuts_of([*calm, window(a, gain=1.5, offset=60), *calm]) == []
    assert cuts_of([*calm, window(a, gain=0.0, offset=255), *calm]) == [], "all white"
    assert cuts_of([*calm, window(a, gain=0.0), *calm, window(b)]) == [13], "all black, then a real cut"


def test_fade_is_no_cut(shots):
    a, b, _ = shots
    steps = np.linspace(0, 1, 20)
    assert cuts_of([(window(a) * (1 - s) + window(b) * s).astype(np.uint8) for s in steps]) == []


def test_size_of_the_picture_hardly_matters(shots):
    a, b, _ = shots
    for size in ((16, 12), (64, 500), (1920, 1080)):
        assert cuts_of([cv2.resize(window(a), size)] * 2 + [cv2.resize(window(b), size)] * 2) == [2]
