from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from talkedit_sdk.errors import WeightsError
from talkedit_sdk.face.mouths import openness
from talkedit_sdk.face.topology import MOUTH_CORNERS
from talkedit_sdk.hub import EMBEDDED
from talkedit_sdk.render.nobody import FILE, Nobody


@pytest.fixture(scope="module")
def nobody():
    return Nobody.load(EMBEDDED)


def test_what_ships_is_one_open_mouth_with_teeth_and_darkness(nobody, model):
    (view,) = nobody.views(model.mean)
    assert openness(view.landmarks) > 0.2
    corners = view.landmarks[list(MOUTH_CORNERS), :2].mean(0)
    column = view.rgb[:, int(corners[0])].mean(-1)
    assert column.max() > 2.5 * column.min()
    assert 0.2 < view.parting.mean() < 0.8


def test_it_is_worn_by_a_face_of_any_size_and_place(nobody, model):
    """The mouth comes out at the same place of the picture, and the rest of the face around it in proportion."""
    (one,) = nobody.views(model.mean)
    (other,) = nobody.views(50 * model.mean + torch.tensor([100.0, 200.0, 0.0]))
    np.testing.assert_allclose(one.landmarks, other.landmarks, atol=0.05)
    wide = model.mean * torch.tensor([1.2, 1.0, 1.0])
    eyes = [np.ptp(view.landmarks[[33, 263], 0]) for view in (one, *nobody.views(wide))]
    assert eyes[1] > 0.9 * eyes[0]


def test_it_comes_back_as_it_was_saved(nobody, tmp_path):
    nobody.save(tmp_path)
    again = Nobody.load(tmp_path)
    for name in ("rgb", "landmarks", "rest", "partings"):
        assert torch.equal(getattr(nobody, name), getattr(again, name))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda t: t.pop("rest"),
        lambda t: t.update(extra=torch.zeros(1)),
        lambda t: t.update(rgb=t["rgb"].float()),
        lambda t: t.update(rgb=t["rgb"][..., :1].contiguous()),
        lambda t: t.update(landmarks=t["landmarks"][:, :5].contiguous()),
        lambda t: t.update(partings=t["partings"] * torch.nan),
        lambda t: t.update(rest=t["rest"].double()),
    ],
)
def test_damaged_files_are_refused(tmp_path, spoil):
    tensors = load_file(EMBEDDED / FILE)
    spoil(tensors)
    save_file(tensors, tmp_path / FILE)
    with pytest.raises(WeightsError):
        Nobody.load(tmp_path)


def test_missing_foreign_and_huge_files_are_refused(tmp_path):
    with pytest.raises(WeightsError, match="No usable mouth"):
        Nobody.load(tmp_path)
    (tmp_path / FILE).write_bytes(b"not safetensors")
    with pytest.raises(WeightsError, match="No usable mouth"):
        Nobody.load(tmp_path)
    with (tmp_path / FILE).open("wb") as file:
        file.truncate(9 * 2**20)
    with pytest.raises(WeightsError, match="larger"):
        Nobody.load(tmp_path)
