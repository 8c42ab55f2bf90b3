from __future__ import annotations

import cv2
import numpy as np
import pytest

from talkedit_sdk.face.tracker import FaceMeshTracker
from talkedit_sdk.texture import views as module
from talkedit_sdk.texture.skin import SIDE, SkinMap
from talkedit_sdk.texture.views import VIEWS, SkinCollector, sharpness
from talkedit_sdk.video.types import Frame

NONE = np.full((2, 21, 2), np.nan, np.float32)


@pytest.fixture(scope="module")
def skin_map(model):
    return SkinMap(model)


@pytest.fixture
def collector(skin_map):
    return SkinCollector(skin_map)


@pytest.fixture(scope="module")
def sight(talk, talked):
    """A frame and its landmarks."""
    return talk[0], np.array(talked.faces[0].landmarks[0])


def rows_of(collector, *rows):
    return [view.row for view in collector.views(np.array(rows))]


def test_a_view_is_the_face_unrolled(collector, skin_map, sight):
    rgb, landmarks = sight
    collector.add(rgb, landmarks, 1.0, 0, 0.0, 7, NONE)
    (view,) = collector.views(np.array([3, 7]))
    assert view.row == 1
    assert view.texture.shape == (SIDE, SIDE, 3)
    assert np.array_equal(view.texture, skin_map.unwrap(rgb, landmarks))
    assert np.array_equal(view.landmarks, landmarks)


def test_small_turned_and_covered_faces_are_no_views(collector, sight):
    rgb, landmarks = sight
    width = np.ptp(landmarks[:, 0])
    small = landmarks * np.float32(50 / width)
    turned = landmarks.copy()
    turned[:, 2] = 2 * (landmarks[:, 0] - landmarks[:, 0].mean())
    hand = NONE.copy()
    hand[0] = landmarks[4, :2]
    collector.add(rgb, small, 1.0, 0, 0.0, 0, NONE)
    collector.add(rgb, turned, 1.0, 0, 1.0, 1, NONE)
    collector.add(rgb, landmarks, 1.0, 0, 2.0, 2, hand)
    assert rows_of(collector, 0, 1, 2) == []
    beside = NONE.copy()
    beside[0] = landmarks[:, :2].max(0) + 20
    collector.add(rgb, landmarks, 1.0, 0, 3.0, 3, beside)
    assert rows_of(collector, 0, 1, 2, 3) == [3]


def test_views_are_few_and_spread_over_the_clip(collector, sight):
    rgb, landmarks = sight
    for row in range(250):
        collector.add(rgb, landmarks, 1.0, 0, row / 25, row, NONE)
    rows = rows_of(collector, *range(250))
    assert len(rows) == VIEWS
    assert rows == sorted(set(rows))
    assert np.diff([0, *rows, 250]).max() < 50


def test_the_best_of_each_stretch_remains(collector, sight, monkeypatch):
    monkeypatch.setattr(module, "_SPAN", 0.1)
    collector._span = 1.0
    rgb, landmarks = sight
    blurred = cv2.GaussianBlur(rgb, (0, 0), 3)
    for row, (picture, sure) in enumerate([(blurred, 1.0), (rgb, 0.95), (blurred, 1.0), (rgb, 0.5)]):
        collector.add(picture, landmarks, sure, 0, 0.2 * row, row, NONE)
    assert rows_of(collector, 0, 1, 2, 3) == [1]


def test_no_clip_is_too_long(collector, sight, monkeypatch):
    monkeypatch.setattr(module, "_HELD", 16)
    rgb, landmarks = sight
    for row in range(120):
        collector.add(rgb, landmarks, 1.0, row // 40, row, row, NONE)
        assert len(collector._best) <= 16
    for person in range(3):
        assert len(collector.views(np.arange(40 * person, 40 * person + 40))) >= 2
    for row in range(120, 200):
        collector.add(rgb, landmarks, 1.0, row, row, row, NONE)
        assert len(collector._best) <= 16


def test_one_person_in_several_tracklets(collector, sight):
    rgb, landmarks = sight
    for row in range(30):
        collector.add(rgb, landmarks, 1.0, row // 10, float(row), row, NONE)
    rows = rows_of(collector, *range(10), *range(20, 30))
    assert len(rows) == VIEWS
    assert rows == sorted(rows)
    assert max(rows) < 20


def test_blur_shows_less(sight, skin_map):
    rgb, landmarks = sight
    blurred = cv2.GaussianBlur(rgb, (0, 0), 3)

    def detail(picture):
        return sharpness(skin_map.unwrap(picture, landmarks), skin_map)

    assert detail(blurred) < 0.7 * detail(rgb)


def test_tracking_gathers_views(talk, skin_map):
    frames = [Frame(index, index / 25, rgb) for index, rgb in enumerate(talk[:30])]
    (face,) = FaceMeshTracker(skin=skin_map).track(frames).faces
    assert 2 <= len(face.views) <= 4
    for view in face.views:
        assert np.abs(view.landmarks - face.landmarks[view.row]).max() < 0.1
    (face,) = FaceMeshTracker().track(frames[:1]).faces
    assert face.views == ()
