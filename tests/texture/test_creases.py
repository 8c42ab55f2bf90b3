from __future__ import annotations

import pytest
import torch

from talkedit_sdk.face.topology import INDEX
from talkedit_sdk.texture.creases import CreaseFinder
from talkedit_sdk.texture.skin import SkinMap

SIDE = 128
DEPTH = 0.3


@pytest.fixture(scope="module")
def texels(model):
    return SkinMap(model, SIDE)


@pytest.fixture(scope="module")
def finder(model, texels):
    return CreaseFinder(model, texels)


@pytest.fixture(scope="module")
def furrow(model, texels):
    """(N, N) a furrow between the brows, upright and as deep as 1."""
    places = torch.zeros(SIDE, SIDE, 3)
    places[torch.from_numpy(texels.inside)] = torch.from_numpy(texels.spread(model.mean.numpy()))
    across = torch.exp(-0.5 * ((places[..., 0] - 0.02) / 0.02).square())
    return across * ((places[..., 1] + 0.52).abs() < 0.08) * torch.from_numpy(texels.inside & ~texels.mouth)


@pytest.fixture(scope="module")
def seen(texels):
    return torch.from_numpy(texels.inside & ~texels.mouth).float()


def frown(*strengths):
    coefficients = torch.zeros(len(strengths), 52)
    for side in ("Left", "Right"):
        coefficients[:, INDEX[f"browDown{side}"]] = torch.tensor(strengths)
    return coefficients


def change(creases, before, after):
    gain = torch.zeros(len(before), 3, SIDE, SIDE)
    creases.add_going(gain, before, after)
    return gain


def views(furrow, seen, *depths):
    skin = -torch.tensor(depths)[:, None, None, None] * furrow
    return skin.expand(-1, 3, -1, -1), seen.expand(len(depths), -1, -1)


NOBODY = torch.zeros(1, 3, SIDE, SIDE)


def test_a_furrow_goes_with_the_frown(finder, furrow, seen):
    creases = finder.find(*views(furrow, seen, DEPTH), frown(0.8), NOBODY)
    gain = change(creases, frown(0.8, 0.8, 0.8), frown(0.0, 0.4, 0.7))
    deep = furrow > 0.8
    gone, half, little = gain[:, :, deep].mean((1, 2)) / DEPTH
    assert 0.55 < gone < 1.05
    assert gone > half + 0.1
    assert half > little + 0.1
    assert little > 0
    assert gain[0][:, seen == 0].abs().max() == 0
    assert gain[0, :, 80:].abs().max() < 0.02 * DEPTH  # nothing is to go below the eyes


def test_nothing_changes_where_nothing_goes(finder, furrow, seen):
    creases = finder.find(*views(furrow, seen, DEPTH), frown(0.8), NOBODY)
    assert not change(creases, frown(0.8, 0.0, 0.3), frown(0.8, 0.8, 0.6)).any()


def test_a_furrow_that_is_always_there_stays(finder, furrow, seen):
    always = finder.find(*views(furrow, seen, DEPTH, DEPTH), frown(0.8, 0.0), NOBODY)
    comes = finder.find(*views(furrow, seen, DEPTH, 0.0), frown(0.8, 0.0), NOBODY)
    deep = furrow > 0.8
    kept, gone = (change(each, frown(0.8), frown(0.0))[:, :, deep].mean() / DEPTH for each in (always, comes))
    assert kept.abs() < 0.1
    assert gone > 0.55


def test_what_the_skin_usually_looks_like_is_no_fold(finder, furrow, seen):
    skin, visible = views(furrow, seen, DEPTH)
    creases = finder.find(skin, visible, frown(0.8), skin)
    assert change(creases, frown(0.8), frown(0.0)).abs().max() < 0.02


def test_it_is_continuous(finder, furrow, seen):
    creases = finder.find(*views(furrow, seen, DEPTH, 0.1), frown(0.8, 0.2), NOBODY)
    steps = frown(*torch.linspace(0, 0.8, 60).tolist())
    gain = change(creases, frown(0.8).expand(60, -1), steps)
    assert (gain[1:] - gain[:-1]).abs().max() < 0.08 * DEPTH
