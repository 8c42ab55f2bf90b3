from __future__ import annotations

import threading

import numpy as np
import pytest
from skimage import data

from talkedit_sdk.errors import WeightsError
from talkedit_sdk.face.detector import Detector
from talkedit_sdk.face.graph import Graph
from talkedit_sdk.face.landmarker import Landmarker
from talkedit_sdk.face.region import Region

FACE = Region(224, 115, 160)


@pytest.fixture(scope="module")
def landmarker():
    return Landmarker()


@pytest.fixture(scope="module")
def detector():
    return Detector()


def test_rough_region_gives_the_same_landmarks_as_a_good_one(landmarker, portrait):
    good = landmarker.locate(portrait, landmarker.locate(portrait, FACE).region)
    rough = landmarker.locate(portrait, Region(240, 100, 200, 0.15))
    off = np.linalg.norm((good.landmarks - rough.landmarks)[:, :2], axis=1).mean()
    assert off < 0.015 * np.ptp(good.landmarks[:, 0])


def test_no_face_no_landmarks(landmarker, portrait):
    assert landmarker.locate(portrait, Region(90, 420, 150)) is None
    assert landmarker.locate(data.coffee(), Region(300, 200, 250)) is None
    assert landmarker.locate(portrait, Region(-3000, 0, 200)) is None


def test_confidence_falls_as_the_face_is_covered(landmarker, portrait):
    covered = portrait.copy()
    covered[:, 224:] = 90
    sighting = landmarker.locate(covered, FACE)
    assert sighting is None or sighting.confidence < landmarker.locate(portrait, FACE).confidence - 0.05


def test_result_depends_on_nothing_seen_before(landmarker, portrait):
    first = landmarker.locate(portrait, FACE)
    landmarker.locate(portrait[:, ::-1].copy(), Region(288, 115, 160))
    np.testing.assert_array_equal(landmarker.locate(portrait, FACE).landmarks, first.landmarks)


def test_runs_in_another_thread(landmarker, portrait):
    answers = []
    thread = threading.Thread(target=lambda: answers.append(landmarker.locate(portrait, FACE)))
    thread.start()
    thread.join()
    np.testing.assert_array_equal(answers[0].landmarks, landmarker.locate(portrait, FACE).landmarks)


def test_detector_finds_the_face_whole_near_and_tiny(detector, portrait, place):
    best = detector.whole(portrait)[0]
    assert best.score > 0.7
    assert best.region.overlaps(FACE)
    assert detector.around(portrait, Region(200, 140, 150))[0].region.overlaps(FACE)
    tiny, _ = place((1080, 1920), (1512, 333), 0.3)
    found = detector.tiles(tiny)[0].region
    assert found.distance(Region(1512, 333, 50)) < 15
    assert found.side == pytest.approx(0.3 * best.region.side, rel=0.35)


def test_detector_gives_each_face_once(detector, place):
    two, _ = place((400, 600), (150, 200))
    two, _ = place((400, 600), (430, 180), onto=two)
    left, right = sorted(d.region.x for d in detector.whole(two))
    assert (left, right) == pytest.approx((150, 430), abs=15)


def test_missing_models_are_reported():
    with pytest.raises(WeightsError, match="pip install"):
        Graph('input_stream: "image" node { calculator: "NoSuchCalculator" }', {}, 8)
