from __future__ import annotations

import cv2
import numpy as np
import pytest

from talkedit_sdk.face.mouths import MouthCollector, openness, parting
from talkedit_sdk.face.topology import LIP_PAIRS, LIPS_INNER, LIPS_OUTER

HALF = len(LIPS_INNER) // 2
UPPER, LOWER = list(LIPS_INNER[1:HALF]), list(LIPS_INNER[HALF + 1 :])


@pytest.fixture(scope="module")
def opened(reference, portrait):
    """Draws the portrait with its lower lip `gap` pixels further down and the inside as asked for."""

    def opened(gap, size=3.0, dark=0.5):
        points = reference.astype(np.float32).copy()
        points[[*LOWER, *LIPS_OUTER[HALF + 1 :]], 1] += gap
        points *= np.float32(size)
        rgb = cv2.resize(portrait, None, fx=size, fy=size, interpolation=cv2.INTER_CUBIC)
        contour = np.rint(points[list(LIPS_INNER), :2]).astype(np.int32)
        cv2.fillPoly(rgb, [contour], (235, 235, 225))
        upper, lower = (np.array([points[pair[side], :2] for pair in LIP_PAIRS]) for side in (0, 1))
        line = np.rint(upper + dark * (lower - upper)).astype(np.int32)
        cv2.polylines(rgb, [line], False, (20, 10, 10), max(int(0.12 * size * gap), 2))
        return rgb, points

    return opened


def test_openness_grows_with_the_gap_and_not_with_the_size(opened):
    narrow, wide = openness(opened(4)[1]), openness(opened(16)[1])
    assert narrow < wide
    assert wide == pytest.approx(openness(opened(16, size=1.5)[1]), rel=1e-3)
    assert openness(np.zeros((478, 3), np.float32)) == 0


@pytest.mark.parametrize("dark", [0.3, 0.5, 0.7])
def test_teeth_part_where_it_is_dark(opened, dark):
    found = parting(*opened(20, dark=dark))
    assert found.shape == (len(LIP_PAIRS),)
    np.testing.assert_allclose(found[1:4], dark, atol=0.08)


def test_without_darkness_all_teeth_belong_to_the_skull(opened):
    rgb, points = opened(20)
    np.testing.assert_allclose(parting(np.full_like(rgb, 200), points), 0.92, atol=0.01)


def test_the_parting_does_not_leap(opened):
    steps = np.diff([parting(*opened(20, dark=dark))[2] for dark in np.linspace(0.3, 0.7, 21)])
    assert np.abs(steps).max() < 0.08


def test_closed_tiny_and_cropped_mouths_are_no_views(opened):
    collector = MouthCollector()
    rgb, points = opened(16)
    closed = points.copy()
    closed[[pair[1] for pair in LIP_PAIRS]] = closed[[pair[0] for pair in LIP_PAIRS]]
    collector.add(rgb, closed, 1.0)
    collector.add(rgb, 0.05 * points, 1.0)
    collector.add(rgb, points + np.array([-2000, 0, 0], np.float32), 1.0)
    assert collector.views == ()


def test_a_hand_before_the_mouth_is_no_view(opened):
    rgb, points = opened(16)
    away, over = np.full((2, 21, 2), np.nan, np.float32), np.full((2, 21, 2), np.nan, np.float32)
    away[0], over[1] = (5, 5), points[13, :2]
    collector = MouthCollector()
    collector.add(rgb, points, 1.0, over)
    assert collector.views == ()
    collector.add(rgb, points, 1.0, away)
    assert len(collector.views) == 1


def test_views_are_in_order_of_openness_and_crops_fit_their_landmarks(opened):
    collector = MouthCollector()
    for gap in (20, 12, 16, 8):
        collector.add(*opened(gap), 1.0)
    views = collector.views
    assert len(views) >= 2
    assert sorted(openness(view.landmarks) for view in views) == [openness(view.landmarks) for view in views]
    for view in views:
        lips = view.landmarks[list(LIPS_OUTER), :2]
        assert view.rgb.shape[1] <= 256
        assert (lips > 0).all()
        assert (lips < view.rgb.shape[1::-1]).all()
        inside = view.landmarks[[pair[0] for pair in LIP_PAIRS], :2]
        column, row = np.rint(inside[2] + (0, 3)).astype(int)
        assert view.rgb[row, column].min() > 150, "teeth are where the landmarks say"


def test_only_a_clearly_better_view_replaces_one(opened):
    collector = MouthCollector()
    rgb, points = opened(16)
    blurred = cv2.GaussianBlur(rgb, (0, 0), 4)
    collector.add(blurred, points, 1.0)
    first = collector.views[0]
    collector.add(blurred, points, 1.05)
    assert collector.views[0] is first
    collector.add(rgb, points, 1.0)
    assert collector.views[0] is not first


def test_large_mouths_are_stored_small(opened):
    collector = MouthCollector()
    collector.add(*opened(16, size=8.0), 1.0)
    (view,) = collector.views
    assert view.rgb.shape[1] == 256


def test_merging_keeps_the_best_of_both(opened):
    sharp, blurred = MouthCollector(), MouthCollector()
    rgb, points = opened(16)
    sharp.add(rgb, points, 1.0)
    blurred.add(cv2.GaussianBlur(rgb, (0, 0), 4), points, 1.0)
    blurred.add(*opened(8), 1.0)
    merged = sharp.merge(blurred).views
    assert len(merged) == 2
    assert merged[1] is sharp.views[0]


def test_a_track_brings_its_mouth_along(tracker, as_clip, portrait):
    (face,) = tracker.track(as_clip([portrait] * 3)).faces
    assert face.partings.shape == (3, len(LIP_PAIRS))
    assert face.partings.dtype == np.float32
    assert all(view.rgb.dtype == np.uint8 for view in face.mouths)
