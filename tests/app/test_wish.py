from __future__ import annotations

import numpy as np
import pytest

from talkedit_sdk.app.wish import FLAT, SOFTNESS, Wish, mixture
from talkedit_sdk.emotion import EMOTIONS
from talkedit_sdk.errors import OptionError


def at(wish: Wish, duration: float, *times: float) -> list[float]:
    return [round(float(value), 3) for value in wish.strength(duration).at(np.array(times))]


def test_without_range_and_curve_the_intensity_is_level():
    assert at(Wish.checked("happy", 0.8, 0.5, "largest"), 6.0, 0, 3, 6) == pytest.approx([0.8] * 3)


def test_a_range_begins_and_ends_softly_inside_itself():
    wish = Wish.checked("happy", 1, 0.5, "largest", 2, 4)
    assert at(wish, 6, 0, 2, 2 + SOFTNESS, 3, 4 - SOFTNESS, 4, 6) == [0, 0, 1, 1, 1, 0, 0]
    assert at(wish, 6, 2 + SOFTNESS / 2, 4 - SOFTNESS / 2) == [0.5, 0.5]


def test_no_softness_at_the_ends_of_the_clip():
    assert at(Wish.checked("happy", 1, 0.5, "largest", 0, 9), 6, 0, 6) == [1, 1]
    assert at(Wish.checked("happy", 1, 0.5, "largest", 3), 6, 0, 3, 6) == [0, 0, 1]


def test_a_short_range_still_reaches_its_middle():
    assert at(Wish.checked("happy", 1, 0.5, "largest", 2, 2.1), 6, 2, 2.05, 2.1) == [0, 1, 0]


def test_a_curve_spans_the_range():
    curve = [[0, 0], [0.5, 1], [1, 0.5]]
    assert at(Wish.checked("sad", 1.2, 0.5, "all", 0, None, curve), 4, 0, 1, 2, 3, 4) == [0, 0.6, 1.2, 0.9, 0.6]
    inside = Wish.checked("sad", 1, 0.5, "all", 1, 3, curve)
    assert at(inside, 4, 1.5, 2, 2.5) == [0.5, 1, 0.75]
    assert at(inside, 4, 0.5, 1, 3, 3.5) == [0, 0, 0, 0]


def test_a_photo_has_one_moment():
    assert at(Wish.checked("sad", 0.7, 0.5, "all", 0, 0.1), 0.0, 0) == [0.7]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"emotion": "hapy"}, "did you mean 'happy'"),
        ({"emotion": {"happy": float("nan")}}, "share of 'happy'"),
        ({"intensity": float("nan")}, "outside 0 to 1.5"),
        ({"intensity": 2}, "outside 0 to 1.5"),
        ({"intensity": None}, "intensity is a number"),
        ({"mouth_weight": 1.2}, "mouth_weight"),
        ({"detail": -0.1}, "detail"),
        ({"begin": -1}, "would end before it begins"),
        ({"begin": float("nan")}, "would end before it begins"),
        ({"begin": 3, "end": 3}, "would end before it begins"),
        ({"begin": "now"}, "would end before it begins"),
        ({"end": float("inf")}, "would end before it begins"),
        ({"curve": [[0, 1]]}, "list of \\[place, share\\]"),
        ({"curve": [[0, 1], [1, 2]]}, "list of \\[place, share\\]"),
        ({"curve": [[1, 1], [0, 1]]}, "list of \\[place, share\\]"),
        ({"curve": [[0, 1], [1, float("nan")]]}, "list of \\[place, share\\]"),
        ({"curve": [[0, 1]] * 65}, "list of \\[place, share\\]"),
        ({"curve": "steep"}, "list of \\[place, share\\]"),
    ],
)
def test_mistakes_are_told(change, message):
    values = {"emotion": "happy", "intensity": 1, "mouth_weight": 0.5, "face": "largest", "curve": FLAT} | change
    with pytest.raises(OptionError, match=message):
        Wish.checked(**values)


def test_a_range_behind_the_end_of_the_clip():
    with pytest.raises(OptionError, match="would end before it begins"):
        Wish.checked("happy", 1, 0.5, "largest", 7, 9).strength(6)


def test_mixture():
    shares = [0.0] * len(EMOTIONS)
    assert mixture("sad", True, shares) == "sad"
    shares[EMOTIONS.index("angry")] = 0.5
    assert mixture("sad", False, shares) == "sad"
    assert mixture("sad", True, shares)["angry"] == 0.5
