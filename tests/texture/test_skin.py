from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from talkedit_sdk.face.topology import INDEX, LIP_PAIRS, VERTICES
from talkedit_sdk.texture.skin import SkinMap, even_light, mouth_patch
from talkedit_sdk.texture.uv import TexelMap

SIDE = 128


@pytest.fixture(scope="module")
def skin_map(model):
    return SkinMap(model, SIDE)


def place(model, scale=100.0, at=(200.0, 200.0), jaw=0.0):
    """Landmarks of the mean face with its mouth open."""
    landmarks = np.zeros((478, 3), np.float32)
    landmarks[:VERTICES] = (model.mean + jaw * model.expression[INDEX["jawOpen"]]).numpy()
    landmarks *= np.float32(scale)
    landmarks[:, :2] += np.float32(at)
    return landmarks


def turned(landmarks, angle):
    x, z = landmarks[:, 0] - landmarks[:, 0].mean(), landmarks[:, 2]
    other = landmarks.copy()
    other[:, 0] = np.cos(angle) * x + np.sin(angle) * z + landmarks[:, 0].mean()
    other[:, 2] = np.cos(angle) * z - np.sin(angle) * x
    return other


@pytest.mark.parametrize("side", [64, 128, 256, 512])
def test_the_mouth_lies_in_a_corner_that_the_face_leaves_free(model, side):
    both, face = SkinMap(model, side), TexelMap(model, side)
    assert np.array_equal(both.inside & ~both.mouth, face.inside)
    assert not (both.mouth & face.inside).any()
    assert both.mouth[mouth_patch(side)].mean() > 0.85
    around = cv2.dilate(both.mouth.astype(np.uint8), np.ones((side // 32 + 1,) * 2, np.uint8)) > 0
    assert not (around & face.inside).any(), "small filters do not mix the mouth with the face"


def test_the_mouth_goes_from_corner_to_corner_and_from_lip_to_lip(model, skin_map):
    landmarks = place(model, jaw=0.8)
    positions = np.zeros((SIDE, SIDE, 2), np.float32)
    positions[skin_map.inside] = skin_map.spread(landmarks[:VERTICES, :2])
    patch, mouth = positions[mouth_patch(SIDE)], skin_map.mouth[mouth_patch(SIDE)]
    middle = len(patch) // 2
    assert (np.diff(patch[middle][mouth[middle]][:, 0]) > 0).all()
    assert (np.diff(patch[:, patch.shape[1] // 2][mouth[:, patch.shape[1] // 2]][:, 1]) > 0).all()
    column = patch[:, patch.shape[1] // 2]
    upper, lower = landmarks[list(LIP_PAIRS[2]), 1]
    np.testing.assert_allclose((column[0, 1], column[-1, 1]), (upper, lower), atol=0.03 * (lower - upper))
    corners = landmarks[[78, 308], 0]
    np.testing.assert_allclose(patch[middle, [0, -1], 0], corners, atol=0.03 * (corners[1] - corners[0]))


@pytest.mark.parametrize("scale", [15.0, 60.0, 170.0, 400.0])
def test_a_ramp_stays_a_ramp(model, skin_map, scale):
    side = int(4 * scale)
    y, x = np.mgrid[:side, :side] * (255 / side)
    picture = np.stack([x, y, np.full_like(x, 77)], -1).round().astype(np.uint8)
    landmarks = place(model, scale, (side / 2, side / 2), jaw=0.6)
    texture = skin_map.unwrap(picture, landmarks)
    expected = skin_map.spread(landmarks[:VERTICES, :2]) * (255 / side)
    assert np.abs(texture[skin_map.inside][:, :2] - expected).max() < 255 / side / 2 + 1.5
    assert (texture[~skin_map.inside] == 0).all()


def test_stripes_finer_than_a_texel_average_out(model, skin_map):
    picture = np.zeros((900, 900, 3), np.uint8)
    picture[:, ::2] = 200
    middle = slice(SIDE // 3, 2 * SIDE // 3)
    texture = skin_map.unwrap(picture, place(model, 270, (450, 450)))[middle, middle].astype(float)
    seen = texture[skin_map.inside[middle, middle]]
    assert abs(seen.mean() - 100) < 3
    assert seen.std() < 25


def test_what_is_visible(model, skin_map):
    front = place(model)
    seen = skin_map.visible(front)
    assert seen.shape == (SIDE, SIDE)
    assert seen.min() >= 0
    assert seen.max() <= 1
    assert (seen[~skin_map.inside] == 0).all()
    assert seen[int(0.62 * SIDE), SIDE // 3] == 1
    sides = skin_map.visible(turned(front, 1.2))
    left, right = sides[:, : SIDE // 3].mean(), sides[: int(0.8 * SIDE), -SIDE // 3 :].mean()
    assert min(left, right) < 0.05
    assert max(left, right) > 0.3


def test_nothing_is_seen_beyond_the_frame(model, skin_map):
    landmarks = place(model)
    seen = skin_map.visible(landmarks, (400, 200))
    assert seen[:, SIDE // 2 + 2 :].max() == 0
    assert seen[:, : SIDE // 2 - 2].max() == 1
    assert np.array_equal(skin_map.visible(landmarks, (400, 400)), skin_map.visible(landmarks))


def test_an_inside_is_seen_of_open_mouths_only(model, skin_map):
    shut, ajar, wide = (skin_map.visible(place(model, jaw=jaw))[skin_map.mouth].mean() for jaw in (0.0, 0.1, 0.8))
    assert shut == 0
    assert 0.05 < ajar < 0.95
    assert wide > 0.95


def test_visibility_does_not_leap(model, skin_map):
    poses = [turned(place(model, jaw=0.8 * t), 1.4 * t) for t in np.linspace(0, 1, 141)]
    seen = np.stack([skin_map.visible(pose) for pose in poses])
    assert np.abs(np.diff(seen, axis=0)).max() < 0.12


def test_regions_are_where_skin_folds(model, skin_map):
    regions = skin_map.regions(model)
    assert set(regions) == {
        "forehead", "glabella", "nose_root", "crows_feet", "nasolabial", "chin", "lips", "mouth",
    }  # fmt: skip
    for name, vertices in {
        "forehead": (151, 299), "glabella": (9,), "nose_root": (6,), "crows_feet": (35, 265),
        "nasolabial": (206, 426), "chin": (200,), "lips": (0, 17),
    }.items():  # fmt: skip
        for column, row in (SIDE * model.uv[list(vertices)] - 0.5).round().int().tolist():
            assert regions[name][row, column] > 0.9
    for name, mask in regions.items():
        assert mask.dtype == np.float32
        assert (mask[~skin_map.inside] == 0).all()
        assert mask.max() == pytest.approx(1, abs=0.02)
        assert 0.003 < mask.mean() < 0.08
        if name != "mouth":
            assert ((mask > 0.05) & (mask < 0.95)).any(), "soft"
            assert np.abs(mask - mask[:, ::-1]).mean() < 0.1 * mask.mean(), "on both sides"
            assert mask[skin_map.mouth].max() == 0


@pytest.fixture(scope="module")
def face(skin_map):
    """A texture with freckles and a brow, and what is visible of it."""
    generator = np.random.default_rng(0)
    albedo = np.full((SIDE, SIDE), 0.5)
    albedo[40:46, 30:60] = 0.15
    spots = generator.integers(30, 95, (60, 2))
    albedo[spots[:, 0], spots[:, 1]] *= 0.6
    visible = torch.from_numpy((skin_map.inside & ~skin_map.mouth).astype(np.float32))
    return albedo * skin_map.inside, visible


def evened(albedo, visible, light=1.0):
    texture = np.repeat((255 * albedo * light).clip(0, 255)[..., None], 3, -1).round().astype(np.uint8)
    return even_light(torch.from_numpy(texture)[None], visible[None])[0]


def test_light_and_skin_tone_go_marks_stay(face):
    albedo, visible = face
    column = np.linspace(0, 1, SIDE)
    plain, lit, dark = (evened(albedo, visible, light) for light in (1.0, 0.55 + 0.9 * column, 0.45))
    inner = visible.bool() & (torch.nn.functional.avg_pool2d(visible[None], 9, 1, 4)[0] > 0.99)
    assert (lit - plain)[:, inner].abs().mean() < 0.05
    assert (dark - plain)[:, inner].abs().mean() < 0.05
    assert float(lit[:, 41:45, 35:55].mean()) < -0.6, "the brow stays dark"
    assert float((plain[:, inner]).mean().abs()) < 0.08


def test_nothing_where_nothing_is_visible(face):
    albedo, visible = face
    half = visible.clone()
    half[:, SIDE // 2 :] = 0
    skin = evened(albedo, half)
    assert skin[..., SIDE // 2 :].abs().max() == 0
    whole = evened(albedo, visible)
    assert (skin - whole)[:, :, 20 : SIDE // 2 - 25].abs().mean() < 0.1
    nothing = evened(albedo, torch.zeros_like(visible))
    assert nothing.abs().max() == 0
    assert bool(torch.isfinite(nothing).all())


def test_mouths_are_compared_with_the_skin_around_them(skin_map, face):
    albedo, visible = face
    open_mouth = torch.maximum(visible, torch.from_numpy(skin_map.mouth.astype(np.float32)))
    means = []
    for inside in (0.05, 0.5, 0.8):
        albedo = albedo.copy()
        albedo[skin_map.mouth] = inside
        skin = evened(albedo, open_mouth)
        means.append(float(skin[:, torch.from_numpy(skin_map.mouth)].mean()))
        torch.testing.assert_close(skin[:, visible.bool()], evened(albedo, visible)[:, visible.bool()])
    assert means[0] < -1.5
    assert abs(means[1]) < 0.15
    assert means[2] > 0.3


def test_no_views_no_skin():
    assert even_light(torch.zeros(0, 64, 64, 3, dtype=torch.uint8), torch.zeros(0, 64, 64)).shape == (0, 3, 64, 64)
