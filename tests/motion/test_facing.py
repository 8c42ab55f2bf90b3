from __future__ import annotations

import pytest
import torch

from talkedit_sdk.face.topology import (
    BROW_LEFT,
    BROW_RIGHT,
    CHIN,
    EYE_LEFT,
    EYE_RIGHT,
    FOREHEAD,
    LIPS_INNER,
    LIPS_OUTER,
    VERTICES,
)
from talkedit_sdk.motion.facing import facing

CHEEK_LEFT, CHEEK_RIGHT = (288, 361, 323, 401, 435), (58, 132, 93, 177, 215)
MIDDLE = (FOREHEAD, 1, 4, 0, 13, 14, 17, CHIN)


def turned(yaw=0.0, pitch=0.0, roll=0.0):
    """(T, 3, 3) from angles in degrees; yaw towards picture left is positive."""
    pitch, yaw, roll = torch.broadcast_tensors(*(torch.deg2rad(torch.as_tensor(a).float()) for a in (pitch, yaw, roll)))

    def about(axis, angle):
        generator = torch.zeros(*angle.shape, 3, 3)
        one, other = (axis + 1) % 3, (axis + 2) % 3
        generator[..., other, one], generator[..., one, other] = angle, -angle
        return torch.matrix_exp(generator)

    return (about(2, roll) @ about(1, yaw) @ about(0, pitch)).reshape(-1, 3, 3)


@pytest.fixture(scope="module")
def weights(model):
    return lambda **angles: facing(turned(**angles), model.mean)


def test_a_face_seen_from_the_front_moves_as_a_whole(weights):
    kept = weights(yaw=[-2.0, 0.0, 3.0])
    assert kept.shape == (3, VERTICES)
    assert (kept > 0.99).all()


@pytest.mark.parametrize("angles", [{"pitch": 35.0}, {"pitch": -35.0}, {"roll": 60.0}, {"roll": -170.0}])
def test_nodding_and_tilting_hide_nothing(weights, angles):
    assert (weights(**angles) > 0.99).all()


@pytest.mark.parametrize("sign", [1, -1])
def test_the_hidden_side_keeps_still_and_the_visible_side_moves(weights, sign):
    hidden, seen = (CHEEK_RIGHT, CHEEK_LEFT) if sign > 0 else (CHEEK_LEFT, CHEEK_RIGHT)
    near_eye, far_eye = (EYE_LEFT, EYE_RIGHT) if sign > 0 else (EYE_RIGHT, EYE_LEFT)
    far_brow = BROW_RIGHT if sign > 0 else BROW_LEFT
    kept = weights(yaw=sign * 50.0)[0]
    assert (kept[list(hidden)] == 0).all()
    assert kept[list(far_eye)].mean() < 0.15
    assert kept[list(far_brow)].mean() < 0.25
    assert (kept[[*seen, *near_eye]] == 1).all()
    assert kept[list(MIDDLE)].min() > 0.9


def test_an_eye_that_is_still_seen_is_still_edited(weights):
    for sign, eye in ((-1, EYE_LEFT), (1, EYE_RIGHT)):
        assert weights(yaw=sign * 20.0)[0, list(eye)].min() > 0.9
        assert weights(yaw=sign * 30.0)[0, list(eye)].mean() > 0.75
        assert weights(yaw=sign * 30.0)[0, [*LIPS_OUTER, *LIPS_INNER]].min() > 0.9


def test_both_sides_alike(model, weights):
    left, right = weights(yaw=[20.0, 40.0, 60.0]), weights(yaw=[-20.0, -40.0, -60.0])
    torch.testing.assert_close(left, right[:, model.mirror], rtol=0, atol=0.02)


def test_turning_away_is_gradual(weights):
    """Neither a head that turns nor a pose that is a little off makes anything jump."""
    kept = weights(yaw=torch.linspace(0, 90, 181))
    steps = kept.diff(dim=0)
    assert steps.abs().max() < 0.06, "in half a degree"
    hidden = list(CHEEK_RIGHT)
    assert (steps[:, hidden] <= 0).all()
    assert kept.min() == 0
    assert kept.max() == 1


def test_no_edge_across_the_face(model, weights):
    """Neighbours keep similar shares, so that the skin is not torn where it goes out of sight."""
    kept = weights(yaw=[15.0, 30.0, 45.0, 60.0])
    corners = model.triangles.long()
    seen = kept[:, corners]
    steps = (seen - seen.roll(1, 2)).abs().amax(2)
    assert steps.max() < 0.9
    assert steps.mean() < 0.1
