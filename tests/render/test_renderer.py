from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from talkedit_sdk.face.topology import EYE_LEFT, EYE_RIGHT, LIPS_INNER, LIPS_OUTER, OVAL, VERTICES
from talkedit_sdk.hub import EMBEDDED
from talkedit_sdk.render.nobody import Nobody
from talkedit_sdk.render.raster_torch import TorchRasterizer
from talkedit_sdk.render.renderer import Renderer

EVERYTHING = {"jawOpen": 0.4, "mouthSmile": 0.6, "browInnerUp": 0.9, "eyeWide": 0.7, "mouthUpperUp": 0.4}


@pytest.fixture(scope="module")
def renderer(model):
    return Renderer(model, Nobody.load(EMBEDDED))


@pytest.fixture(scope="module")
def frames(speech):
    return torch.from_numpy(speech)


def polygon(landmarks, contour, grow=0):
    mask = np.zeros((360, 360), np.uint8)
    cv2.fillPoly(mask, [np.round(landmarks[list(contour), :2].numpy()).astype(np.int32)], 1)
    return cv2.dilate(mask, np.ones((3, 3), np.uint8), iterations=grow).astype(bool)


def changed(before, after):
    return (before != after).any(-1).numpy()


def test_nothing_moves_the_very_same_tensor(renderer, frames, landmarks):
    placement = renderer.place(landmarks, torch.zeros(24, VERTICES, 3))
    assert renderer.draw(frames, placement) is frames
    hardly = renderer.place(landmarks, torch.full((24, VERTICES, 3), 0.005))
    assert renderer.draw(frames, hardly) is frames


def test_the_source_is_never_written_to(renderer, frames, landmarks, moved_by):
    before = frames.clone()
    drawn = renderer.draw(frames, renderer.place(landmarks, moved_by(**EVERYTHING)))
    assert drawn.dtype == torch.uint8
    assert drawn.shape == frames.shape
    assert torch.equal(frames, before)
    assert (drawn != frames).any()


def test_pixels_outside_the_skirt_keep_every_bit(renderer, frames, landmarks, moved_by):
    placement = renderer.place(landmarks, moved_by(**EVERYTHING))
    drawn = renderer.draw(frames, placement)
    for row in range(0, 24, 6):
        hull = cv2.convexHull(placement.skin.vertices[row, :, :2].contiguous().numpy())
        inside = np.zeros((360, 360), np.uint8)
        cv2.fillConvexPoly(inside, np.round(hull).astype(np.int32), 1)
        outside = ~cv2.dilate(inside, np.ones((5, 5), np.uint8)).astype(bool)
        assert outside.mean() > 0.2
        assert not changed(frames[row], drawn[row])[outside].any()


def test_what_lies_beside_the_face_is_not_bent(renderer, frames, landmarks, moved_by):
    """Hair, ears and the background keep every bit; the skin under the chin comes along."""
    stripes = frames.clone()
    stripes[:, ::6] = 255
    drawn = renderer.draw(stripes, renderer.place(landmarks, moved_by(jawOpen=0.5, mouthSmile=0.4)))
    for row in range(0, 24, 6):
        outline = landmarks[row, list(OVAL)]
        grown = landmarks[row].clone()
        grown[list(OVAL)] = outline.mean(0) + 1.25 * (outline - outline.mean(0))
        beside = ~polygon(grown, OVAL)
        chin = int(landmarks[row, 152, 1])
        beside[chin - 30 :] = False
        difference = changed(stripes[row], drawn[row])
        assert not difference[beside].any()
        assert difference[chin + 10 : chin + 25, int(landmarks[row, 152, 0])].any()


def test_what_does_not_move_keeps_every_bit(renderer, frames, landmarks):
    """Only one cheek is pulled: eyes, mouth and the other half are drawn too, and must come out as they were."""
    offsets = torch.zeros(24, VERTICES, 3)
    offsets[:, 425, :2] = torch.tensor([4.0, 3.0])
    difference = changed(frames, renderer.draw(frames, renderer.place(landmarks, offsets)))
    assert difference.any()
    for row in range(24):
        for contour in (EYE_LEFT, EYE_RIGHT, LIPS_INNER):
            assert not difference[row][polygon(landmarks[row], contour, grow=1)].any()
        nose = int(landmarks[row, 1, 0])
        assert not difference[row, :, : nose - 10].any()


@pytest.mark.parametrize("vertex", [205, 425, 10, 152, 104, 333])
@pytest.mark.parametrize("step", [(6.0, -3.0), (-2.5, 4.25)])
def test_a_dot_goes_where_its_vertex_goes(renderer, landmarks, vertex, step):
    """The whole face is shifted, so that the dot keeps its shape; at the outline the skirt holds it back a little."""
    x, y = landmarks[0, vertex, :2].tolist()
    rows, columns = np.mgrid[:360, :360]
    dot = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 1.5**2))
    picture = torch.from_numpy((60 + 150 * dot).round().astype(np.uint8))[None, ..., None].repeat(1, 1, 1, 3)
    offsets = torch.zeros(1, VERTICES, 3)
    offsets[..., :2] = torch.tensor(step)
    drawn = renderer.draw(picture, renderer.place(landmarks[:1], offsets))[0, ..., 0].numpy().astype(float) - 60
    drawn[np.hypot(columns - x - step[0], rows - y - step[1]) > 9] = 0
    assert drawn.sum() > 0.8 * 150 * dot.sum()
    found = np.array([(drawn * columns).sum(), (drawn * rows).sum()]) / drawn.sum()
    np.testing.assert_allclose(found, np.array([x, y]) + step, atol=0.8 if vertex in OVAL else 0.1)


def test_expressions_move_what_they_should(renderer, frames, landmarks, moved_by):
    smile, brows = (
        (renderer.draw(frames, renderer.place(landmarks, moved_by(**change))).int() - frames.int()).abs().numpy()
        for change in ({"mouthSmile": 0.6}, {"browInnerUp": 0.9})
    )
    for row in (0, 12):
        mouth = polygon(landmarks[row], LIPS_OUTER)
        forehead = polygon(landmarks[row], (107, 66, 69, 108, 151, 337, 299, 296, 336, 9))
        assert smile[row][mouth].mean() > 5 * smile[row][forehead].mean()
        assert brows[row][forehead].mean() > 2 * brows[row][mouth].mean()


def test_detail_stays_sharp(renderer, frames, landmarks, moved_by):
    grain = np.random.default_rng(0).normal(size=(360, 360, 3)).astype(np.float32)
    fine = cv2.GaussianBlur(grain, (0, 0), 0.8)
    picture = np.clip(128 + 50 * fine / fine.std(), 0, 255).astype(np.uint8)
    drawn = renderer.draw(
        torch.from_numpy(picture)[None], renderer.place(landmarks[:1], moved_by(browInnerUp=0.6, mouthSmile=0.4)[:1])
    )[0].numpy()
    moved = (picture != drawn).any(-1)
    for contour in (EYE_LEFT, EYE_RIGHT, LIPS_OUTER):
        moved &= ~polygon(landmarks[0], contour, grow=6)
    assert moved.sum() > 5000
    energy = [cv2.Laplacian(p.astype(np.float32), cv2.CV_32F)[moved].std() for p in (picture, drawn)]
    assert energy[1] == pytest.approx(energy[0], rel=0.12)


def test_a_batch_is_drawn_like_single_frames(renderer, frames, landmarks, moved_by):
    placement = renderer.place(landmarks, moved_by(**EVERYTHING))
    together = renderer.draw(frames, placement)
    for row in range(0, 24, 5):
        alone = renderer.draw(frames[row : row + 1], placement[row : row + 1])[0]
        difference = (together[row].int() - alone.int()).abs()
        assert difference.max() <= 2
        assert (difference > 0).float().mean() < 1e-3


def test_drawing_is_repeatable(renderer, frames, landmarks, moved_by):
    placement = renderer.place(landmarks, moved_by(**EVERYTHING))
    assert torch.equal(renderer.draw(frames, placement), renderer.draw(frames, placement))


class OnTensors:
    """The torch rasterizer behind the interface of the numba one."""

    def map(self, vertices, triangles, attributes, size):
        values, covered = TorchRasterizer().map(*map(torch.from_numpy, (vertices, triangles, attributes)), size)
        return values.numpy(), covered.numpy()


def test_both_rasterizers_draw_the_same(model, renderer, frames, landmarks, moved_by, monkeypatch):
    monkeypatch.setattr("talkedit_sdk.render.renderer.make_rasterizer", lambda _: OnTensors())
    other = Renderer(model, Nobody.load(EMBEDDED))
    placement = renderer.place(landmarks, moved_by(**EVERYTHING))[:4]
    one, two = (r.draw(frames[:4], placement).int() for r in (renderer, other))
    difference = (one - two).abs()
    assert difference.max() <= 2
    assert (difference > 0).float().mean() < 1e-3


@pytest.mark.parametrize("shift", [(-150.0, 0.0), (150.0, 120.0), (0.0, -170.0)])
def test_faces_that_leave_the_picture(renderer, frames, landmarks, moved_by, shift):
    """What lies beyond the border is neither drawn nor missed."""
    aside = landmarks[:2] + torch.tensor([*shift, 0.0])
    drawn = renderer.draw(frames[:2], renderer.place(aside, moved_by(**EVERYTHING)[:2]))
    assert drawn.shape == frames[:2].shape
    assert (drawn != frames[:2]).any()


def test_faces_beyond_the_picture_draw_nothing(renderer, frames, landmarks, moved_by):
    far = renderer.place(landmarks[:1] + 5000, moved_by(jawOpen=1.0)[:1])
    assert torch.equal(renderer.draw(frames[:1], far), frames[:1])


def test_an_opened_mouth_is_dark_inside(renderer, frames, landmarks, moved_by):
    """From closed lips to an open jaw: what appears between them is a mouth, with teeth and darkness, not more lip."""
    offsets = moved_by(jawOpen=0.8)
    placement = renderer.place(landmarks, offsets)
    drawn = renderer.draw(frames, placement)[0].float().mean(-1).numpy()
    lips = (landmarks[0, :VERTICES] + offsets[0])[:, :2]
    inside = cv2.erode(polygon(lips, LIPS_INNER).astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    assert inside.sum() > 150
    skin = drawn[polygon(lips, LIPS_OUTER, grow=6) & ~polygon(lips, LIPS_OUTER, grow=1)]
    assert drawn[inside].mean() < 0.75 * skin.mean()
    assert np.percentile(drawn[inside], 15) < 0.4 * skin.mean()
    assert np.percentile(drawn[inside], 90) > 0.6 * skin.mean()


def test_the_iris_stays_where_it_is(renderer, frames, landmarks, moved_by):
    """Lids move over the eyeball; the eyeball keeps still."""
    drawn = renderer.draw(frames, renderer.place(landmarks, moved_by(eyeWide=0.8, browOuterUp=0.8)))
    for row in (0, 12):
        for iris in (468, 473):
            x, y = np.round(landmarks[row, iris, :2].numpy()).astype(int)
            pupil = (slice(y - 1, y + 2), slice(x - 1, x + 2))
            difference = (drawn[row][pupil].int() - frames[row][pupil].int()).abs()
            assert difference.float().mean() < 12
