from __future__ import annotations

import pytest
import torch

from talkedit_sdk.face.topology import BLENDSHAPES
from talkedit_sdk.motion.network import STYLE, MotionNetwork, changed, style_code


@pytest.fixture(scope="module")
def network():
    """One that has something to say: random weights to the last layer."""
    torch.manual_seed(0)
    network = MotionNetwork()
    torch.nn.init.normal_(network.leave.weight, std=0.1)
    return network.eval()


def ask(count=2, length=40, seed=0):
    random = torch.Generator().manual_seed(seed)
    emotion = torch.rand(count, length, 8, generator=random)
    return {
        "coefficients": torch.rand(count, length, 52, generator=random),
        "gaps": 0.1 * torch.rand(count, length, 5, generator=random),
        "emotion": emotion / emotion.sum(-1, keepdim=True),
        "intensity": torch.ones(count, length),
        "mouth_weight": torch.rand(count, generator=random),
        "style": torch.randn(count, STYLE, generator=random),
    }


def test_an_untrained_network_changes_nothing():
    assert not MotionNetwork()(**ask()).any()


@pytest.mark.parametrize("length", [1, 2, 7, 96, 200])
def test_windows_of_any_length(network, length):
    found = network(**ask(length=length))
    assert found.shape == (2, length, 2, 52)
    assert torch.isfinite(found).all()
    assert found[:, :, 1].abs().max() <= 1


def test_gaze_is_not_touched(network):
    found = network(**ask())
    untouched = [name.startswith(("eyeLook", "tongueOut", "cheekPuff")) for name in BLENDSHAPES]
    assert not found[..., untouched].any()
    assert found[..., BLENDSHAPES.index("jawOpen")].abs().max() > 0


def test_windows_do_not_see_each_other(network):
    both = network(**ask(2))
    alone = network(**{name: value[:1] for name, value in ask(2).items()})
    torch.testing.assert_close(alone, both[:1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["coefficients", "gaps", "emotion", "intensity", "mouth_weight", "style"])
def test_everything_that_is_asked_matters(network, name):
    one, other = ask(), ask()
    other[name] = 0.5 * other[name]
    assert (network(**one) - network(**other)).abs().max() > 1e-4


def test_intensity_zero_changes_nothing_whatever_the_network_says():
    source, found = torch.rand(3, 52), 100 * torch.randn(3, 2, 52)
    assert torch.equal(changed(source, found, torch.zeros(3)), source)
    half, full = (changed(source, found, torch.full((3,), s)) - source for s in (0.5, 1.0))
    torch.testing.assert_close(2 * half, full, rtol=1e-4, atol=1e-4)


def test_a_seed_is_a_style():
    assert torch.equal(style_code(7), style_code(7))
    assert not torch.equal(style_code(7), style_code(8))
    assert not style_code(0).any()


def test_it_is_small():
    assert sum(value.numel() for value in MotionNetwork().state_dict().values()) < 1_000_000
