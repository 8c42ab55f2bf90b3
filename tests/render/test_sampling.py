from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
import torch

from talkedit_sdk.errors import OptionError
from talkedit_sdk.render.sampling import KERNEL, sample


def texture(height, width, seed=0):
    """Noise with the detail of a sharp photo, over the whole range of levels."""
    rng = np.random.default_rng(seed)
    noise = sum(cv2.GaussianBlur(rng.normal(size=(height, width, 3)), (0, 0), s) * s for s in (0.6, 1.5, 4, 12))
    return np.clip(128 + 60 * (noise - noise.mean()) / noise.std(), 0, 255).astype(np.uint8)


def pixels(height, width):
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return np.stack((x, y), -1)


def on_tensor(image, coordinates):
    return sample(torch.from_numpy(image)[None], torch.from_numpy(coordinates)[None])[0].numpy()


def exact(image, coordinates):
    """In float64, pixel by pixel, with the rows of the kernel interpolated at the exact position."""
    height, width, _ = image.shape
    x, y = np.moveaxis(coordinates.astype(np.float64), -1, 0)
    kernel = KERNEL.astype(np.float64)

    def weights(position):
        phase = (position - np.floor(position)) * (len(kernel) - 1)
        low = np.floor(phase).astype(int)
        share = (phase - low)[..., None]
        return (1 - share) * kernel[low] + share * kernel[np.minimum(low + 1, len(kernel) - 1)]

    across, down = weights(x), weights(y)
    total = np.zeros((*x.shape, 3))
    for row in range(6):
        for column in range(6):
            at_x, at_y = np.floor(x) + column - 2, np.floor(y) + row - 2
            color = image[np.clip(at_y, 0, height - 1).astype(int), np.clip(at_x, 0, width - 1).astype(int)]
            total += (across[..., column] * down[..., row])[..., None] * color
    return np.clip(np.rint(total), 0, 255)


def test_the_kernel_shifts_waves_without_bending_or_damping_them():
    for fraction in (0.1, 0.25, 0.5, 0.9):
        weights = KERNEL[round(fraction * (len(KERNEL) - 1))].astype(np.float64)
        for share, tolerance in ((0.05, 0.02), (0.1, 0.02), (0.2, 0.03), (0.4, 0.1), (0.6, 0.2)):
            frequency = np.pi * share
            response = (weights * np.exp(1j * frequency * (np.arange(-2, 4)))).sum()
            ideal = np.exp(1j * frequency * fraction)
            assert abs(response / ideal - 1) < tolerance, (fraction, share)
    np.testing.assert_array_equal(KERNEL[0], [0, 0, 1, 0, 0, 0])
    np.testing.assert_array_equal(KERNEL, KERNEL[::-1, ::-1])


BOTH = pytest.mark.parametrize("sampler", [sample, on_tensor], ids=["array", "tensor"])


@BOTH
def test_integer_coordinates_copy_pixels(sampler):
    image = texture(40, 57)
    np.testing.assert_array_equal(sampler(image, pixels(40, 57)), image)
    shifted = sampler(image, pixels(50, 70) - 5)
    np.testing.assert_array_equal(shifted, np.pad(image, ((5, 5), (5, 8), (0, 0)), mode="edge"))


@BOTH
@pytest.mark.parametrize("size", [(64, 48), (7, 9), (2, 5), (1, 1), (6, 7)])
def test_fractional_coordinates_follow_the_kernel(sampler, size):
    image = texture(*size)
    rng = np.random.default_rng(1)
    coordinates = rng.uniform(-9, (size[1] + 9, size[0] + 9), (80, 60, 2)).astype(np.float32)
    difference = sampler(image, coordinates).astype(int) - exact(image, coordinates)
    assert np.abs(difference).max() <= 1
    assert (difference != 0).mean() < 0.05  # 1/1024 of a pixel moves few colours over a rounding border


def test_arrays_and_tensors_agree():
    image = texture(90, 120)
    coordinates = pixels(90, 120) + np.random.default_rng(2).normal(0, 3, (90, 120, 2)).astype(np.float32)
    difference = sample(image, coordinates).astype(int) - on_tensor(image, coordinates)
    assert np.abs(difference).max() <= 1
    assert (difference != 0).mean() < 1e-3


def test_a_batch_of_tensors_is_each_picture_by_itself():
    images = np.stack([texture(30, 40, seed) for seed in range(3)])
    coordinates = np.random.default_rng(3).uniform(0, 30, (3, 20, 25, 2)).astype(np.float32)
    together = sample(torch.from_numpy(images), torch.from_numpy(coordinates))
    assert together.dtype == torch.uint8
    for image, where, found in zip(images, coordinates, together, strict=True):
        np.testing.assert_array_equal(on_tensor(image, where), found)


def test_detail_survives_better_than_with_bicubic():
    image = texture(200, 200)

    def detail(picture):
        return (cv2.Laplacian(picture[8:-8, 8:-8].mean(-1), cv2.CV_64F) ** 2).mean() / reference

    reference = 1.0
    reference = detail(image)
    for shift in (0.25, 0.5):
        coordinates = pixels(200, 200) + np.float32(shift)
        bicubic = cv2.remap(image, coordinates, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        assert detail(bicubic) + 0.04 < detail(sample(image, coordinates)) < 1.02


def test_flat_colours_stay_and_overshoot_is_cut_off():
    rng = np.random.default_rng(4)
    coordinates = rng.uniform(-2, 22, (50, 50, 2)).astype(np.float32)
    for level in (0, 1, 200, 255):
        assert (sample(np.full((20, 20, 3), level, np.uint8), coordinates) == level).all()
    checkers = np.repeat(np.indices((20, 20)).sum(0)[..., None] // 4 % 2 * 255, 3, -1).astype(np.uint8)
    np.testing.assert_allclose(sample(checkers, coordinates), exact(checkers, coordinates), atol=1)
    np.testing.assert_allclose(KERNEL.sum(1), 1, atol=1e-6)


@BOTH
def test_coordinates_without_a_place(sampler):
    image = texture(20, 30)
    coordinates = np.full((1, 5, 2), 7, np.float32)
    coordinates[0, :, 0] = [np.nan, -np.inf, np.inf, 1e30, -1e30]
    np.testing.assert_array_equal(sampler(image, coordinates)[0], image[7, [0, 0, -1, -1, 0]])


def test_views_read_only_frames_and_threads():
    image = texture(60, 80)
    coordinates = pixels(60, 80) + np.float32(0.3)
    expected = sample(image, coordinates)
    frozen = np.ascontiguousarray(image[::-1])[::-1]
    frozen.flags.writeable = False
    np.testing.assert_array_equal(sample(frozen, coordinates), expected)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: sample(image, coordinates), range(16)):
            np.testing.assert_array_equal(found, expected)


def test_other_shapes_are_refused():
    coordinates = pixels(4, 4)
    for image in (np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(OptionError, match="sample"):
            sample(image, coordinates)
