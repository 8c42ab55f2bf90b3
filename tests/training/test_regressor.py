from __future__ import annotations

import pytest
import torch

from talkedit_sdk.face.topology import INDEX
from talkedit_sdk.training.regressor import offsets_of, train_regressor


@pytest.fixture(scope="module")
def train(model, people):
    def train(epochs, seed, recordings=people):
        return train_regressor(recordings, model.mean, model.mirror, model.gamma, model.spread, epochs, seed)

    return train


def test_it_learns_to_tell_expressions(model, people, train):
    network = train(40, 0)
    assert not network.training
    with torch.no_grad():
        guess = torch.cat([network(offsets_of(p, model.mean) / model.spread) for p in people])
    truth = torch.cat([p.scores**model.gamma for p in people])
    for name in ("jawOpen", "mouthSmileLeft", "browOuterUpRight", "mouthLeft"):
        pair = torch.stack([guess[:, INDEX[name]], truth[:, INDEX[name]]])
        assert torch.corrcoef(pair)[0, 1] > 0.7, name


def test_the_same_seed_gives_the_same_network(train):
    one, two, other = (train(1, seed).state_dict() for seed in (3, 3, 4))
    for name in one:
        torch.testing.assert_close(one[name], two[name], rtol=0, atol=1e-4)
    assert any((one[name] - other[name]).abs().max() > 0.01 for name in one)


def test_offsets_are_free_of_the_pose(model, people):
    offsets = offsets_of(people[0], model.mean)
    assert offsets.shape == people[0].vertices.shape
    assert offsets.norm(dim=-1).mean() < 0.15
