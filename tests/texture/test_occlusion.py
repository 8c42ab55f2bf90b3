from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from talkedit_sdk.face.topology import BROW_LEFT, LIPS_OUTER, VERTICES
from talkedit_sdk.face.track import FaceTrack

LIPS = list(LIPS_OUTER)
BROWS = list(BROW_LEFT)
SIZE = (640, 640)


def find(finder, track, size=SIZE, fps=25):
    return finder.find(track, track.frames / fps, size)


def without_hands(track):
    """As if nobody knew what a hand is."""
    return replace(track, hands=np.full_like(track.hands, np.nan))


def first(track, rows):
    return FaceTrack(
        0, np.arange(len(rows)), *(getattr(track, name)[rows] for name in ("landmarks", "confidence", "segments")),
        track.textures[rows], track.hands[rows],
    )  # fmt: skip


@pytest.fixture(scope="module")
def track(talked):
    return talked.faces[0]


@pytest.fixture(scope="module")
def handed(talk, track, follow, paint_hand):
    """From frame 30 to 49 a hand rises to the mouth and goes down again."""
    pictures = list(talk)
    height = np.linalg.norm(track.landmarks[0, 152, :2] - track.landmarks[0, 10, :2])
    for index in range(30, 50):
        mouth = track.landmarks[index, 13, :2]
        down = (0.6 + 0.5 * abs(index - 39.5) / 10) * height
        pictures[index], _ = paint_hand(
            pictures[index], (mouth[0] - 0.1 * height, mouth[1] + down), 0.36 * height, 0.15
        )
    return pictures, follow(pictures)


def held_before_the_mouth(track, texels, colours, rows, sway=1.0):
    """Textures with a round thing before the mouth, and where it is: (T, S)."""
    textures, there = track.textures.copy(), np.zeros((len(track.frames), len(texels.corners)), bool)
    y, x = np.mgrid[:48, :48]
    for row in rows:
        turn = sway * row / 6
        disc = ((x - 24 - 3 * np.cos(turn)) / 7) ** 2 + ((y - 33 - 2 * np.sin(turn)) / 5.5) ** 2 < 1
        noise = np.random.default_rng(row).normal(0, 3, (int(disc.sum()), 3))
        textures[row][disc] = (colours(row) + noise).clip(0, 255).astype(np.uint8)
        there[row] = disc[texels.inside]
    return replace(without_hands(track), textures=textures), there


def test_a_talking_face_is_free(finder, track):
    occlusion = find(finder, track)
    assert occlusion.keep.shape == (75, VERTICES)
    assert occlusion.covered.mean() < 0.002
    assert occlusion.covered.max() < 0.02
    assert occlusion.keep.mean() > 0.99


def test_a_hand_over_the_mouth_is_left_alone(finder, handed):
    _, tracking = handed
    (face,) = tracking.faces
    assert len(face.frames) == 75
    occlusion = find(finder, face)
    keep, covered = occlusion.keep.numpy(), occlusion.covered
    over = np.arange(36, 44)
    assert (covered[over] > 0.05).all()
    assert (keep[over][:, LIPS] == 0).all()
    assert (keep[over][:, 152] == 0).all()
    assert (keep[over][:, BROWS] == 1).all(), "who hides the mouth may still frown"
    assert (covered[:26] < 0.01).all()
    assert (covered[54:] < 0.01).all()
    assert (keep[:16] > 0.99).all()
    assert (keep[64:] > 0.99).all()


def test_the_edit_fades_in_space_and_time(finder, handed, model):
    keep = find(finder, handed[1].faces[0]).keep.numpy()
    assert keep.min() >= 0
    assert keep.max() <= 1
    assert np.abs(np.diff(keep, axis=0)).max() < 0.3
    edges = np.unique(np.sort(model.triangles.numpy()[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), 1), axis=0)
    length = np.linalg.norm(np.subtract(*model.mean.numpy()[edges.T]), axis=1) / np.ptp(model.mean.numpy()[:, 1])
    steep = np.abs(keep[:, edges[:, 0]] - keep[:, edges[:, 1]]) / length
    assert steep.max() < 14, "from nothing to everything takes a fourteenth of the face at least"


def test_the_hidden_mouth_keeps_its_pixels(editor, handed):
    pictures, _ = handed
    result = editor.edit(pictures, "surprised", mouth_weight=0.0, fps=25)
    landmarks = result._edits[0].track.landmarks
    frames = [frame.rgb for frame in result.frames()]
    lips = np.zeros((75, *SIZE), np.uint8)
    for index in range(75):
        cv2.fillConvexPoly(lips[index], cv2.convexHull(np.round(landmarks[index, LIPS, :2]).astype(np.int32)), 1)
    for index in range(36, 44):
        np.testing.assert_array_equal(frames[index][lips[index] > 0], pictures[index][lips[index] > 0])
        assert (frames[index] != pictures[index]).any(), "the brows go up"
    for index in (5, 70):
        assert (frames[index][lips[index] > 0] != pictures[index][lips[index] > 0]).any()
    report = result.report
    assert report.covered.shape == (75,)
    assert 0.05 < report.covered[40] < 0.8
    assert any("in front of the face" in note for note in report.notes)


@pytest.mark.parametrize("kind", ["dark", "skin", "paper"])
def test_things_before_the_mouth_are_noticed(finder, track, texels, kind):
    """Seen in a third of the frames, without anybody knowing what it is."""
    cheek = {row: track.textures[row][26:30, 10:13].reshape(-1, 3).mean(0) for row in range(75)}
    colours = {"dark": lambda _: 30, "paper": lambda _: 235, "skin": lambda row: cheek[row] * (0.75, 0.62, 0.5)}[kind]
    rows = range(30, 55)
    hidden, there = held_before_the_mouth(track, texels, colours, rows)
    found = np.zeros((75, len(texels.corners)), np.float32)
    visible = np.ones_like(found)
    for cover in finder._covers(hidden, SIZE):
        found[cover.row], visible[cover.row] = cover.hidden, cover.visible
    seen = there & (visible > 0.5)
    assert found[seen].mean() > 0.8
    assert found[~there].mean() < 0.02
    occlusion = find(finder, hidden)
    keep = occlusion.keep.numpy()
    assert (keep[30:55, 0] == 0).all(), "the middle of the upper lip"
    assert (keep[30:55][:, LIPS].mean(1) < 0.05).all()
    assert (keep[30:55][:, BROWS] > 0.9).all()
    assert np.abs(np.diff(keep, axis=0)).max() < 0.3, "nothing flickers"


def test_light_that_changes_is_nothing_in_front(finder, track, texels):
    y, x = np.mgrid[:48, :48] / 47 - 0.5
    shade = np.stack([0.8 + 0.35 * np.sin(row / 8) * x + 0.25 * np.cos(row / 5) * y for row in range(75)])[..., None]
    tint = np.array([1.0, 0.95, 0.85])
    lit = (track.textures * shade * np.where(np.arange(75) < 40, 1, 0)[:, None, None, None]
           + track.textures * shade * tint * np.where(np.arange(75) < 40, 0, 1)[:, None, None, None])  # fmt: skip
    occlusion = find(finder, replace(track, textures=lit.clip(0, 255).astype(np.uint8)))
    assert occlusion.covered.mean() < 0.005
    assert occlusion.keep.mean() > 0.98


def test_what_is_always_there_is_part_of_the_face(finder, track, texels):
    hidden, _ = held_before_the_mouth(track, texels, lambda _: 30, range(75), sway=0)
    assert find(finder, hidden).covered.max() < 0.1


@pytest.mark.parametrize("count", [1, 2, 9, 10, 12])
def test_short_clips(finder, track, handed, count):
    clean = find(finder, first(track, np.arange(count)))
    assert clean.keep.shape == (count, VERTICES)
    assert (clean.keep == 1).all()
    covered = find(finder, first(handed[1].faces[0], np.arange(40, 40 + min(count, 3))))
    assert (covered.keep[:, LIPS] == 0).all(), "hands need no statistics"


def test_a_still_picture_is_free(finder, track):
    still = first(track, np.zeros(30, np.int64))
    assert (find(finder, still).keep == 1).all()


def test_cuts_separate(finder, handed):
    """The hand of one shot does not reach into the next."""
    (face,) = handed[1].faces
    segments = (np.arange(75) >= 40).astype(np.int64)
    rows = np.r_[0:40, 60:75]
    cut = first(replace(face, segments=segments), rows)
    occlusion = find(finder, cut)
    assert (occlusion.keep[39, LIPS] == 0).all()
    assert (occlusion.keep[40:] > 0.99).all()


def test_without_textures_all_is_kept(finder, track):
    occlusion = find(finder, replace(track, textures=None, hands=None))
    assert occlusion.keep.shape == (75, VERTICES)
    assert (occlusion.keep == 1).all()
    assert (occlusion.covered == 0).all()


def test_faces_half_out_of_the_frame(finder, track):
    """What lies beyond the frame is not judged."""
    textures = track.textures.copy()
    textures[20:40, :, :24] = 0
    beyond = replace(
        track, textures=textures, landmarks=track.landmarks - track.landmarks[:, :1] * np.float32([1, 0, 0])
    )
    occlusion = find(finder, without_hands(beyond))
    assert occlusion.covered.max() < 0.05
