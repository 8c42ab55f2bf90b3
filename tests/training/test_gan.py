from __future__ import annotations

import pytest
import torch

from talkedit_sdk.texture.network import LATENT
from talkedit_sdk.training.gan import (
    Discriminator,
    LatentDiscriminator,
    PathLength,
    gradient_penalty,
    taken_for_real,
    told_apart,
)


@pytest.mark.parametrize("side", [32, 64, 128])
def test_scores_of_all_sides_and_features_on_the_way(side):
    torch.manual_seed(0)
    features = []
    assert Discriminator(128)(torch.randn(3, 3, side, side), features).shape == (3,)
    assert max(each.shape[-1] for each in features) == min(side // 2, 64)
    assert all(len(each) == 3 for each in features)


def test_a_side_that_has_just_been_grown_changes_little():
    torch.manual_seed(0)
    judge, small = Discriminator(64), torch.randn(4, 3, 32, 32)
    large = torch.nn.functional.interpolate(small, scale_factor=2)
    torch.testing.assert_close(judge(large), judge(small))


def test_samples_that_are_all_the_same_are_found_out():
    torch.manual_seed(0)
    judge, one = Discriminator(32), torch.randn(1, 3, 32, 32)
    alike, others = judge(one.expand(4, -1, -1, -1)), judge(torch.cat([one, torch.randn(3, 3, 32, 32)]))
    assert not torch.isclose(alike[0], others[0])


def test_it_learns_to_tell_apart():
    torch.manual_seed(0)
    judge = Discriminator(32)
    optimiser = torch.optim.Adam(judge.parameters(), lr=1e-2, betas=(0.0, 0.99))
    for _ in range(40):
        real, fake = 0.2 * torch.randn(4, 3, 32, 32), 0.2 * torch.randn(4, 3, 16, 16).repeat(1, 1, 2, 2)
        loss = told_apart(judge(real), judge(fake))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert judge(real).mean() > judge(fake).mean() + 0.5
    assert taken_for_real(judge(fake)) > taken_for_real(judge(real))


def test_the_gradient_penalty():
    inputs = torch.randn(5, 4, requires_grad=True)
    torch.testing.assert_close(gradient_penalty(3 * inputs.sum(1), inputs), torch.tensor(36.0))
    codes = torch.randn(5, LATENT, requires_grad=True)
    assert gradient_penalty(LatentDiscriminator()(codes), codes) > 0


def test_path_lengths_are_drawn_to_their_mean():
    path, random = PathLength(), torch.Generator().manual_seed(0)
    codes = torch.randn(4, 2, 48, requires_grad=True)
    for _ in range(200):
        first = path.penalty(codes.view(4, 3, 4, 8), codes, random)
    assert path.mean > 0
    assert float(first) < 0.05 * path.mean**2
    assert path.penalty(3 * codes.view(4, 3, 4, 8), codes, random) > 10 * first
