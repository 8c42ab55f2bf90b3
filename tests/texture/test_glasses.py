from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from skimage import data

from talkedit_sdk.errors import WeightsError
from talkedit_sdk.face.topology import BROW_LEFT, BROW_RIGHT, EYE_LEFT, EYE_RIGHT, VERTICES
from talkedit_sdk.hub import EMBEDDED
from talkedit_sdk.texture.glasses import FILE, HEIGHT, SCALE, WIDTH, EyeFrame, EyeViews, RimFinder, RimNet
from talkedit_sdk.video.source import open_source

TALK = Path(__file__).parents[2] / "examples" / "talk.mp4"
LIDS = [*EYE_RIGHT, *EYE_LEFT]


@pytest.fixture(scope="module")
def frame(model):
    return EyeFrame(model)


@pytest.fixture(scope="module")
def finder(model):
    return RimFinder(model, RimNet.load(EMBEDDED))


def face_at(model, matrix):
    """(478, 3) landmarks of the mean face under an affine map (2, 3)."""
    landmarks = np.zeros((478, 3), np.float32)
    landmarks[:VERTICES, :2] = model.mean.numpy()[:, :2] @ np.array(matrix)[:, :2].T + np.array(matrix)[:, 2]
    return landmarks


def spectacles(rgb, landmarks, thickness, colour=(25, 20, 20), shape="round"):
    """The frame with glasses drawn on it, and (H, W) bool, their rims."""
    mask = np.zeros(rgb.shape[:2], np.uint8)
    right, left = (landmarks[list(eye), :2].mean(0) for eye in (EYE_RIGHT, EYE_LEFT))
    unit = float(np.linalg.norm(left - right)) / 0.73
    across, down = (left - right) / np.linalg.norm(left - right), np.array([-(left - right)[1], (left - right)[0]])
    down = down / np.linalg.norm(down)
    wide, high = 0.27 * unit, (0.23 if shape == "round" else 0.17) * unit
    angle = np.linspace(0, 2 * np.pi, 120)
    power = 1.0 if shape == "round" else 0.5
    x, y = (np.sign(wave) * np.abs(wave) ** power for wave in (np.cos(angle), np.sin(angle)))
    width = max(1, round(thickness * unit))
    lines = [eye + 0.03 * unit * down + np.outer(wide * x, across) + np.outer(high * y, down) for eye in (right, left)]
    lines.append(np.array([right + wide * across, left - wide * across]))
    lines.append(np.array([right - wide * across, right - 0.5 * unit * across]))
    lines.append(np.array([left + wide * across, left + 0.5 * unit * across]))
    for line in lines:
        cv2.polylines(mask, [(line * 16).round().astype(np.int32)], False, 255, width, cv2.LINE_AA, 4)
    share = mask[..., None] / 255
    return (rgb * (1 - share) + np.array(colour) * share).round().astype(np.uint8), mask > 0


@pytest.mark.parametrize("scale", [60.0, 200.0, 700.0])
@pytest.mark.parametrize("lean", [0.0, 0.4])
def test_views_show_eyes_in_one_place(model, frame, scale, lean):
    turn = scale * np.array([[0.8 * np.cos(lean), -np.sin(lean)], [0.8 * np.sin(lean), np.cos(lean)]])
    landmarks = face_at(model, np.c_[turn, [700.0, 500.0]])
    rgb = np.zeros((1000, 1400, 3), np.uint8)
    for vertex in (159, 145, 197, 386):
        at = tuple(int(v) for v in landmarks[vertex, :2].round())
        cv2.circle(rgb, at, max(1, int(0.03 * scale)), (255, 255, 255), -1)
    view = frame.view(rgb, landmarks)
    assert view.shape == (HEIGHT, WIDTH, 3)
    for vertex in (159, 145, 197, 386):
        x, y = frame.points[vertex].round().astype(int)
        assert view[y - 1 : y + 2, x - 1 : x + 2].max() > 80
    assert (view[:, :5] == 0).all()


def test_faces_at_the_border_and_beyond(model, frame):
    rgb = np.full((100, 100, 3), 90, np.uint8)
    half_out = frame.view(rgb, face_at(model, [[100, 0, 0], [0, 100, 50]]))
    assert (half_out == 90).all()
    for far in (-5000, 5000):
        assert frame.view(rgb, face_at(model, [[100, 0, far], [0, 100, far]])) is None


def test_views_are_few_and_spread(model, frame):
    landmarks = face_at(model, [[30, 0, 50], [0, 30, 50]])
    for count in (1, 5, 16, 17, 300):
        views = EyeViews(frame)
        for index in range(count):
            views.add(np.full((100, 100, 3), index % 256, np.uint8), landmarks)
        assert min(count, 9) <= len(views.views) <= 16
        if count == 300:
            shown = views.views[:, 0, 0, 0].astype(int)
            assert np.ptp(np.unwrap(shown, period=256)) > 250
    merged = views.merge(views)
    assert 9 <= len(merged.views) <= 16
    assert EyeViews(frame).views.shape == (0, HEIGHT, WIDTH, 3)
    assert EyeViews(frame).merge(EyeViews(frame)).views.shape == (0, HEIGHT, WIDTH, 3)


class Painted(torch.nn.Module):
    """In place of the net: rims as told."""

    def __init__(self, rims, worn):
        super().__init__()
        self.rims_, self.worn_ = rims, worn

    def forward(self, views):
        rims = torch.where(self.rims_, 8.0, -8.0).expand(len(views), 1, -1, -1)
        return rims, torch.full((len(views),), self.worn_)


def test_the_skin_keeps_still_along_a_rim(model, frame):
    rims = torch.zeros(HEIGHT // 2, WIDTH // 2, dtype=torch.bool)
    row = round(float(frame.points[LIDS, 1].mean() + 0.22 * SCALE) / 2)
    rims[row] = True
    views = np.zeros((3, HEIGHT, WIDTH, 3), np.uint8)
    keep = RimFinder(model, Painted(rims, 8.0)).keep(views, model.mean)
    away = np.abs(frame.points[:, 1] - (2 * row + 0.5)) / SCALE
    near = (np.abs(frame.points[:, 0] - WIDTH / 2) < 60) & (away < 0.05)
    assert near.sum() > 10
    assert keep[near].max() < 0.01
    assert (keep[away > 0.2] > 0.99).all()
    assert keep[LIDS].min() > 0.8
    assert torch.equal(RimFinder(model, Painted(rims, -8.0)).keep(views, model.mean), torch.ones(VERTICES))


def test_a_brow_behind_the_rim_moves_as_one(model, frame):
    rims = torch.zeros(HEIGHT // 2, WIDTH // 2, dtype=torch.bool)
    x, y = frame.points[list(BROW_LEFT)].mean(0) / 2
    rims[round(y) + 1, round(x) - 4 : round(x) + 4] = True
    keep = RimFinder(model, Painted(rims, 8.0)).keep(np.zeros((1, HEIGHT, WIDTH, 3), np.uint8), model.mean)
    behind, free = keep[list(BROW_LEFT)], keep[list(BROW_RIGHT)]
    assert behind.max() < 0.75
    assert free.min() > 0.95


def test_no_views_no_glasses(finder, model):
    assert torch.equal(finder.keep(None, model.mean), torch.ones(VERTICES))
    assert torch.equal(finder.keep(np.zeros((0, HEIGHT, WIDTH, 3), np.uint8), model.mean), torch.ones(VERTICES))


@pytest.fixture(scope="module")
def talk_frames():
    return [one.rgb for one in open_source(TALK).frames()][:12]


def test_bare_faces_wear_nothing(editor, finder, talk_frames):
    for frames in (talk_frames, [data.astronaut()]):
        clip = editor.watch(frames, fps=25)
        assert finder.keep(clip.tracking.faces[0].eyes, clip.fits[0].neutral).min() > 0.99


@pytest.mark.parametrize(
    ("thickness", "colour", "shape"),
    [(0.018, (205, 205, 210), "round"), (0.02, (60, 50, 50), "round"), (0.06, (25, 20, 20), "square")],
)
def test_glasses_keep_their_shape(editor, finder, talk_frames, thickness, colour, shape):
    """Brows go up, lids part and cheeks rise; the rims stay where they are."""
    landmarks = editor.watch(talk_frames, fps=25).tracking.faces[0].landmarks
    worn = [spectacles(rgb, at, thickness, colour, shape) for rgb, at in zip(talk_frames, landmarks, strict=True)]
    clip = editor.watch([rgb for rgb, _ in worn], fps=25)
    (face,) = clip.tracking.faces
    keep = finder.keep(face.eyes, clip.fits[0].neutral)
    assert keep.min() < 0.01
    assert keep[LIDS].mean() > 0.6
    for emotion in ("surprised", "happy"):
        edited = list(editor.edit(clip, emotion, 0.8).frames())
        for index in (0, 6, 11):
            source, rim = worn[index]
            drawn = edited[index].rgb.astype(int)
            assert (drawn != source).any(-1).sum() > 2000
            assert _shift(source, drawn, rim) < 0.4


def _shift(source, drawn, rim):
    """Pixels by which edges on the rims moved, as seen by how far their levels changed, where that is most."""
    levels, change = source.mean(-1), np.abs(drawn - source.astype(int)).mean(-1)
    contrast = float(np.ptp(np.percentile(levels[cv2.dilate(rim.astype(np.uint8), np.ones((7, 7))) > 0], [5, 95])))
    blocks = np.unique(np.argwhere(rim) // 12, axis=0)
    areas = [tuple(slice(12 * b, 12 * b + 12) for b in block) for block in blocks]
    return max(float(change[area][rim[area]].mean()) for area in areas if rim[area].sum() > 12) / contrast


def test_weights_that_cannot_be_used(tmp_path):
    with pytest.raises(WeightsError, match="No usable rim finder"):
        RimNet.load(tmp_path)
    (tmp_path / FILE).write_bytes(b"no tensors")
    with pytest.raises(WeightsError, match="No usable rim finder"):
        RimNet.load(tmp_path)
    (tmp_path / FILE).write_bytes(b"\0" * (5 << 20))
    with pytest.raises(WeightsError, match="larger"):
        RimNet.load(tmp_path)
    shutil.copy(EMBEDDED / FILE, tmp_path / FILE)
    sound = load_file(tmp_path / FILE)
    for damage in (
        lambda name, value: value * float("nan") if name == "worn.weight" else value,
        lambda name, value: value[:, :3] if name == "worn.weight" else value,
        lambda name, value: None if name == "rims.bias" else value,
    ):
        damaged = {name: damage(name, value) for name, value in sound.items()}
        save_file({name: value.contiguous() for name, value in damaged.items() if value is not None}, tmp_path / FILE)
        with pytest.raises(WeightsError, match="rim finder"):
            RimNet.load(tmp_path)


def test_weights_survive_a_round_trip(tmp_path):
    net = RimNet.load(EMBEDDED)
    net.save(tmp_path)
    again = RimNet.load(tmp_path)
    views = torch.randn(2, 3, HEIGHT, WIDTH)
    with torch.inference_mode():
        for one, other in zip(net(views), again(views), strict=True):
            torch.testing.assert_close(one, other)
