from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from skimage.data import astronaut

from talkedit_sdk.errors import OptionError
from talkedit_sdk.hub import EMBEDDED
from talkedit_sdk.manifest import MANIFEST, Manifest
from talkedit_sdk.texture.glasses import HEIGHT, WIDTH, RimNet, normalised
from talkedit_sdk.training.glasses import Person, train, train_from_folder
from talkedit_sdk.training.spectacles import paint, vary

EYES = np.array([[35, 29], [93, 29]], np.float32)


def plain(seed=0):
    """(4, 64, 128, 3) skin without anything."""
    random = np.random.default_rng(seed)
    return np.clip(random.normal(150 + 10 * seed, 6, (4, HEIGHT, WIDTH, 3)), 0, 255).astype(np.uint8)


def test_painted_rims_are_where_the_picture_changes():
    over_eyes = []
    for seed in range(20):
        view = plain(seed % 5)[0]
        picture, rim = paint(view, EYES, np.random.default_rng(seed))
        assert picture.dtype == np.uint8
        assert rim.shape == (HEIGHT, WIDTH)
        assert 0 < rim.max() <= 1
        changed = np.abs(picture.astype(int) - view).mean(-1)
        assert changed[rim > 0.6].mean() > 5
        over_eyes.append(rim[24:34, [*range(32, 38), *range(90, 96)]].mean())
    assert np.mean(over_eyes) < 0.1


def test_variants_keep_rim_and_view_together():
    view = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
    rim = np.zeros((HEIGHT, WIDTH), np.float32)
    view[20:30, 40:60], rim[20:30, 40:60] = 255, 1
    for seed in range(10):
        varied, where = vary(view, rim, np.random.default_rng(seed))
        light = varied.mean(-1)
        assert light[where > 0.9].mean() > light[where < 0.1].mean() + 20


def test_a_little_training_already_finds_rims():
    people = [Person(plain(seed), False) for seed in range(3)]
    net = train(people, EYES, steps=25, seed=1, say=lambda _: None)
    assert isinstance(net, RimNet)
    random = np.random.default_rng(99)
    hits, misses = [], []
    for _ in range(8):
        picture, rim = paint(plain(1)[0], EYES, random)
        with torch.inference_mode():
            found = net(normalised(torch.from_numpy(picture)[None]))[0].sigmoid()[0, 0].numpy()
        coarse = rim.reshape(HEIGHT // 2, 2, WIDTH // 2, 2).mean((1, 3))
        hits.append(found[coarse > 0.5].mean() if (coarse > 0.5).any() else 1.0)
        misses.append(found[coarse == 0].mean())
    assert np.mean(hits) > np.mean(misses) + 0.2


def test_a_folder_without_faces(tmp_path):
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "broken.mp4").write_bytes(b"nothing")
    with pytest.raises(OptionError, match="faces"):
        train_from_folder(tmp_path / "clips", EMBEDDED, tmp_path / "out", frozenset())
    assert not (tmp_path / "out").exists()


def test_a_folder_of_weights_with_its_card(tmp_path):
    clips, out = tmp_path / "clips", tmp_path / "out"
    clips.mkdir()
    for number in range(5):
        cv2.imwrite(str(clips / f"{number}.png"), astronaut()[:256, 96:352, ::-1])
    assert train_from_folder(clips, EMBEDDED, out, frozenset({"4.png"}), steps=2) == 5
    card = " ".join((out / "README.md").read_text().split())
    assert "# talkedit rim finder `glasses.safetensors`: a small U-shaped net (136 thousand parameters" in card
    assert "painted onto 4 bare faces, and on 1 faces that wear some" in card
    assert Manifest.read(out / MANIFEST, "it") == Manifest.of(out)
    RimNet.load(out)
