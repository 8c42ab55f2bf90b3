from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from talkedit_sdk.face.topology import EYE_LEFT, EYE_RIGHT, IRIS_LEFT, IRIS_RIGHT, VERTICES
from talkedit_sdk.render.canvas import Canvas
from talkedit_sdk.render.eye import EyeMesh
from talkedit_sdk.render.rasterizer import make_rasterizer

SIDE = 160
CENTRE = np.array([80.0, 80.0])
WIDE, HIGH, IRIS = 60.0, 18.0, 22.0
INK, WHITE, SKIN = 40, 200, 130


@pytest.fixture(scope="module")
def mesh():
    return EyeMesh(EYE_RIGHT, IRIS_RIGHT, torch.device("cpu"))


def drawn_eye(angle=0.0, noise=0.0):
    """(160, 160, 3) an eye with a round dark iris whose top and bottom are under the lids, and its landmarks (1, 478,
    3)."""
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    y, x = np.mgrid[:SIDE, :SIDE]
    across, down = np.moveaxis((np.stack([x, y], -1) - CENTRE) @ turn, -1, 0)
    inside = np.abs(down) < HIGH * (1 - (across / WIDE) ** 2)
    picture = np.where(np.hypot(across, down) < IRIS, INK, WHITE).astype(np.float32)
    picture = cv2.GaussianBlur(picture, (0, 0), 0.7) + np.random.default_rng(0).normal(0, noise, (SIDE, SIDE))
    picture[~inside] = SKIN
    landmarks = np.zeros((1, 478, 3), np.float32)
    along = np.linspace(-WIDE, WIDE, 9)
    arch = HIGH * (1 - (along / WIDE) ** 2)
    contour = np.concatenate([np.stack([along, -arch], 1), np.stack([along, arch], 1)[-2:0:-1]])
    landmarks[0, list(EYE_RIGHT), :2] = contour @ turn.T + CENTRE
    outline = IRIS * np.array([[0, 0], [1, 0], [0, -1], [-1, 0], [0, 1]])
    landmarks[0, list(IRIS_RIGHT), :2] = outline @ turn.T + CENTRE
    return np.repeat(picture[..., None], 3, 2).clip(0, 255).round().astype(np.uint8), torch.from_numpy(landmarks)


def moved(up=0.0, down=0.0, angle=0.0):
    """(1, 468, 3) the upper lid lifted and the lower one lowered by pixels in the middle."""
    offsets = torch.zeros(1, VERTICES, 3)
    bow = torch.from_numpy(1 - np.linspace(-1, 1, 9)[1:-1] ** 2).float()
    for lid, step in ((EYE_RIGHT[1:8], -up), (EYE_RIGHT[9:][::-1], down)):
        offsets[0, list(lid), 0] = -np.sin(angle) * step * bow
        offsets[0, list(lid), 1] = np.cos(angle) * step * bow
    return offsets


def seen(mesh, picture, landmarks, offsets):
    """(160, 160) what lies inside the lids, drawn all over the picture."""
    opening = mesh.place(landmarks, offsets)
    canvas = Canvas(torch.from_numpy(picture)[None], make_rasterizer(torch.device("cpu")))
    nothing = torch.zeros(1, SIDE, SIDE, 1)
    colour, opacity = opening.inside(canvas, canvas.bounds, torch.zeros(1, SIDE, SIDE, 3), nothing)
    assert torch.equal(opacity, nothing)
    return colour[0, ..., 0].numpy()


def within(up, down, angle=0.0, inset=2.0):
    """(160, 160) bool, between the lids after they moved."""
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    y, x = np.mgrid[:SIDE, :SIDE]
    across, height = np.moveaxis((np.stack([x, y], -1) - CENTRE) @ turn, -1, 0)
    bow = 1 - (across / WIDE) ** 2
    return (
        (height > -(HIGH + up) * bow + inset) & (height < (HIGH + down) * bow - inset) & (np.abs(across) < 0.8 * WIDE)
    )


def test_lids_that_keep_still_show_the_frame_to_the_bit(mesh):
    picture, landmarks = drawn_eye(noise=5)
    assert np.array_equal(seen(mesh, picture, landmarks, moved()), picture[..., 0])
    assert np.array_equal(seen(mesh, picture, landmarks, moved(up=0.01)), picture[..., 0])


@pytest.mark.parametrize("angle", [0.0, 0.3, -0.4])
@pytest.mark.parametrize(("up", "down"), [(6.0, 0.0), (8.0, 3.0), (-8.0, -4.0), (4.0, -5.0)])
def test_the_iris_stays_round_and_where_it_is(mesh, up, down, angle):
    picture, landmarks = drawn_eye(angle)
    eye = seen(mesh, picture, landmarks, moved(up, down, angle))
    inside = within(up, down, angle)
    dark = (eye < (INK + WHITE) / 2) & inside
    y, x = np.mgrid[:SIDE, :SIDE]
    round_ = np.hypot(x - CENTRE[0], y - CENTRE[1]) < IRIS
    wrong = dark ^ (round_ & inside)
    assert wrong.sum() < 0.08 * (round_ & inside).sum()
    still = np.hypot(x - CENTRE[0], y - CENTRE[1]) < 3
    assert np.abs(eye - picture[..., 0])[still].mean() < 3


def test_nothing_of_the_skin_gets_in_when_a_lid_lifts(mesh):
    picture, landmarks = drawn_eye()
    eye = seen(mesh, picture, landmarks, moved(up=8, down=3))
    beside = within(8, 3) & (np.abs(np.mgrid[:SIDE, :SIDE][1] - CENTRE[0]) > IRIS + 6)
    assert beside.sum() > 500
    assert np.median(eye[beside]) == pytest.approx(WHITE, abs=2)
    assert (np.abs(eye[beside] - WHITE) < 15).mean() > 0.97


def test_what_is_laid_bare_has_the_grain_of_the_rest(mesh):
    picture, landmarks = drawn_eye(noise=6)
    eye = seen(mesh, picture, landmarks, moved(up=8))
    _, x = np.mgrid[:SIDE, :SIDE]
    white = np.abs(x - CENTRE[0]) > IRIS + 4
    source = picture[..., 0][within(0, 0) & white]
    bared = eye[within(8, 0) & ~within(0, 0) & white]
    assert len(bared) > 150
    assert bared.std() == pytest.approx(source.std(), rel=0.35)


def test_the_shadow_of_a_lid_goes_along(mesh):
    picture, landmarks = drawn_eye()
    shadow = within(0, 0, inset=0) & ~within(-5, 0, inset=0)
    shaded = picture.copy()
    shaded[shadow] //= 2
    eye = seen(mesh, shaded, landmarks, moved(up=8))
    for column in (45, 115):
        lid = CENTRE[1] - (HIGH + 8) * (1 - ((column - CENTRE[0]) / WIDE) ** 2)
        assert eye[int(lid) + 2, column] < 130
        assert eye[int(CENTRE[1]), column] > 180


def test_motion_of_the_lids_meets_that_of_the_skin(mesh):
    """At the margins the eyeball's pixels come from where the skin's do, or there would be a seam."""
    _, landmarks = drawn_eye()
    offsets = moved(up=7, down=-5)
    opening = mesh.place(landmarks, offsets)
    shift = opening.eyeball.shift((0, SIDE, 0, SIDE))[0]
    for vertex in (EYE_RIGHT[3], EYE_RIGHT[4], EYE_RIGHT[12], EYE_RIGHT[13]):
        place = (landmarks[0, vertex] + offsets[0, vertex])[:2].round().int()
        assert shift[place[1], place[0], 1] == pytest.approx(-float(offsets[0, vertex, 1]), abs=0.7)


def test_lids_of_a_shut_eye_move_as_one(mesh):
    _, landmarks = drawn_eye()
    contour = list(EYE_RIGHT)
    landmarks[:, contour, 1] = CENTRE[1] + 0.05 * (landmarks[:, contour, 1] - CENTRE[1])
    offsets = torch.zeros(1, VERTICES, 3)
    offsets[:, contour, 1] = 4
    shift = mesh.place(landmarks, offsets).eyeball.shift((0, SIDE, 0, SIDE))[0]
    assert shift[84, 40:120, 1].numpy() == pytest.approx(-4, abs=0.1)


@pytest.mark.parametrize("contour", [EYE_RIGHT, EYE_LEFT])
def test_shifts_are_finite_whatever_the_landmarks(contour):
    random = torch.Generator().manual_seed(0)
    mesh = EyeMesh(contour, IRIS_RIGHT if contour is EYE_RIGHT else IRIS_LEFT, torch.device("cpu"))
    landmarks = 100 * torch.rand(20, 478, 3, generator=random)
    landmarks[:5] = 50
    offsets = 30 * torch.randn(20, VERTICES, 3, generator=random)
    opening = mesh.place(landmarks, offsets)
    assert torch.isfinite(opening.eyeball.shift((0, 40, 0, 40))).all()
    some = opening[torch.tensor([3, 7])]
    assert torch.equal(some.eyeball.shift((0, 40, 0, 40)), opening.eyeball.shift((0, 40, 0, 40))[[3, 7]])


@pytest.mark.parametrize("angle", [0.0, 0.4])
def test_the_iris_moves_with_the_gaze_and_the_corners_keep_still(mesh, angle):
    picture, landmarks = drawn_eye(angle)
    canvas = Canvas(torch.from_numpy(picture)[None], make_rasterizer(torch.device("cpu")))
    still, moved = (
        mesh.place(landmarks, moved_not(landmarks), gaze).inside(
            canvas, canvas.bounds, torch.zeros(1, SIDE, SIDE, 3), torch.zeros(1, SIDE, SIDE, 1)
        )[0][0, ..., 0]
        for gaze in (None, torch.tensor([[0.4, 0.0]]))
    )
    y, x = np.mgrid[:SIDE, :SIDE]
    dark = [((picture_ < (INK + WHITE) / 2) & (picture_ != SKIN)).numpy() for picture_ in (still, moved)]
    went = [[axis[inside].mean() for axis in (x, y)] for inside in dark]
    assert went[1][0] - went[0][0] == pytest.approx(0.4 * IRIS, abs=1.2)
    corner = CENTRE + 0.95 * WIDE * np.array([np.cos(angle), np.sin(angle)])
    area = tuple(slice(int(c) - 2, int(c) + 3) for c in corner[::-1])
    assert torch.equal(still[area], moved[area])


def moved_not(landmarks):
    return torch.zeros(len(landmarks), VERTICES, 3)
