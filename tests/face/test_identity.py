from __future__ import annotations

import cv2
import numpy as np
import pytest

from talkedit_sdk.face.identity import Tracklet, describe, same_person
from talkedit_sdk.face.landmarker import Landmarker
from talkedit_sdk.face.region import Region

FACE = Region(224, 115, 170)


@pytest.fixture(scope="module")
def look(portrait):
    landmarker = Landmarker()

    def look(picture, region=FACE):
        sighting = landmarker.locate(picture, region)
        assert sighting is not None
        return describe(picture, sighting)

    return look


def seen(first, last, *looks, x=100.0, fps=25.0):
    tracklet = Tracklet(first, first / fps, Region(x, 100, 80))
    tracklet.last, tracklet.ended, tracklet.exit = last, last / fps, Region(x, 100, 80)
    tracklet.count = last - first + 1
    tracklet.looks = [np.array(look, np.float32) for look in looks]
    return tracklet


def test_description_ignores_size_roll_light_and_contrast(portrait, look, place):
    original = look(portrait)
    moved, _ = place((700, 700), (350, 350), 2.5, 20)
    assert np.linalg.norm(look(moved, Region(350, 350, 420, 0.3)) - original) < 0.3
    darker = (portrait * 0.75 + 20).astype(np.uint8)
    assert np.linalg.norm(look(darker) - original) < 0.3


def test_description_tells_faces_apart(portrait, look):
    other = portrait.astype(np.float32)
    cv2.ellipse(other, (224, 165), (45, 28), 0, 0, 360, (30, 25, 20), -1)
    assert np.linalg.norm(look(other.astype(np.uint8)) - look(portrait)) > 0.45


def test_same_looks_are_joined_over_shots():
    a, b, c = seen(0, 20, [0, 0]), seen(30, 50, [2, 0]), seen(60, 90, [0.1, 0], [9, 9])
    assert same_person([a, b, c], [0, 1, 2]) == [0, 1, 0]


def test_people_seen_together_are_never_joined():
    twins = [seen(0, 50, [0, 0]), seen(40, 90, [0, 0]), seen(60, 80, [0.01, 0])]
    labels = same_person(twins, [0, 0, 0])
    assert labels[0] != labels[1]
    assert labels[1] != labels[2]
    assert labels[0] == labels[2]


def test_the_most_alike_are_joined_first():
    """The second could be either of the two that follow, but not both, as these are seen together."""
    labels = same_person([seen(0, 9, [0, 0]), seen(20, 40, [0.3, 0]), seen(20, 40, [0.1, 0], x=400)], [0, 1, 1])
    assert labels[0] == labels[2] != labels[1]


@pytest.mark.parametrize(
    ("distance", "shots", "first", "x", "joined"),
    [
        (0.40, [0, 1], 30, 100, True),
        (0.50, [0, 1], 30, 100, False),
        (0.50, [0, 0], 300, 400, True),
        (0.65, [0, 0], 300, 400, False),
        (0.65, [0, 0], 40, 110, True),
        (0.65, [0, 0], 40, 400, False),
        (1.00, [0, 0], 22, 110, True),
        (1.00, [0, 0], 40, 110, False),
    ],
)
def test_circumstances_decide_how_alike_they_must_look(distance, shots, first, x, joined):
    labels = same_person([seen(0, 20, [0, 0]), seen(first, first + 20, [distance, 0], x=x)], shots)
    assert (labels[0] == labels[1]) is joined


def test_tracklets_without_looks_stand_alone():
    assert same_person([seen(0, 0), seen(1, 1), seen(2, 30, [0, 0])], [0, 0, 0]) == [0, 1, 2]
    assert same_person([], []) == []
