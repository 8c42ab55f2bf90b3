from __future__ import annotations

import numpy as np
import pytest

from talkedit_sdk.face.hands import HandFinder
from talkedit_sdk.face.region import Region
from talkedit_sdk.face.topology import LIPS_OUTER, VERTICES
from talkedit_sdk.texture.hands import hand_cover


@pytest.fixture(scope="module")
def face(talked):
    return talked.faces[0].landmarks[0]


@pytest.fixture(scope="module")
def positions(face, texels):
    return texels.spread(face[:VERTICES, :2])


@pytest.fixture
def hand_at(paint_hand):
    def place(wrist, palm, angle=0.0):
        return paint_hand(np.zeros((64, 64, 3), np.uint8), wrist, palm, angle)[1].astype(np.float32)

    return place


def test_what_the_hand_covers_is_covered(face, positions, hand_at, paint_hand):
    mouth = face[list(LIPS_OUTER), :2].mean(0)
    height = np.linalg.norm(face[152, :2] - face[10, :2])
    canvas = np.zeros((640, 640, 3), np.uint8)
    painted, points = paint_hand(canvas, (mouth[0], mouth[1] + 0.7 * height), 0.4 * height, 0.1)
    cover = hand_cover(positions, face, np.stack([points.astype(np.float32), np.full((21, 2), np.nan, np.float32)]))
    columns, rows = positions.round().astype(int).T
    behind = painted[rows, columns].max(1) > 0
    assert behind.mean() > 0.1
    assert cover[behind].mean() > 0.95
    assert cover[~behind].mean() < 0.2, "a margin, no more"
    assert (cover[positions[:, 1] < face[1, 1] - 0.15 * height] == 0).all(), "the eyes are free"


@pytest.mark.parametrize(
    ("wrist", "palm"),
    [((0.0, 0.9), 0.12), ((0.0, 0.1), 0.4), ((0.0, 2.5), 0.4)],
    ids=["smaller than a hand", "growing out of the face", "far below"],
)
def test_what_is_no_hand_or_not_here_covers_nothing(face, positions, hand_at, wrist, palm):
    height = np.linalg.norm(face[152, :2] - face[10, :2])
    hand = hand_at(face[1, :2] + height * np.array(wrist), palm * height)
    assert (hand_cover(positions, face, hand[None]) == 0).all()


def test_no_hands(face, positions):
    assert (hand_cover(positions, face, np.full((2, 21, 2), np.nan, np.float32)) == 0).all()
    assert (hand_cover(positions, face, np.zeros((0, 21, 2), np.float32)) == 0).all()


def test_cover_moves_with_the_hand_without_jumps(face, positions, hand_at):
    height = np.linalg.norm(face[152, :2] - face[10, :2])
    before = None
    for step in np.arange(0, 0.2, 0.002):
        hand = hand_at(face[13, :2] + height * np.array([0, 0.9 - step]), 0.4 * height)
        cover = hand_cover(positions, face, hand[None])
        assert cover.min() >= 0
        assert cover.max() <= 1
        if before is not None:
            assert np.abs(cover - before).max() < 0.1
        before = cover
    assert cover.max() == 1


def test_a_painted_hand_is_found_where_it_is(talk, face, paint_hand, capfd):
    """By the network, which has only ever seen real ones, and without a word on the terminal."""
    height = np.linalg.norm(face[152, :2] - face[10, :2])
    wrist = face[13, :2] + height * np.array([-0.25, 0.6])
    picture, points = paint_hand(talk[0], wrist, 0.3 * height, 0.15)
    region = Region.around(face.astype(float))
    finder = HandFinder()
    capfd.readouterr()
    found = finder.find(picture, 0.0, [region])
    assert capfd.readouterr().err == ""
    assert np.isfinite(found[0]).all()
    assert np.linalg.norm(found[0] - points, axis=1).mean() < 0.1 * height
    finder.forget()
    assert np.isnan(finder.find(talk[0], 0.0, [region])).all()
