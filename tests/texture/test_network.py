from __future__ import annotations

import pytest
import torch

from talkedit_sdk.texture.network import LATENT, RESOLUTIONS, Generator, MappingNetwork, ModulatedConv, layer_count


def codes(count, layers, seed=0):
    return torch.randn(count, layers, LATENT, generator=torch.Generator().manual_seed(seed))


def lively(generator):
    """With colours at all sides, which training would have given it."""
    for name, value in generator.named_parameters():
        if "paint.weight" in name:
            torch.nn.init.normal_(value, std=0.1)
    return generator


@pytest.mark.parametrize("side", RESOLUTIONS)
def test_textures_of_all_sides(side):
    generator = Generator(side)
    assert generator.layers == layer_count(side)
    assert generator(codes(1, generator.layers)).shape == (1, 3, side, side)


def test_a_generator_that_has_just_grown_makes_the_same(model):
    torch.manual_seed(0)
    generator = Generator(64)
    small, large = generator(codes(2, generator.layers), 32), generator(codes(2, generator.layers))
    assert small.abs().max() > 0.01
    torch.testing.assert_close(torch.nn.functional.avg_pool2d(large, 2), small, atol=0.02, rtol=0.05)


def test_scaling_features_is_the_same_as_a_kernel_for_each_sample():
    torch.manual_seed(0)
    layer = ModulatedConv(5, 7)
    features, w = torch.randn(3, 5, 8, 8), torch.randn(3, LATENT)
    found = layer(features, w)
    for row in range(3):
        kernel = layer.weight * layer.style(w[row])[None, :, None, None]
        kernel = kernel * torch.rsqrt(kernel.square().sum((1, 2, 3), keepdim=True) + 1e-8) * 2**0.5
        expected = torch.nn.functional.conv2d(features[row : row + 1], kernel, layer.bias, padding=1)
        torch.testing.assert_close(found[row : row + 1], expected, atol=1e-4, rtol=1e-4)


def test_each_layer_has_its_own_code():
    torch.manual_seed(0)
    generator, plain = lively(Generator(32)), codes(1, layer_count(32))
    before = generator(plain)
    for layer in range(generator.layers):
        other = plain.clone()
        other[:, layer] += 1
        assert (generator(other) - before).abs().max() > 1e-4, layer


def test_nothing_is_left_to_chance():
    generator = Generator(32)
    assert torch.equal(generator(codes(2, 8)), generator(codes(2, 8)))


def test_second_derivatives_for_path_lengths():
    generator = lively(Generator(32))
    w = codes(1, 8).requires_grad_()
    (gradient,) = torch.autograd.grad(generator(w).sum(), w, create_graph=True)
    torch.autograd.backward(gradient.square().sum())
    assert generator.constant.grad.abs().max() > 0


def test_codes_keep_their_spread():
    torch.manual_seed(0)
    w = MappingNetwork()(torch.randn(512, LATENT))
    assert 0.3 < w.std() < 3


def test_all_sides_of_256_ship_in_8_megabytes():
    from talkedit_sdk.texture.learned import TextureNetwork

    numbers = sum(value.numel() for value in TextureNetwork(256).state_dict().values())
    assert 2 * numbers < 8 * 2**20
