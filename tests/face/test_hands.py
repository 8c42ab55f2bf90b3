from __future__ import annotations

import cv2
import numpy as np
import pytest
from skimage import data

from talkedit_sdk.face.hands import HandFinder
from talkedit_sdk.face.region import Region

FACE = Region(180.0, 180.0, 240.0)


@pytest.fixture(scope="module")
def finder():
    return HandFinder()


@pytest.fixture
def portrait():
    return cv2.resize(data.astronaut()[:240, 104:344], (360, 360), interpolation=cv2.INTER_CUBIC)


@pytest.fixture
def looks(finder, monkeypatch):
    """Counts the looks of a finder whose network sees, at will, a hand at a share of the crop, or none."""

    class Looks:
        count, hand = 0, None

        def __call__(self, picture):
            self.count += 1
            if self.hand is None:
                return {}
            point = type("Point", (), dict(zip("xy", self.hand, strict=True)))
            return {"hands": [type("Hand", (), {"landmark": [point] * 21})]}

    finder.forget()
    graph = Looks()
    monkeypatch.setattr(finder, "_graph", graph)
    return graph


def test_there_is_no_hand_in_a_portrait(finder, portrait):
    finder.forget()
    for time in (0.0, 1.0):
        assert np.isnan(finder.find(portrait, time, [FACE])).all()
    assert finder.find(portrait, 2.0, []).shape == (2, 21, 2)


def test_now_and_then_while_there_is_none(finder, looks, portrait):
    for index in range(50):
        finder.find(portrait, index / 25, [FACE])
    assert 11 <= looks.count <= 14


def test_all_the_time_while_one_is_near(finder, looks, portrait):
    looks.hand = (0.5, 0.8)
    for index in range(20):
        found = finder.find(portrait, index / 25, [FACE])
        assert np.isfinite(found[0]).all()
        assert np.isnan(found[1]).all()
    assert looks.count == 20
    looks.hand = (0.05, 0.95)
    for index in range(20, 40):
        finder.find(portrait, index / 25, [FACE])
    assert looks.count < 33, "it went away"


def test_places_are_those_of_the_frame(finder, looks, portrait):
    looks.hand = (0.5 + 0.5 / 256, 0.75 + 0.5 / 256)
    found = finder.find(portrait, 0.0, [FACE])[0, 0]
    side = 1.6 * FACE.side
    np.testing.assert_allclose(found, [FACE.x, FACE.y + side / 4], atol=1.5)


@pytest.mark.parametrize("times", [np.zeros(32), np.full(32, np.nan), -np.arange(32.0)])
def test_times_that_cannot_be_believed(finder, looks, portrait, times):
    for time in times:
        finder.find(portrait, time, [FACE])
    assert looks.count >= 4


def test_forgetting_looks_at_once(finder, looks, portrait):
    finder.find(portrait, 0.0, [FACE])
    finder.forget()
    before = looks.count
    finder.find(portrait, 0.01, [FACE])
    assert looks.count == before + 1
