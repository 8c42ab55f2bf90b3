"""Where the light comes from, told from skin that was lit from a known side."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from talkedit_sdk.texture.light import DIMMEST, STRONGEST, estimate_light, surface_normals


def lit(model, texels, light, albedo=(190, 140, 115)):
    """(1, N, N, 3) skin of one colour under a light."""
    normals = texels.spread(surface_normals(model.mean, model.triangles).numpy())
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    shade = (1 + normals @ np.array(light, np.float32)).clip(DIMMEST)
    texture = np.zeros((1, texels.side, texels.side, 3), np.uint8)
    texture[0, texels.inside] = (0.7 * shade[:, None] * np.array(albedo)).clip(0, 255)
    return texture


def seen(texels, count=1):
    return np.ones((count, texels.inside.sum()), np.float32)


def test_normals_point_out_of_the_face(model):
    normals = surface_normals(model.mean, model.triangles)
    torch.testing.assert_close(normals.norm(dim=-1), torch.ones(len(normals)))
    assert normals[4, 2] < -0.9  # the tip of the nose faces the camera
    assert normals[234, 0] < -0.9  # the right cheek the left of the picture
    assert normals[152, 1] > 0.5  # the chin the ground
    batch = torch.stack([model.mean, 2 * model.mean])
    torch.testing.assert_close(surface_normals(batch, model.triangles)[1], normals)


@pytest.mark.parametrize("light", [(0.5, -0.2, -0.4), (-0.6, -0.1, -0.4), (0.0, -0.5, -0.5), (0.1, 0.2, -0.5)])
@pytest.mark.parametrize("albedo", [(210, 160, 140), (70, 45, 35)])
def test_light_is_found_on_any_skin(model, texels, light, albedo):
    found = estimate_light(lit(model, texels, light, albedo), seen(texels), model, texels)[0].numpy()
    assert abs(found[0] - light[0]) < 0.1
    assert abs(found[1] - light[1]) < 0.15
    assert abs(found[2] - light[2]) < 0.2


def test_a_beard_and_a_hand_are_outvoted(model, texels):
    light = (0.4, -0.3, -0.45)
    texture = lit(model, texels, light)
    plain = estimate_light(texture, seen(texels), model, texels)[0]
    rows = np.arange(texels.side)[None, :, None, None]
    bearded = np.where(rows > 0.68 * texels.side, texture // 4, texture)
    found = estimate_light(bearded, seen(texels), model, texels)[0]
    assert (found - plain).norm() < 0.15
    columns = np.arange(texels.side)[None, None, :, None]
    covered = np.where(columns < 0.3 * texels.side, 255, texture).astype(np.uint8)
    visible = seen(texels) * (texels.inside.nonzero()[1] >= 0.3 * texels.side)
    found = estimate_light(covered, visible.astype(np.float32), model, texels)[0]
    assert (found - plain).norm() < 0.15


def test_nothing_seen_is_soft_light_from_in_front_and_above(model, texels):
    textures = np.zeros((2, texels.side, texels.side, 3), np.uint8)
    found = estimate_light(textures, 0 * seen(texels, 2), model, texels)
    assert bool(torch.isfinite(found).all())
    assert abs(float(found[0, 0])) < 0.02
    assert found[0, 1] < 0
    assert found[0, 2] < 0


def test_noise_gives_no_impossible_light(model, texels):
    textures = np.random.default_rng(0).integers(0, 256, (4, texels.side, texels.side, 3), np.uint8)
    found = estimate_light(textures, seen(texels, 4), model, texels)
    assert bool((found.norm(dim=-1) <= STRONGEST + 1e-5).all())


def test_frames_are_told_apart(model, texels):
    pair = np.concatenate([lit(model, texels, (0.5, -0.2, -0.4)), lit(model, texels, (-0.5, -0.2, -0.4))])
    both = estimate_light(pair, seen(texels, 2), model, texels)
    alone = estimate_light(pair[1:], seen(texels), model, texels)
    torch.testing.assert_close(both[1:], alone)
    assert both[0, 0] > 0.3
    assert both[1, 0] < -0.3
