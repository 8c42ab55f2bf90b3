from __future__ import annotations

import pytest
import torch

from talkedit_sdk.face.model import REGIONS
from talkedit_sdk.face.topology import BROW_LEFT, BROW_RIGHT, CHIN, EYE_LEFT, LIPS_INNER, OVAL, VERTICES
from talkedit_sdk.training.basis import symmetric
from talkedit_sdk.training.layout import mobility_of, regions_of, triangles_of, uv_of


@pytest.fixture(scope="module")
def mean(model):
    return symmetric(model.mean, model.mirror)


@pytest.fixture(scope="module")
def triangles(mean):
    return triangles_of(mean)


def signed_areas(points, triangles):
    corners = points[triangles.long()]
    (ax, ay), (bx, by) = (corners[:, 1] - corners[:, 0]).T, (corners[:, 2] - corners[:, 0]).T
    return (ax * by - ay * bx) / 2


def test_a_face_has_852_triangles_and_three_holes(triangles):
    assert triangles.shape == (852, 3)
    assert triangles.dtype == torch.int32
    edges = torch.cat([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]).long().sort(1).values
    pairs, counts = torch.unique(edges, dim=0, return_counts=True)
    assert counts.max() == 2
    assert VERTICES - len(pairs) + len(triangles) == 1 - 3, "Euler: a disc with holes for two eyes and the mouth"
    border = set(pairs[counts == 1].flatten().tolist())
    assert set(OVAL) | set(EYE_LEFT) | set(LIPS_INNER) <= border


def test_triangles_wind_clockwise_in_the_picture(mean, triangles):
    assert (signed_areas(mean[:, :2], triangles) > 0).all()


def test_the_layout_fills_the_square_without_folds(mean, triangles, model):
    uv = uv_of(mean, triangles)
    assert uv.shape == (VERTICES, 2)
    assert uv.min() >= 0
    assert uv.max() <= 1
    assert (uv.max(0).values - uv.min(0).values).max() == pytest.approx(0.96, abs=1e-3)
    assert (signed_areas(uv, triangles) > 0).float().mean() > 0.99
    mirrored = torch.stack([1 - uv[:, 0], uv[:, 1]], 1)[model.mirror]
    torch.testing.assert_close(mirrored, uv, rtol=0, atol=0.02)


def test_regions(mean, model):
    regions = regions_of(mean)
    assert regions.shape == (len(REGIONS), VERTICES)
    torch.testing.assert_close(regions.sum(0), torch.ones(VERTICES))
    torch.testing.assert_close(regions[:, model.mirror], regions, rtol=0, atol=0.1)


def test_mobility(mean, model):
    """Nothing moves on bone and at the hairline; skin before the ears is held softly; brows, lips and chin are free."""
    mobility = mobility_of(mean)
    torch.testing.assert_close(mobility, model.mobility, rtol=0, atol=1e-3)
    torch.testing.assert_close(mobility[model.mirror], mobility, rtol=0, atol=0.02)
    assert mobility[[168, 10, 109, 338, 162, 389, 234, 454]].max() < 0.01
    assert mobility[[*LIPS_INNER, *BROW_LEFT, *BROW_RIGHT, CHIN, 205, 425]].min() > 0.9
    jawline = mobility[[454, 323, 361, 288, 397, 365, CHIN]]
    assert (jawline.diff() > -1e-3).all(), "more and more from the ear to the chin"
    assert jawline.diff().max() < 0.6, "without a step"
    forehead = mobility[[10, 151, 9]]
    assert (forehead.diff() > 0.2).all()
