from __future__ import annotations

import json
import pickle
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from talkedit_sdk.errors import WeightsError
from talkedit_sdk.face.model import REGIONS, FaceModel
from talkedit_sdk.face.pose import align
from talkedit_sdk.face.topology import (
    BLENDSHAPES,
    BROW_LEFT,
    BROW_RIGHT,
    CHIN,
    EYE_LEFT,
    EYE_RIGHT,
    INDEX,
    LIP_PAIRS,
    LIPS_OUTER,
    MOUTH_CORNERS,
    OUTER_EYE_CORNERS,
    OVAL,
    VERTICES,
    mirrored_name,
)
from talkedit_sdk.hub import EMBEDDED

FLIP = torch.tensor([-1.0, 1.0, 1.0])


@pytest.fixture
def folder(model, tmp_path):
    model.save(tmp_path / "face", {"note": "a test"})
    return tmp_path / "face"


def offset(model, name, vertices, axis=1):
    return model.expression[INDEX[name]][list(vertices), axis].mean()


def mirrored(model):
    """The expression basis of the mirrored face."""
    sides = [INDEX[mirrored_name(name)] for name in BLENDSHAPES]
    return (model.expression * FLIP)[sides][:, model.mirror]


def test_round_trip(model, folder):
    again = FaceModel.load(folder)
    for field in fields(model):
        if field.name != "regressor":
            before, after = getattr(model, field.name), getattr(again, field.name)
            assert before.dtype == after.dtype, field.name
            torch.testing.assert_close(after, before, rtol=1e-3, atol=1e-6, msg=field.name)
    faces = torch.randn(5, VERTICES, 3)
    torch.testing.assert_close(again.regressor(faces), model.regressor(faces), rtol=1e-2, atol=1e-2)
    assert not again.regressor.training
    config = json.loads((folder / "face.json").read_text())
    assert config["note"] == "a test"


def test_saving_what_was_loaded_changes_nothing(folder, tmp_path):
    FaceModel.load(folder).save(tmp_path / "again", {"note": "a test"})
    for name in ("face.safetensors", "face.json"):
        assert (folder / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_moving_to_a_device_leaves_the_original(model):
    moved = model.to("cpu")
    assert moved.device == torch.device("cpu")
    assert moved.regressor is not model.regressor
    faces = torch.randn(2, VERTICES, 3)
    torch.testing.assert_close(moved.regressor(faces), model.regressor(faces))


@pytest.mark.parametrize("name", ["face.safetensors", "face.json"])
@pytest.mark.parametrize("content", [None, b"", b"{}", b"[1]", b"\xff\xfe\x00garbage" * 50, b"[" * 100_000])
def test_missing_and_damaged_files(folder, name, content):
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    with pytest.raises(WeightsError, match="face"):
        FaceModel.load(folder)


def test_truncated_file(folder):
    path = folder / "face.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(WeightsError, match="No usable face model"):
        FaceModel.load(folder)


def test_pickles_are_never_opened(folder):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("the pickle was opened",))

    (folder / "face.safetensors").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(WeightsError):
        FaceModel.load(folder)
    torch.save({"mean": torch.zeros(3)}, folder / "face.safetensors")
    with pytest.raises(WeightsError):
        FaceModel.load(folder)


@pytest.mark.parametrize("name", ["face.safetensors", "face.json"])
def test_huge_files_are_not_read(folder, name):
    with (folder / name).open("r+b") as file:
        file.truncate(10 * 2**30)  # sparse
    with pytest.raises(WeightsError, match="larger"):
        FaceModel.load(folder)


@pytest.mark.parametrize("name", ["face.safetensors", "face.json"])
def test_folders_in_place_of_files(folder, name):
    (folder / name).unlink()
    (folder / name).mkdir()
    with pytest.raises(WeightsError):
        FaceModel.load(folder)


@pytest.mark.parametrize("change", [{"format": 2}, {"format": None}, {"blendshapes": list(BLENDSHAPES[::-1])}])
def test_other_formats(folder, change):
    config = json.loads((folder / "face.json").read_text())
    (folder / "face.json").write_text(json.dumps({**config, **change}))
    with pytest.raises(WeightsError, match="another version"):
        FaceModel.load(folder)


DAMAGES = {
    "not finite": lambda t: t.float().fill_(float("nan")) if t.is_floating_point() else t.float(),
    "one row less": lambda t: t[:-1] if t.ndim else t[None],
    "one axis less": lambda t: t.flatten()[0] if t.ndim else t[None],
    "empty": lambda t: t[:0] if t.ndim else t[None][:0],
}


def tensors_of(folder):
    return load_file(folder / "face.safetensors")


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_tensors(folder, damage):
    whole = tensors_of(folder)
    for name, tensor in whole.items():
        if damage == "one row less" and name in ("identity", "triangles"):
            continue  # of these there may be any number
        save_file({**whole, name: DAMAGES[damage](tensor).contiguous()}, folder / "face.safetensors")
        with pytest.raises(WeightsError):
            FaceModel.load(folder)


def test_missing_and_unknown_tensors(folder):
    whole = tensors_of(folder)
    for name in whole:
        save_file({n: t for n, t in whole.items() if n != name}, folder / "face.safetensors")
        with pytest.raises(WeightsError):
            FaceModel.load(folder)
    save_file({**whole, "surprise": torch.zeros(3)}, folder / "face.safetensors")
    with pytest.raises(WeightsError):
        FaceModel.load(folder)


@pytest.mark.parametrize("name", ["triangles", "mirror"])
@pytest.mark.parametrize("number", [-1, VERTICES])
def test_vertices_that_do_not_exist(folder, name, number):
    whole = tensors_of(folder)
    whole[name].view(-1)[7] = number
    save_file(whole, folder / "face.safetensors")
    with pytest.raises(WeightsError, match=name):
        FaceModel.load(folder)


def test_embedded_weights_are_small_and_whole(model):
    assert sum(path.stat().st_size for path in EMBEDDED.rglob("*") if path.is_file()) < 24 * 2**20
    assert {path.suffix for path in EMBEDDED.iterdir() if path.is_file()} <= {".safetensors", ".json", ".md"}
    for field in fields(model):
        if field.name != "regressor":
            assert torch.isfinite(getattr(model, field.name)).all()
    assert model.triangles.shape == (852, 3)
    assert model.triangles.dtype == torch.int32
    assert 10 <= len(model.identity) <= 64
    assert (model.precision > 0).all()
    assert (model.gamma > 0).all()
    assert model.spread > 0


def test_mean_face_looks_at_the_camera(model):
    right, left = model.mean[list(OUTER_EYE_CORNERS)]
    assert (left - right).norm() == pytest.approx(1, abs=0.02)
    assert model.mean[1, 2] < model.mean[[127, 356], 2].mean() - 0.3, "the nose is nearer than the temples"
    assert model.mean[10, 1] < model.mean[1, 1] < model.mean[152, 1]
    gaps = [model.mean[lower, 1] - model.mean[upper, 1] for upper, lower in LIP_PAIRS]
    assert all(0 <= gap < 0.12 for gap in gaps), f"at rest the lips are closed or hardly open: {gaps}"


def test_the_face_is_symmetric(model):
    assert (model.mirror[model.mirror] == torch.arange(VERTICES)).all()
    assert model.mirror[list(OUTER_EYE_CORNERS)].tolist() == list(OUTER_EYE_CORNERS[::-1])
    flipped = (model.mean * FLIP)[model.mirror]
    pose = align(flipped[None], model.mean, torch.ones(VERTICES))
    assert (pose.to_picture(model.mean)[0] - flipped).norm(dim=1).max() < 0.01
    turn = torch.arccos(((pose.rotation[0].trace() - 1) / 2).clamp(max=1)).rad2deg()
    assert turn < 4, "and looks straight ahead"


def test_expressions_are_mirror_images(model):
    error = (mirrored(model) - model.expression).norm()
    assert error < 0.05 * model.expression.norm()


def test_triangles_cover_the_face_with_holes(model):
    corners = model.mean[model.triangles.long(), :2]
    (ax, ay), (bx, by) = (corners[:, 1] - corners[:, 0]).T, (corners[:, 2] - corners[:, 0]).T
    assert (ax * by - ay * bx > 0).float().mean() > 0.95, "wound clockwise in the picture"
    edges = torch.cat([model.triangles[:, [0, 1]], model.triangles[:, [1, 2]], model.triangles[:, [2, 0]]]).long()
    pairs, counts = torch.unique(edges.sort(1).values, dim=0, return_counts=True)
    assert counts.max() == 2, "an edge has at most two sides"
    border = set(pairs[counts == 1].flatten().tolist())
    assert set(OVAL) | set(EYE_LEFT) | set(EYE_RIGHT) <= border
    assert len(torch.unique(model.triangles)) == VERTICES


def test_the_texture_layout_does_not_fold(model):
    assert model.uv.min() >= 0
    assert model.uv.max() <= 1
    corners = model.uv[model.triangles.long()]
    (ax, ay), (bx, by) = (corners[:, 1] - corners[:, 0]).T, (corners[:, 2] - corners[:, 0]).T
    assert (ax * by - ay * bx > 0).float().mean() > 0.99


def test_regions_share_out_the_face(model):
    torch.testing.assert_close(model.regions.sum(0), torch.ones(VERTICES))
    named = dict(zip(REGIONS, model.regions, strict=True))
    assert (named["lips"][list(MOUTH_CORNERS)] > 0.9).all()
    assert (named["eyes"][list(EYE_LEFT)] > 0.9).all()
    assert (named["brows"][list(BROW_LEFT + BROW_RIGHT)] > 0.9).all()
    assert (named["nose"][[1, 4]] > 0.9).all()


def test_smiles_lift_and_widen_the_corners_of_the_mouth(model):
    right, left = MOUTH_CORNERS
    for name, corner, outwards in (("mouthSmileLeft", left, 1), ("mouthSmileRight", right, -1)):
        assert offset(model, name, [corner]) < -0.02
        assert outwards * offset(model, name, [corner], 0) > 0.01
    assert offset(model, "mouthFrownLeft", [left]) > 0.02
    assert offset(model, "mouthFrownRight", [right]) > 0.02


def test_an_open_jaw_parts_the_lips_and_lowers_the_chin(model):
    upper, lower = ([pair[side] for pair in LIP_PAIRS] for side in (0, 1))
    assert offset(model, "jawOpen", lower) - offset(model, "jawOpen", upper) > 0.1
    assert offset(model, "jawOpen", [152]) > 0.1


def test_brows(model):
    assert offset(model, "browInnerUp", (107, 336)) < -0.03
    for side, brow in (("Left", BROW_LEFT), ("Right", BROW_RIGHT)):
        assert offset(model, f"browDown{side}", brow) > 0.005
        assert offset(model, f"browOuterUp{side}", brow) < -0.02


@pytest.mark.parametrize(
    ("side", "upper", "lower"),
    [("Left", (386, 385, 387), (374, 380, 373)), ("Right", (159, 158, 160), (145, 153, 144))],
)
def test_lids(model, side, upper, lower):
    opening = (model.mean[list(lower), 1] - model.mean[list(upper), 1]).mean()

    def closing(name):
        return offset(model, name + side, upper) - offset(model, name + side, lower)

    assert closing("eyeBlink") > 0.35 * opening
    assert closing("eyeSquint") > 0.05 * opening
    assert closing("eyeWide") < -0.05 * opening


def test_expressions_leave_distant_parts_alone(model):
    def moves(name, vertices):
        return model.expression[INDEX[name], list(vertices)].norm(dim=1).mean()

    for name in ("mouthSmileLeft", "jawOpen", "mouthPucker"):
        assert moves(name, (10, 109, 338)) < 0.2 * model.expression[INDEX[name]].norm(dim=1).max()
    for name in ("browInnerUp", "eyeBlinkLeft"):
        assert moves(name, (17, 152, 291, 61)) < 0.5 * model.expression[INDEX[name]].norm(dim=1).max()


def test_displacement_is_linear(model):
    one, two = torch.rand(2, 3, 52)
    whole = model.displacement(0.3 * one - 2 * two)
    assert whole.shape == (3, VERTICES, 3)
    torch.testing.assert_close(whole, 0.3 * model.displacement(one) - 2 * model.displacement(two), rtol=0, atol=1e-5)
    one_hot = torch.eye(52)[INDEX["jawOpen"]]
    torch.testing.assert_close(model.displacement(one_hot), model.expression[INDEX["jawOpen"]])


def test_the_regressor_knows_faces(model):
    """Its guess rises with the expression, on the mean face."""
    for name in ("jawOpen", "mouthSmileLeft", "browInnerUp", "eyeBlinkRight", "mouthPucker"):
        ramp = torch.zeros(5, 52)
        ramp[:, INDEX[name]] = torch.linspace(0, 1, 5)
        with torch.no_grad():
            guess = model.regressor(model.displacement(ramp) / model.spread)[:, INDEX[name]]
        assert (guess.diff() > 0).all(), name
        assert guess[-1] - guess[0] > 0.15, name


def test_models_do_not_change(model):
    with pytest.raises(AttributeError):
        model.mean = torch.zeros(3)
    doubled = replace(model, mean=2 * model.mean)
    assert np.isfinite(float(doubled.mean.sum()))


def test_brows_and_lids_pull_nothing_below_the_nose(model):
    """The detector sinks mouth and jaw when brows go up; only what the jaw and the lips do is rendered there."""
    lower = [*LIPS_OUTER, CHIN, 205, 425, 172, 397]
    for name in BLENDSHAPES:
        one_hot = torch.eye(52)[INDEX[name]]
        landmarks, rendered = model.displacement(one_hot), model.motion(one_hot)
        if name.startswith(("brow", "eye")):
            assert rendered[lower].norm(dim=1).max() < 1e-4
            upper = model.mean[:, 1] < -0.25
            torch.testing.assert_close(rendered[upper], (landmarks * model.mobility[:, None])[upper])
        else:
            torch.testing.assert_close(rendered, landmarks * model.mobility[:, None])
    assert model.displacement(torch.eye(52)[INDEX["browInnerUp"]])[lower, 1].mean() > 0.005, "else nothing to take out"
