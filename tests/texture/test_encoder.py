from __future__ import annotations

import pytest
import torch

from talkedit_sdk.texture.encoder import Encoder
from talkedit_sdk.texture.network import LATENT


@pytest.mark.parametrize("side", [32, 64, 128, 256])
def test_textures_of_all_sides(side):
    base, offsets = Encoder(12)(torch.randn(2, 3, side, side), torch.ones(2, side, side))
    assert base.shape == (2, LATENT)
    assert offsets.shape == (2, 11, LATENT)


def test_it_begins_without_offsets():
    torch.manual_seed(0)
    _, offsets = Encoder(8)(torch.randn(2, 3, 64, 64), torch.ones(2, 64, 64))
    assert not offsets.any()


def test_what_is_not_visible_says_nothing():
    torch.manual_seed(0)
    encoder, visible = Encoder(8), torch.ones(1, 64, 64)
    visible[:, 20:40] = 0
    one, other = torch.randn(2, 1, 3, 64, 64)
    other = torch.where(visible[:, None] > 0, one, other)
    torch.testing.assert_close(encoder(one, visible)[0], encoder(other, visible)[0])
    assert not torch.allclose(encoder(one, visible)[0], encoder(one, torch.ones_like(visible))[0])
