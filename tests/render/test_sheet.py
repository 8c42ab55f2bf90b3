from __future__ import annotations

import pytest
import torch

from talkedit_sdk.face.topology import EYE_LEFT, EYE_RIGHT, LIPS_INNER, OVAL, VERTICES
from talkedit_sdk.render.layer import Layer
from talkedit_sdk.render.sheet import Sheet


@pytest.fixture(scope="module")
def sheet(model):
    return Sheet(model)


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
