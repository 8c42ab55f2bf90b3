from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from skimage import data

from talkedit_sdk.face.tracker import FaceMeshTracker
from talkedit_sdk.texture.skin import SkinMap
from talkedit_sdk.texture.uv import TexelMap
from talkedit_sdk.training.dataset import Item, list_items
from talkedit_sdk.training.skins import farthest, read_skins

SIDE = 128


def test_the_farthest_expressions_are_kept():
    points = torch.cat([torch.tensor([[0.01], [1.0], [0.5], [0.98], [-0.7]]), torch.zeros(5, 3)], 1)
    assert farthest(points, 3).tolist() == [0, 1, 4]
    assert farthest(points, 9).tolist() == [0, 1, 4, 2, 3]
    assert farthest(torch.zeros(4, 3), 9).tolist() == [0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, make_video, make_heads):
    """The astronaut in a video and twice in a photo, somebody else's name on the third, a wall, and what is no file."""
    folder = tmp_path_factory.mktemp("data")
    make_video(folder / "talk.mp4", make_heads(12))
    portrait = cv2.resize(data.astronaut()[:240, 104:344], (480, 480), interpolation=cv2.INTER_CUBIC)
    for name, picture in (
        ("a.png", portrait), ("b.png", portrait[:, ::-1]), ("wall.png", np.full((240, 240, 3), 128, np.uint8)),
    ):  # fmt: skip
        cv2.imwrite(str(folder / name), picture[..., ::-1])
    (folder / "broken.mp4").write_bytes(b"x")
    (folder / "index.csv").write_text(
        "file,role,person,expression\ntalk.mp4,train,eileen,talking\na.png,train,eileen,joy\n"
        "b.png,eval,mirror,joy\nwall.png,train,wall,\nbroken.mp4,train,broken,\nmissing.mp4,train,nobody,\n"
    )
    return folder


@pytest.fixture(scope="module")
def read(folder, model, tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")

    def read(tracker=None, side=SIDE):
        tracker = tracker or FaceMeshTracker(TexelMap(model))
        return list(read_skins(list_items(folder), model, tracker, cache, side, frames=4))

    return read


@pytest.fixture(scope="module")
def skins(read):
    return read()


def test_files_of_one_person_come_together(skins):
    her, mirror = skins
    assert (her.person, her.role, mirror.person, mirror.role) == ("eileen", "train", "mirror", "eval")
    assert 2 <= len(her.skin) <= 5
    assert set(her.labels[:-1]) == {"talking"}
    assert her.labels[-1] == "joy"
    assert mirror.labels == ("joy",)


def test_shapes_and_ranges(skins, model):
    inside = torch.from_numpy(SkinMap(model, SIDE).inside)
    for each in skins:
        count = len(each.labels)
        assert each.skin.shape == (count, 3, SIDE, SIDE)
        assert each.visible.shape == (count, SIDE, SIDE)
        assert (each.skin.dtype, each.visible.dtype) == (torch.float16, torch.float16)
        assert each.coefficients.shape == (count, 52)
        assert each.light.shape == (count, 3)
        for tensor in (each.skin, each.visible, each.coefficients, each.light):
            assert bool(torch.isfinite(tensor).all())
        assert each.visible.min() >= 0
        assert each.visible.max() <= 1
        assert each.skin.abs().max() < 4
        assert each.skin[:, :, ~inside].abs().max() == 0
        assert 0.1 < float(each.skin[:, :, inside].float().std()) < 0.6
        assert float(each.visible[:, inside].float().mean()) > 0.5


def test_views_of_one_person_are_alike_whatever_the_file(skins):
    her, mirror = skins
    both = (her.visible[:, None].float() * her.visible[-1].float()) > 0.9
    video, photo = her.skin[0].float(), her.skin[-1].float()
    seen = both[0].expand_as(video)
    assert np.corrcoef(video[seen], photo[seen])[0, 1] > 0.8
    seen = (her.visible[-1] * mirror.visible[0].flip(-1) > 0.9)[: SIDE // 4 * 3].expand(3, -1, -1)
    flipped = mirror.skin[0].float().flip(-1)[:, : SIDE // 4 * 3]
    assert np.corrcoef(photo[:, : SIDE // 4 * 3][seen], flipped[seen])[0, 1] > 0.8


class _Never:
    def track(self, *_):
        pytest.fail("tracked again")


def test_what_was_read_before_is_not_tracked_again(read, skins):
    again = read(_Never())
    assert torch.equal(again[0].skin, skins[0].skin)
    coarse = read(_Never(), 64)
    assert coarse[0].skin.shape[-1] == 64
    assert torch.equal(coarse[0].coefficients, skins[0].coefficients)


def test_items_carry_their_expression(folder):
    assert list_items(folder)[1] == Item(folder / "a.png", "eileen", "train", "joy")
