from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from talkedit_sdk.errors import WeightsError
from talkedit_sdk.face.topology import BLENDSHAPES
from talkedit_sdk.texture.learned import FILE, LearnedTexture, TextureNetwork, load_network, save_network
from talkedit_sdk.texture.skin import SkinMap
from talkedit_sdk.texture.wrinkles import WrinkleRenderer

LIGHT = torch.tensor([[0.1, -0.3, -0.5]])


@pytest.fixture(scope="module")
def weights(tmp_path_factory, model):
    """A network as it might come out of training: not trained, but with colours at all sides and offsets."""
    torch.manual_seed(0)
    network = TextureNetwork(64)
    for name, value in network.named_parameters():
        if "paint.weight" in name or "offsets.weight" in name:
            torch.nn.init.normal_(value, std=0.1)
    network.share.copy_(torch.from_numpy(SkinMap(model, 64).inside))
    folder = tmp_path_factory.mktemp("texture")
    save_network(network, folder, {"people": 3})
    return folder


@pytest.fixture
def folder(weights, tmp_path):
    for path in weights.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


class Smooth:
    """A renderer of skin that never folds."""

    def know(self, skin, visible, coefficients):
        return lambda before, after, light: torch.zeros(len(before), 3, 64, 64)


@pytest.fixture(scope="module")
def views():
    random = torch.Generator().manual_seed(1)
    skin = 0.2 * torch.randn(3, 3, 256, 256, generator=random)
    return skin, torch.ones(3, 256, 256), torch.rand(3, 52, generator=random)


@pytest.fixture(scope="module")
def change(weights, model, views):
    """What the network alone does."""
    return LearnedTexture(load_network(weights), Smooth()).know(*views)


def faces(count, seed):
    return torch.rand(count, 52, generator=torch.Generator().manual_seed(seed))


def test_a_change(change):
    gain = change(faces(3, 1), faces(3, 2), LIGHT.expand(3, -1))
    assert gain.shape == (3, 3, 64, 64)
    assert gain.dtype == torch.float32
    assert 1e-3 < gain.abs().max() < 1.2
    assert not gain[..., 0, 0].any()


def test_nothing_changes_where_coefficients_do_not(change):
    before, after = faces(3, 1), faces(3, 2)
    after[1] = before[1]
    gain = change(before, after, LIGHT.expand(3, -1))
    assert not gain[1].any()
    assert gain[0].any()
    assert gain[2].any()


def test_it_is_continuous_and_the_way_back_is_the_opposite(change):
    before, after = faces(1, 1), faces(1, 2)
    steps = torch.lerp(before, after, torch.linspace(0, 1, 41)[:, None])
    gain = change(before.expand(41, -1), steps, LIGHT.expand(41, -1))
    moves = (gain[1:] - gain[:-1]).abs().amax((1, 2, 3))
    assert moves.max() < 0.15 * gain[-1].abs().max()
    torch.testing.assert_close(change(after, before, LIGHT), -gain[-1:], atol=1e-4, rtol=1e-3)


def test_it_comes_on_top_of_rendered_folds(weights, model, views, change):
    before, after = faces(1, 1), faces(1, 2)
    rendered = WrinkleRenderer(model, SkinMap(model)).change(before, after, LIGHT)
    folds = WrinkleRenderer(model, SkinMap(model))
    both = LearnedTexture(load_network(weights), folds).know(*views)(before, after, LIGHT)
    assert both.shape == rendered.shape == (1, 3, 256, 256)
    coarse = torch.nn.functional.avg_pool2d(both - rendered, 4)
    torch.testing.assert_close(coarse, change(before, after, LIGHT), atol=0.1, rtol=0.3)


def test_long_clips_are_taken_in_parts(change):
    before, after = faces(37, 1), faces(37, 2)
    gain = change(before, after, LIGHT.expand(37, -1))
    torch.testing.assert_close(gain[30:31], change(before[30:31], after[30:31], LIGHT), atol=1e-5, rtol=1e-4)
    assert change(before[:0], after[:0], LIGHT[:0]).shape == (0, 3, 64, 64)


def test_nobodys_skin(weights, model):
    change = LearnedTexture.load(weights, model).know(
        torch.zeros(0, 3, 256, 256), torch.zeros(0, 256, 256), torch.zeros(0, 52)
    )
    assert change(faces(1, 1), faces(1, 2), LIGHT).abs().max() > 1e-3


def test_views_that_show_nothing_count_for_nothing(weights, model):
    editor = LearnedTexture.load(weights, model)
    random = torch.Generator().manual_seed(1)
    skin, visible = 0.2 * torch.randn(2, 3, 256, 256, generator=random), torch.ones(2, 256, 256)
    visible[1] = 0
    both, one = (editor.know(skin[:n], visible[:n], faces(2, 3)[:n])(faces(1, 1), faces(1, 2), LIGHT) for n in (2, 1))
    torch.testing.assert_close(both, one, atol=2e-3, rtol=0.02)


def test_damaged_weights(folder, model):
    def refused(match):
        with pytest.raises(WeightsError, match=match):
            LearnedTexture.load(folder, model)

    good, config = load_file(folder / FILE), (folder / "texture.json").read_text()
    save_file({name: value for name, value in good.items() if name != "mean"}, folder / FILE)
    refused("incomplete")
    save_file(good | {"mean": torch.full_like(good["mean"], torch.nan)}, folder / FILE)
    refused("damaged")
    save_file(good | {"mean": torch.zeros(7)}, folder / FILE)
    refused("incomplete")
    (folder / FILE).write_bytes(b"nothing")
    refused("No usable texture editor")
    for wrong in (7, "64", None, [64], 10**9):
        (folder / "texture.json").write_text(json.dumps(json.loads(config) | {"resolution": wrong}))
        save_file(good, folder / FILE)
        refused("resolution")
    (folder / "texture.json").write_text(json.dumps({"format": 99, "blendshapes": list(BLENDSHAPES)}))
    refused("another version")
    with (folder / FILE).open("r+b") as file:
        file.truncate(17 * 2**20)
    refused("of another version|larger")
    (folder / "texture.json").unlink()
    refused("No usable texture editor")
