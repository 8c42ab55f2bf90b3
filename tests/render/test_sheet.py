from __future__ import annotations

import pytest
import torch

from talkedit_sdk.face.topology import CHIN, EYE_LEFT, EYE_RIGHT, LIPS_INNER, OVAL, VERTICES
from talkedit_sdk.hub import EMBEDDED
from talkedit_sdk.render.layer import Layer
from talkedit_sdk.render.nobody import Nobody
from talkedit_sdk.render.renderer import Renderer


@pytest.fixture(scope="module")
def sheet(model):
    return Renderer(model, Nobody.load(EMBEDDED)).sheet


def layers_of(placement):
    meshes = [placement.skin]
    for opening in placement.openings:
        meshes += [part for part in (getattr(opening, "interior", None), opening.rim) if isinstance(part, Layer)]
    return meshes


def test_no_offsets_no_shift(sheet, landmarks):
    placement = sheet.place(landmarks, torch.zeros(24, VERTICES, 3))
    assert (placement.moved == 0).all()
    for layer in layers_of(placement):
        assert layer.attributes[..., :2].abs().max() < 0.02


def test_meshes_are_whole(sheet, landmarks, moved_by):
    placement = sheet.place(landmarks, moved_by(jawOpen=0.5, mouthSmile=0.5, eyeWide=0.5))
    assert len(placement.openings) == 3, "two eyes and the mouth"
    for layer in layers_of(placement):
        frames, vertices, axes = layer.vertices.shape
        assert (frames, axes) == (24, 3)
        assert layer.attributes.shape[:2] == (24, vertices)
        assert layer.attributes.shape[2] >= 2
        assert layer.triangles.dtype == torch.int32
        assert layer.triangles.min() >= 0
        assert layer.triangles.max() < vertices
        assert (layer.triangles.sort(1).values.diff(dim=1) > 0).all(), "no triangle has two equal corners"
        assert torch.isfinite(layer.vertices).all()
        assert torch.isfinite(layer.attributes).all()


def test_the_skin_is_one_surface_with_three_holes(sheet, landmarks, moved_by):
    triangles = sheet.place(landmarks, moved_by(jawOpen=0.1)).skin.triangles.long()
    edges = torch.cat([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]).sort(1).values
    pairs, counts = torch.unique(edges, dim=0, return_counts=True)
    assert counts.max() == 2
    border = set(pairs[counts == 1].flatten().tolist())
    outer = {vertex for vertex in border if vertex >= VERTICES}
    assert set(EYE_LEFT) | set(EYE_RIGHT) | set(LIPS_INNER) <= border
    assert len(outer) == len(OVAL), "the skirt ends in one ring"
    assert not set(OVAL) & border, "and is sewn to the face"


def test_vertices_go_where_the_offsets_say_and_come_from_where_they_were(sheet, landmarks, moved_by):
    offsets = moved_by(jawOpen=0.4, browInnerUp=0.8)
    skin = sheet.place(landmarks, offsets).skin
    torch.testing.assert_close(skin.vertices[:, :VERTICES], landmarks[:, :VERTICES] + offsets)
    torch.testing.assert_close(skin.attributes[:, :VERTICES, :2], -offsets[..., :2])


def test_the_skirt_fades_to_nothing(sheet, landmarks, moved_by):
    skin = sheet.place(landmarks, moved_by(jawOpen=0.8)).skin
    rings = skin.attributes[:, VERTICES:, :2].reshape(24, -1, len(OVAL), 2).norm(dim=-1).amax(-1)
    assert (rings.diff(dim=1) < 0).all()
    assert (rings[:, -1] == 0).all()
    source = skin.vertices[..., :2] + skin.attributes[..., :2]
    ring = source[:, VERTICES:].reshape(24, -1, len(OVAL), 2)
    centre = landmarks[:, list(OVAL), :2].mean(1)[:, None, None]
    distance = (ring - centre).norm(dim=-1)
    assert (distance.diff(dim=1) > 0).all(), "each ring lies around the one before"


def reach_of(skin, landmarks):
    """(24, 36) distance of the last ring of the skirt from the centre of the outline, relative to the outline's."""
    outline = landmarks[:, list(OVAL), :2]
    centre = outline.mean(1, keepdim=True)
    last = (skin.vertices + torch.nn.functional.pad(skin.attributes[..., :2], (0, 1)))[:, -len(OVAL) :, :2]
    return (last - centre).norm(dim=-1) / (outline - centre).norm(dim=-1)


def test_ears_and_hair_are_out_of_reach_and_the_throat_is_not(sheet, landmarks, moved_by):
    beside = [OVAL.index(vertex) for vertex in (10, 109, 338, 127, 356, 234, 454, 93, 323, 132, 361)]
    still = reach_of(sheet.place(landmarks, moved_by(jawOpen=0.01)).skin, landmarks)
    assert still[:, beside].max() < 1.12
    assert still[:, OVAL.index(CHIN)].min() > 1.4
    open_wide = reach_of(sheet.place(landmarks, moved_by(jawOpen=0.6)).skin, landmarks)
    assert open_wide[:, beside].max() < 1.2
    assert open_wide[:, OVAL.index(CHIN)].max() < 1.7


@pytest.mark.parametrize("way", [0.08, -0.08])
def test_a_skirt_is_pushed_and_pulled_without_folds(sheet, landmarks, way):
    """The whole face grows or shrinks by more than any expression moves it."""
    face = landmarks[:, :VERTICES]
    offsets = way * (face - face.mean(1, keepdim=True)) * torch.tensor([1.0, 1.0, 0.0])
    skin = sheet.place(landmarks, offsets).skin
    skirt = skin.triangles[(skin.triangles >= VERTICES).any(1)].long()

    def areas(points):
        one, two = (points[:, skirt[:, i]] - points[:, skirt[:, 0]] for i in (1, 2))
        return one[..., 0] * two[..., 1] - one[..., 1] * two[..., 0]

    before = areas(skin.vertices[..., :2] + skin.attributes[..., :2])
    assert (areas(skin.vertices[..., :2]) * before.sign() > 0.1 * before.abs()).all()


def test_a_dropped_chin_takes_the_throat_along(sheet, landmarks, moved_by):
    offsets = moved_by(jawOpen=0.5)
    skin = sheet.place(landmarks, offsets).skin
    under = -skin.attributes[:, VERTICES:].reshape(24, -1, len(OVAL), 2)[:, :, OVAL.index(CHIN), 1]
    chin = offsets[:, CHIN, 1]
    assert (chin > 5).all()
    shares = torch.cat([chin[:, None], under], 1) / chin[:, None]
    assert shares[:, 1].min() > 0.6, "no seam under the chin"
    assert (shares[:, 2] > 0.3).all()
    assert (shares.diff(dim=1) < 0).all()


def test_moved_is_the_largest_step(sheet, landmarks, moved_by):
    offsets = moved_by(mouthSmile=0.7)
    placement = sheet.place(landmarks, offsets)
    torch.testing.assert_close(placement.moved, offsets[..., :2].norm(dim=-1).amax(1))


def test_rows_can_be_taken_out(sheet, landmarks, moved_by):
    offsets = moved_by(jawOpen=0.3, eyeBlink=0.4)
    whole = sheet.place(landmarks, offsets)
    for rows in (slice(3, 5), torch.tensor([7, 2])):
        part, alone = whole[rows], sheet.place(landmarks[rows], offsets[rows])
        for one, other in zip(layers_of(part), layers_of(alone), strict=True):
            torch.testing.assert_close(one.vertices, other.vertices)
            torch.testing.assert_close(one.attributes, other.attributes)
        assert torch.equal(part.moved, alone.moved)


def test_a_larger_picture_gives_a_larger_sheet(sheet, landmarks, moved_by):
    offsets = moved_by(jawOpen=0.5, mouthSmile=0.5)
    one, two = (sheet.place(scale * landmarks, scale * offsets).skin for scale in (1, 3))
    torch.testing.assert_close(3 * one.vertices, two.vertices, rtol=1e-4, atol=1e-2)
    torch.testing.assert_close(3 * one.attributes, two.attributes, rtol=1e-4, atol=1e-2)
