from __future__ import annotations

import torch

from talkedit_sdk.texture.latent import LatentEditor
from talkedit_sdk.texture.network import LATENT


def test_offsets_are_bounded_and_differ_by_layer_person_and_light():
    torch.manual_seed(0)
    editor = LatentEditor(8)
    w, beta, light = torch.randn(2, 8, LATENT), torch.rand(1, 52).expand(2, -1), torch.zeros(2, 3)
    found = editor(w, beta, light)
    assert found.shape == (2, 8, LATENT)
    assert not torch.allclose(found[0], found[1])
    assert not torch.allclose(found[:, 0], found[:, 1])
    assert not torch.allclose(found, editor(w, beta, light + 0.5))
    assert editor(1e6 * w, 1e6 * beta, light).abs().max() <= 3


def test_it_is_continuous_in_the_coefficients():
    torch.manual_seed(0)
    editor, w = LatentEditor(8), torch.randn(1, 8, LATENT)
    steps = torch.linspace(0, 1, 201)[:, None] * torch.rand(1, 52)
    found = editor(w.expand(201, -1, -1), steps, torch.zeros(201, 3))
    moves = (found[1:] - found[:-1]).flatten(1).norm(dim=1)
    assert moves.max() < 4 * moves.mean()
