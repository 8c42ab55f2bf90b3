from __future__ import annotations

import pytest
import torch

from talkedit_sdk.face.topology import CHIN, FOREHEAD, LIPS_INNER, VERTICES
from talkedit_sdk.render.interior import LOWER, UPPER, Interior, resampled

ROWS, COLUMNS = 25, 41


def face(gap=40.0, width=100.0):
    """(1, 468, 3) an upright face of 400 pixels whose lips are `gap` apart everywhere but in the corners."""
    landmarks = torch.zeros(1, VERTICES, 3)
    landmarks[0, FOREHEAD, :2] = torch.tensor([200.0, 0.0])
    landmarks[0, CHIN, :2] = torch.tensor([200.0, 400.0])
    for side, lift in ((UPPER, 0.0), (LOWER, gap)):
        for place, vertex in enumerate(side):
            inner = 0 < place < len(side) - 1
            height = 280 + (lift if inner else gap / 2)
            landmarks[0, vertex, :2] = torch.tensor([200 + width * (place / 10 - 0.5), height])
    return landmarks


def between(landmarks):
    upper, lower = (resampled(landmarks[:, list(side)], COLUMNS) for side in (UPPER, LOWER))
    return torch.lerp(upper[:, None], lower[:, None], torch.linspace(0, 1, ROWS)[:, None, None])[..., :2]


@pytest.fixture
def interior():
    return Interior.of(face(), torch.full((1, 5), 0.5), torch.zeros(1, 2, len(UPPER)))


MIDDLE = slice(10, 31)


def test_nothing_moves_nothing_changes(interior):
    points = between(face())
    look = interior.look(points, torch.zeros(1, 2))
    torch.testing.assert_close(look.source, points, rtol=0, atol=1e-3)
    assert look.lifted.max() < 1e-3
    assert look.dropped.max() < 1e-3


def test_upper_teeth_keep_still_and_lower_ones_follow_the_jaw(interior):
    dropped = face(gap=60)
    points = between(dropped)
    source = interior.look(points, torch.tensor([[0.0, 20.0]])).source
    y = points[0, :, 20, 1]
    upper, lower = y < 296, y > 325
    torch.testing.assert_close(source[0, upper, 20], points[0, upper, 20])
    torch.testing.assert_close(source[0, lower, 20], points[0, lower, 20] - torch.tensor([0.0, 20.0]))
    assert (source[0, :, 20, 1].diff() > 0).all(), "and between them nothing is repeated or turned round"


def test_the_jaw_may_go_aside(interior):
    points = between(face(gap=60))
    source = interior.look(points, torch.tensor([[3.0, 20.0]])).source
    torch.testing.assert_close(source[0, -3, MIDDLE, 0], points[0, -3, MIDDLE, 0] - 3)
    torch.testing.assert_close(source[0, 3, MIDDLE, 0], points[0, 3, MIDDLE, 0])


def test_lips_that_go_further_than_teeth_show_tell_so(interior):
    lifted = face(gap=60) - torch.tensor([0.0, 10.0, 0.0])
    look = interior.look(between(lifted), torch.zeros(1, 2))
    assert look.lifted[0, 0, 20] == pytest.approx(10, abs=0.1)
    assert look.dropped[0, -1, 20] == pytest.approx(10, abs=0.1)
    assert look.lifted[0, 12, 20] == 0
    inside = look.source[0, :, MIDDLE, 1]
    assert inside.min() >= 279.99
    assert inside.max() <= 320.01


def test_corners_that_move_outwards_take_their_darkness_along(interior):
    look = interior.look(between(face(width=120)), torch.zeros(1, 2))
    x = look.source[0, 12, :, 0]
    assert x[0] == pytest.approx(150, abs=0.5)
    assert x[-1] == pytest.approx(250, abs=0.5)
    torch.testing.assert_close(x[16:25], between(face(width=120))[0, 12, 16:25, 0])


def test_corners_that_move_inwards_slide_over_the_teeth(interior):
    points = between(face(width=80))
    look = interior.look(points, torch.zeros(1, 2))
    torch.testing.assert_close(look.source[0, 12, :, 0], points[0, 12, :, 0])


def test_what_lips_will_uncover_excludes_their_own_edge():
    parting, bared = torch.full((1, 5), 0.5), torch.zeros(1, 2, len(UPPER))
    bared[:, 0] = 100.0
    careful, strict = Interior.of(face(), parting, bared), Interior.of(face(), parting)
    plain = Interior.of(face(), parting, torch.zeros_like(bared))
    assert (careful.upper - plain.upper)[0, 5, 1] > 2
    torch.testing.assert_close(careful.lower, plain.lower)
    torch.testing.assert_close(careful.upper, strict.upper)


def test_lips_that_passed_each_other_and_degenerate_faces_stay_finite():
    for landmarks in (face(gap=-4), torch.zeros(1, VERTICES, 3)):
        interior = Interior.of(landmarks, torch.full((1, 5), 0.5))
        look = interior.look(between(landmarks), torch.tensor([[2.0, 9.0]]))
        for values in (look.source, look.skull, look.lifted, look.dropped):
            assert torch.isfinite(values).all()


def test_contours_run_along_the_same_corners():
    assert UPPER[0] == LOWER[0] == LIPS_INNER[0]
    assert UPPER[-1] == LOWER[-1] == LIPS_INNER[len(LIPS_INNER) // 2]
    assert set(UPPER) | set(LOWER) == set(LIPS_INNER)
