from __future__ import annotations

import numpy as np
import pytest
import torch

from talkedit_sdk.render.tint import _tinted, tint
from talkedit_sdk.texture.types import TOE


def scene(seed=0, size=(40, 30), side=16, count=2):
    """Pictures, places that cover the middle of them, and gains."""
    random = torch.Generator().manual_seed(seed)
    picture = torch.randint(0, 256, (count, *size, 3), dtype=torch.uint8, generator=random)
    v, u = torch.meshgrid(torch.linspace(-0.1, 1.1, size[0]), torch.linspace(-0.1, 1.1, size[1]), indexing="ij")
    share = torch.rand(count, *size, generator=random) * ((u - 0.5).abs() < 0.4)
    places = torch.stack([u.expand_as(share), v.expand_as(share), share], -1)
    return picture, places, torch.rand(count, side, side, 3, generator=random) - 0.5


def tinted(picture, places, gain):
    drawn = picture.clone()
    tint(drawn, places, gain)
    return drawn


def test_levels_are_multiplied_as_the_logarithm_says():
    levels = torch.arange(256, dtype=torch.uint8).repeat(3, 1).T[None, None].contiguous()
    places = torch.tensor([0.5, 0.5, 1.0]).repeat(1, 1, 256, 1)
    for log in (-0.7, -0.1, 0.05, 0.4):
        gain = torch.full((1, 4, 4, 3), log).expm1()
        expected = ((levels / 255 + TOE) * np.exp(log) - TOE).clamp(0, 1) * 255
        assert (tinted(levels, places, gain) - expected).abs().max() <= 0.51


def test_no_gain_and_no_skin_keep_every_bit():
    picture, places, gain = scene()
    assert torch.equal(tinted(picture, places, 0 * gain), picture)
    assert torch.equal(tinted(picture, places, 0.003 * gain), picture)
    drawn = tinted(picture, places, gain)
    assert torch.equal(drawn[places[..., 2] == 0], picture[places[..., 2] == 0])
    assert (drawn != picture).float().mean() > 0.3


def test_channels_have_their_own_gain():
    picture, places, gain = scene()
    gain[..., 1:] = 0
    assert torch.equal(tinted(picture, places, gain)[..., 1:], picture[..., 1:])


def test_texels_are_found_where_the_face_model_puts_them_and_blend_between():
    gain = torch.zeros(1, 8, 8, 3)
    gain[:, 2, 5] = 1.0
    picture = torch.full((1, 1, 3, 3), 100, dtype=torch.uint8)
    spots = torch.tensor([[5.5, 2.5], [6.0, 2.5], [6.5, 2.5]]) / 8
    drawn = tinted(picture, torch.cat([spots, torch.ones(3, 1)], 1)[None, None], gain)[0, 0, :, 0].tolist()
    whole = 100 + (100 + 255 * TOE)
    assert drawn == [round(whole), round((100 + whole) / 2), 100]


@pytest.mark.parametrize("seed", range(3))
def test_tensors_on_other_devices_come_out_the_same(seed):
    picture, places, gain = scene(seed)
    difference = tinted(picture, places, gain).int() - _tinted(picture, places, gain).int()
    assert difference.abs().max() <= 1
    assert (difference != 0).float().mean() < 0.01
