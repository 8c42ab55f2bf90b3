from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkedit_sdk.face.region import Patch, Region

centres = st.floats(-500, 2500)
sides = st.floats(2, 3000)
rolls = st.floats(-math.pi, math.pi)
regions = st.builds(Region, centres, centres, sides, rolls)


@given(regions)
def test_matrix_maps_the_crop_onto_the_square(region):
    matrix = region.matrix(192)
    middle = matrix @ (95.5, 95.5, 1)
    np.testing.assert_allclose(middle, (region.x, region.y), atol=1e-6)
    edge = matrix[:, :2] @ (192, 0)
    assert np.hypot(*edge) == pytest.approx(region.side)
    assert math.remainder(math.atan2(edge[1], edge[0]) - region.roll, math.tau) == pytest.approx(0, abs=1e-6)


def test_region_around_landmarks_turns_and_grows_with_them():
    points = np.random.default_rng(0).uniform(-50, 50, (478, 3))
    points[33], points[263] = (-30, 0, 0), (30, 0, 0)
    upright = Region.around(points)
    assert upright.side == pytest.approx(150, rel=0.03)
    c, s = math.cos(0.5), math.sin(0.5)
    turned = points @ (2 * np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])) + (100, 70, 0)
    region = Region.around(turned)
    assert region.roll == pytest.approx(0.5)
    assert region.side == pytest.approx(2 * upright.side)
    assert (region.x, region.y) == pytest.approx(
        (2 * (c * upright.x - s * upright.y) + 100, 2 * (s * upright.x + c * upright.y) + 70)
    )


@given(regions, regions)
def test_following_stays_within_the_slack(region, target):
    followed = region.followed(target, 0.01)
    assert followed.distance(target) <= 0.01 * region.side * 1.001 + 1e-6
    assert abs(followed.side - target.side) <= 0.01 * region.side * 1.001 + 1e-6
    assert abs(math.remainder(followed.roll - target.roll, math.tau)) <= 0.0101


def test_trembling_is_not_followed():
    region = Region(100, 100, 200, 0.1)
    assert region.followed(Region(101, 99, 201, 0.105), 0.01) == region


@pytest.mark.parametrize("side", [40, 192, 500, 1500])
def test_crop_shows_the_region_without_aliasing(side):
    y, x = np.mgrid[:1000, :1400]
    picture = np.stack([x / 1400 * 255, y / 1000 * 255, (x + y) % 2 * 255], axis=-1).astype(np.uint8)
    region = Region(700.3, 500.8, side, 0.4)
    crop = Patch(picture, region, 96).crop(region, 96).astype(float)
    u, v = np.meshgrid(np.arange(96), np.arange(96))
    where = region.matrix(96) @ np.stack([u.ravel(), v.ravel(), np.ones(96 * 96)])
    inside = (where.min(axis=0) > 20) & (where[0] < 1380) & (where[1] < 980)
    expected = where[:, inside] * [[255 / 1400], [255 / 1000]]
    found = crop.reshape(-1, 3)[inside]
    assert np.abs(found[:, :2].T - expected).max() < 3
    if side >= 192:
        assert np.abs(found[:, 2] - 127.5).max() < 45, "the finest pattern must fade to grey"


@pytest.mark.parametrize(
    "region", [Region(-900, -900, 300), Region(5000, 40, 3000), Region(0, 0, 1e5), Region(5, 5, 1e-3)]
)
def test_crop_outside_the_frame(region):
    picture = np.full((80, 60, 3), 200, np.uint8)
    crop = Patch(picture, region, 64).crop(region, 64)
    assert crop.shape == (64, 64, 3)
    if region.side == 300 or region.x == 5000:
        assert not crop[:, :20].any()


def test_patch_serves_slightly_different_views():
    picture = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 255, (900, 900, 3), np.uint8), (0, 0), 9)
    region = Region(450, 450, 500, 0.2)
    view = Region(450, 450, 525, 0.26)
    shared = Patch(picture, region, 128).crop(view, 128).astype(int)
    own = Patch(picture, view, 128).crop(view, 128).astype(int)
    assert np.abs(shared - own).max() <= 2
