from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage import data

from talkedit_sdk.face.topology import EYE_LEFT, EYE_RIGHT, LIPS_OUTER, VERTICES
from talkedit_sdk.face.tracker import FaceMeshTracker
from talkedit_sdk.texture.uv import TexelMap
from talkedit_sdk.video.types import Frame


def place(model, size=(200, 260), at=(130.0, 100.0), scale=60.0):
    """Landmarks of the mean face in a picture of that size."""
    landmarks = np.zeros((478, 3), np.float32)
    landmarks[:VERTICES] = scale * model.mean.numpy()
    landmarks[:, :2] += np.array(at) - landmarks[:VERTICES, :2].mean(0)
    return landmarks


@pytest.fixture(scope="module", params=[16, 48, 256])
def sized(model, request):
    return TexelMap(model, request.param)


def test_texels_lie_where_the_layout_says(model, sized):
    """Spreading the layout itself over the texels gives their own places."""
    rows, columns = np.nonzero(sized.inside)
    places = sized.spread(model.uv.numpy()) * sized.side - 0.5
    np.testing.assert_allclose(places, np.stack([columns, rows], 1), atol=1e-3)
    assert sized.weights.min() >= 0
    np.testing.assert_allclose(sized.weights.sum(1), 1, atol=1e-5)
    assert 0.45 < sized.inside.mean() < 0.7


def test_openings_are_no_skin(model):
    texels = TexelMap(model, 256)
    for vertices, skin in ((EYE_LEFT, False), (EYE_RIGHT, False), ([1], True), ([17], True)):
        column, row = (256 * model.uv[list(vertices)].mean(0) - 0.5).round().int().tolist()
        assert texels.inside[row, column] == skin


@pytest.mark.parametrize("scale", [12.0, 60.0, 400.0])
def test_a_ramp_stays_a_ramp(model, sized, scale):
    """A picture whose colour tells the place unrolls into the places of the texels, whatever the size of the face."""
    side = int(4 * scale)
    y, x = np.mgrid[:side, :side] * (255 / side)
    picture = np.stack([x, y, np.full_like(x, 77)], -1).round().astype(np.uint8)
    landmarks = place(model, at=(side / 2, side / 2), scale=scale)
    texture = sized.unwrap(picture, landmarks)
    assert texture.shape == (sized.side, sized.side, 3)
    assert (texture[~sized.inside] == 0).all()
    expected = sized.spread(landmarks[:VERTICES, :2]) * (255 / side)
    assert np.abs(texture[sized.inside][:, :2] - expected).max() < 255 / side / 2 + 1.5
    assert (texture[sized.inside][:, 2] == 77).all()


def test_small_patterns_average_out(model, texels):
    """Stripes finer than a texel do not turn into large ones."""
    picture = np.zeros((800, 800, 3), np.uint8)
    picture[:, ::2] = 200
    inside = texels.unwrap(picture, place(model, at=(400, 400), scale=250))[texels.inside].astype(float)
    assert abs(inside.mean() - 100) < 3
    assert inside.std() < 12


@given(
    st.floats(-300, 500),
    st.floats(-300, 500),
    st.floats(0.5, 300),
    st.integers(1, 60),
    st.integers(1, 60),
    st.integers(0, 9),
)
def test_faces_beyond_the_frame_do_no_harm(model, texels, x, y, scale, height, width, seed):
    picture = np.random.default_rng(seed).integers(1, 256, (height, width, 3), dtype=np.uint8)
    texture = texels.unwrap(picture, place(model, at=(x, y), scale=scale))
    assert texture.dtype == np.uint8
    assert (texture[texels.inside] > 0).all()


def test_the_same_skin_at_any_size_and_place(texels, follow):
    """The astronaut near and far, here and there: the same texture but for what is lost in few pixels."""
    portrait = data.astronaut()[:240, 104:344]
    textures = []
    for side, corner in ((600, (0, 0)), (420, (90, 40)), (300, (10, 200))):
        canvas = np.full((640, 640, 3), 128, np.uint8)
        canvas[corner[0] : corner[0] + side, corner[1] : corner[1] + side] = cv2.resize(portrait, (side, side))
        (face,) = follow([canvas]).faces
        textures.append(face.textures[0][texels.inside].astype(float))
    for other in textures[1:]:
        assert np.corrcoef(textures[0].ravel(), other.ravel())[0, 1] > 0.97
        assert np.abs(textures[0] - other).mean() < 8
    lips = np.zeros(VERTICES, bool)
    lips[list(LIPS_OUTER)] = True
    on_lips = lips[texels.corners].all(1) | np.isin(texels.corners, [0, 17]).any(1)
    redness = textures[0][:, 0] - textures[0][:, 1]
    assert redness[on_lips].mean() > redness.mean() + 5


def test_what_faces_the_camera(model, sized):
    front = place(model)
    turned = front.copy()
    angle = 1.2
    x, z = front[:, 0] - front[:, 0].mean(), front[:, 2]
    turned[:, 0], turned[:, 2] = np.cos(angle) * x + np.sin(angle) * z + 130, np.cos(angle) * z - np.sin(angle) * x
    facing = sized.facing(np.stack([front, turned]))
    assert facing.shape == (2, int(sized.inside.sum()))
    assert np.abs(facing).max() <= 1.0001
    assert np.median(facing[0]) > 0.6
    left = np.nonzero(sized.inside)[1] < sized.side / 3
    right = np.nonzero(sized.inside)[1] > 2 * sized.side / 3
    hidden, seen = sorted((facing[1][left].mean(), facing[1][right].mean()))
    assert hidden < -0.2
    assert seen > 0.5


def test_tracking_gathers_the_textures(talk, talked, texels):
    (face,) = talked.faces
    assert face.textures.shape == (75, 48, 48, 3)
    assert face.hands.shape == (75, 2, 21, 2)
    for row in (0, 40):
        there = texels.unwrap(talk[face.frames[row]], face.landmarks[row])
        assert np.abs(face.textures[row].astype(int) - there).max() <= 1, "but for rounded landmarks"
    with pytest.raises(ValueError, match="read-only"):
        face.textures[0] = 0


def test_who_wants_landmarks_only_gets_them_alone(talk):
    (face,) = FaceMeshTracker().track([Frame(0, 0.0, talk[0])]).faces
    assert face.textures is None
    assert face.hands is None
