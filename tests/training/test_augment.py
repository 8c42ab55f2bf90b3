from __future__ import annotations

import torch

from talkedit_sdk.training.augment import Augmentation


def augmentation(p, seed=0):
    found = Augmentation(torch.Generator().manual_seed(seed))
    found.p = p
    return found


def test_nothing_happens_at_probability_0():
    skin = torch.randn(4, 3, 32, 32)
    assert augmentation(0.0)(skin) is skin


def test_about_a_share_p_is_changed_by_each():
    skin = 0.2 * torch.ones(400, 3, 16, 16)
    changed = (augmentation(0.1)(skin) - skin).abs().flatten(1).amax(1) > 1e-6
    assert 0.2 < changed.float().mean() < 0.6


def test_the_same_seed_changes_the_same():
    skin = torch.randn(4, 3, 32, 32)
    assert torch.equal(augmentation(0.8)(skin), augmentation(0.8)(skin))


def test_gradients_pass():
    skin = torch.randn(4, 3, 32, 32, requires_grad=True)
    torch.autograd.backward(augmentation(0.8)(skin).sum())
    assert skin.grad.abs().sum() > 0


def test_it_gets_stronger_while_the_discriminator_is_sure():
    found = augmentation(0.0)
    for _ in range(300):
        found.adapt(torch.ones(8))
    sure = found.p
    assert 0.2 < sure < 0.7
    for _ in range(100):
        found.adapt(-torch.ones(8))
    assert found.p < sure
    for _ in range(5000):
        found.adapt(torch.ones(8))
    assert found.p < 0.9
