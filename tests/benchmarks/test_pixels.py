from __future__ import annotations

from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

Array = NDArray[Any]


@pytest.fixture(scope="module")
def skin() -> Array:
    """(400, 400, 3) texture without grain."""
    noise = np.random.default_rng(7).integers(0, 256, (400, 400, 3)).astype(np.uint8)
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), 2))


def grainy(rgb: Array, amount: float) -> Array:
    noise = np.random.default_rng(2).normal(0, amount, rgb.shape)
    return np.clip(rgb + noise, 0, 255).round().astype(np.uint8)


def test_blurring_lowers_sharpness_and_grain_of_every_region(pixels: ModuleType, face: Array, skin: Array) -> None:
    real = grainy(skin, 3)
    sharp, blurred = pixels.texture(real, face), pixels.texture(cv2.GaussianBlur(real, (0, 0), 1), face)
    assert (blurred.sharpness < 0.8 * sharp.sharpness).all()
    assert (blurred.grain < 0.8 * sharp.grain).all()
    assert blurred.detail < 0.8 * sharp.detail


def test_only_the_region_that_is_blurred_loses_sharpness(pixels: ModuleType, face: Array, skin: Array) -> None:
    blurred = skin.copy()
    mouth = slice(int(face[0, 1]) - 15, int(face[17, 1]) + 15)
    blurred[mouth] = cv2.GaussianBlur(skin, (0, 0), 1.5)[mouth]
    ratio = pixels.texture(blurred, face).sharpness / pixels.texture(skin, face).sharpness
    eyes, lips, cheeks, forehead = ratio
    assert lips < 0.6
    assert (eyes, forehead) == (1, 1)
    assert cheeks > 0.9


def test_grain_is_the_variance_of_noise_and_hardly_sharpness(pixels: ModuleType, face: Array, skin: Array) -> None:
    flat = np.full_like(skin, 128)
    brightness = np.array([0.299, 0.587, 0.114])
    expected = 16 * (brightness**2).sum()
    kept = 0.62  # of the mean absolute noise: the strongest are taken for edges
    assert pixels.texture(grainy(flat, 4), face).grain == pytest.approx(kept * expected, rel=0.25)
    clean, noisy = pixels.texture(skin, face), pixels.texture(grainy(skin, 2), face)
    assert ((noisy.grain / clean.grain - 1) > 5 * np.abs(noisy.sharpness / clean.sharpness - 1)).all()


def test_a_strand_of_hair_is_not_sharp_skin(pixels: ModuleType, face: Array, skin: Array) -> None:
    skin, face = np.tile(skin, (3, 3, 1)), 3 * face
    strand = skin.copy()
    x, y = face[151, :2].astype(int)
    cv2.line(strand, (x, y - 60), (x, y + 60), (255, 255, 255), 2)
    plain, crossed = pixels.texture(skin, face), pixels.texture(strand, face)
    assert crossed.sharpness[3] == pytest.approx(plain.sharpness[3], rel=0.15)
    assert crossed.sharpness[:3].tolist() == plain.sharpness[:3].tolist()


def test_regions_go_where_the_landmarks_are(pixels: ModuleType, face: Array, skin: Array) -> None:
    moved = pixels.texture(np.roll(skin, (30, -20), (0, 1)), face + np.array([-20, 30, 0]))
    assert moved.sharpness == pytest.approx(pixels.texture(skin, face).sharpness)


def test_detail_sees_neither_eyes_nor_mouth(pixels: ModuleType, face: Array, skin: Array) -> None:
    blind = skin.copy()
    for x, y in face[[159, 386, 13], :2].astype(int):
        blind[y - 1 : y + 2, x - 2 : x + 3] = 0
    assert pixels.texture(blind, face).detail == pytest.approx(pixels.texture(skin, face).detail, rel=2e-3)


def test_colour_is_that_of_cheeks_and_forehead(pixels: ModuleType, face: Array) -> None:
    grey = np.full((400, 400, 3), 119, np.uint8)
    lips = grey.copy()
    x, y = face[14, :2].astype(int)
    lips[y - 4 : y + 5, x - 8 : x + 9] = (255, 0, 0)
    assert pixels.texture(grey, face).colour == pytest.approx([50, 0, 0], abs=0.3)
    assert pixels.texture(lips, face).colour.tolist() == pixels.texture(grey, face).colour.tolist()
    assert pixels.texture(grey + np.uint8(24), face).colour[0] == pytest.approx(59.4, abs=0.3)


def test_a_face_half_outside_the_picture_has_what_is_inside(pixels: ModuleType, face: Array, skin: Array) -> None:
    found = pixels.texture(skin, face - np.array([200, 0, 0]))
    assert found.detail > 0
    assert np.isfinite(found.sharpness).all()
    assert np.isnan(pixels.texture(skin, face - np.array([0, 200, 0])).sharpness[3])


def test_untouched_share_counts_changes_outside_the_face(pixels: ModuleType, face: Array, skin: Array) -> None:
    inside, outside = skin.copy(), skin.copy()
    inside[150:250, 150:250] += 1
    outside[:4, :, 1] ^= 1
    assert pixels.untouched_share(skin, inside, face) == 1
    share = pixels.untouched_share(skin, outside, face)
    assert 1 - 4 * 400 / 60_000 < share < 1 - 4 * 400 / 160_000
