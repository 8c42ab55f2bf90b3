from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest
import torch

from talkedit_sdk.face.topology import LIPS_INNER, VERTICES
from talkedit_sdk.hub import EMBEDDED
from talkedit_sdk.render.nobody import Nobody
from talkedit_sdk.render.renderer import Renderer


@pytest.fixture(scope="module")
def renderer(model):
    return Renderer(model, Nobody.load(EMBEDDED))


@pytest.fixture(scope="module")
def frames(speech):
    return torch.from_numpy(speech)


def inner(points, grow=0):
    mask = np.zeros((360, 360), np.uint8)
    cv2.fillPoly(mask, [np.rint(points[list(LIPS_INNER), :2].numpy()).astype(np.int32)], 1)
    size = 2 * abs(grow) + 1
    return (cv2.dilate if grow > 0 else cv2.erode)(mask, np.ones((size, size), np.uint8)).astype(bool)


def mouth_of(renderer, landmarks, offsets, jaw=None):
    return renderer.place(landmarks, offsets, jaw).openings[2]


def test_at_rest_the_frame_is_seen_through_an_open_window(renderer, landmarks):
    attributes = mouth_of(renderer, landmarks, torch.zeros(24, VERTICES, 3)).interior.attributes
    assert attributes[..., :2].abs().max() < 0.01
    assert attributes[..., 4].max() == 0, "nothing of a view"
    assert attributes[..., 5].min() > 0.999
    assert attributes[..., 6].max() == 0


def test_views_come_in_as_the_mouth_opens_and_never_at_once(renderer, landmarks, moved_by):
    """From closed lips: the share of the view grows with the opening, step by step."""
    offsets, shares = moved_by(jawOpen=1.0)[:1], []
    for strength in np.linspace(0, 1, 41):
        mouth = mouth_of(renderer, landmarks[:1], float(strength) * offsets)
        shares.append(mouth.interior.attributes[..., 4].mean().item())
    assert shares[0] == 0
    assert shares[-1] > 0.9
    assert np.diff(shares).min() > -0.02
    assert np.diff(shares).max() < 0.35


def test_upper_teeth_stay_with_the_skull(renderer, landmarks, moved_by):
    """However far jaw and lips go, what is directly under the upper lip comes from where it is."""
    row = int((landmarks[:, 14, 1] - landmarks[:, 13, 1]).argmax())
    offsets = moved_by(jawOpen=0.5)[row : row + 1]
    attributes = mouth_of(renderer, landmarks[row : row + 1], offsets).interior.attributes.view(25, 41, -1)
    assert attributes[4, 15:26, :2].abs().max() < 1.0
    assert attributes[-1, 15:26, 1].max() < -2.0, "while the lower ones come from higher up"


def test_a_mouth_that_wanders_takes_its_teeth_along(renderer, landmarks):
    """Both lips three pixels down, the jaw still: between them is what was there."""
    row = int((landmarks[:, 14, 1] - landmarks[:, 13, 1]).argmax())
    offsets = torch.zeros(1, VERTICES, 3)
    offsets[:, [*LIPS_INNER], 1] = 3.0
    attributes = mouth_of(renderer, landmarks[row : row + 1], offsets, torch.zeros(1, 3)).interior.attributes
    torch.testing.assert_close(attributes[..., 1].mean(), torch.tensor(-3.0), rtol=0, atol=0.15)
    assert attributes[..., 4].max() < 0.01, "nothing of a view"


def test_lips_that_part_leave_the_teeth_alone(renderer, landmarks):
    """One lip up, the other down: nothing between them is carried anywhere."""
    row = int((landmarks[:, 14, 1] - landmarks[:, 13, 1]).argmax())
    offsets = torch.zeros(1, VERTICES, 3)
    half = len(LIPS_INNER) // 2
    offsets[:, list(LIPS_INNER[1:half]), 1] = -2.0
    offsets[:, list(LIPS_INNER[half + 1 :]), 1] = 2.0
    interior = mouth_of(renderer, landmarks[row : row + 1], offsets, torch.zeros(1, 3)).interior
    attributes = interior.attributes.view(25, 41, -1)
    assert attributes[8, 15:26, 1].abs().max() < 1.0


def test_slightly_parted_closed_lips_show_no_black(renderer, frames, landmarks, moved_by):
    """A smile of closed lips must not bare a slit of darkness."""
    offsets = moved_by(mouthSmile=0.7)[:1]
    offsets[:, list(LIPS_INNER[11:]), 1] += 0.6
    drawn = renderer.draw(frames[:1], renderer.place(landmarks[:1], offsets))[0].float().mean(-1).numpy()
    around = inner(landmarks[0, :VERTICES] + offsets[0], grow=2)
    darkest = frames[0].float().mean(-1).numpy()[inner(landmarks[0], grow=3)].min()
    assert drawn[around].min() > darkest - 12


def test_a_mouth_that_opens_changes_smoothly(renderer, frames, landmarks, moved_by):
    offsets = moved_by(jawOpen=0.6)[:1]
    inside = inner(landmarks[0, :VERTICES] + offsets[0], grow=1)
    pictures = [
        renderer.draw(frames[:1], renderer.place(landmarks[:1], float(strength) * offsets))[0].float().numpy()
        for strength in np.linspace(0.02, 1, 50)
    ]
    steps = [np.abs(after - before)[inside].mean() for before, after in itertools.pairwise(pictures)]
    assert max(steps) < 22


def test_views_are_lit_like_the_frame(renderer, frames, landmarks, moved_by):
    offsets = moved_by(jawOpen=0.8)[:1]
    inside = inner(landmarks[0, :VERTICES] + offsets[0], grow=-2)
    placement = renderer.place(landmarks[:1], offsets)
    bright, dark = (
        renderer.draw((factor * frames[:1].float()).byte(), placement)[0].float().numpy()[inside].mean()
        for factor in (1.0, 0.4)
    )
    assert 0.35 < dark / bright < 0.7


def test_the_rim_of_touching_lips_has_width(renderer, landmarks, moved_by):
    rim = mouth_of(renderer, landmarks[:1], moved_by(jawOpen=0.5)[:1]).rim
    margin, inward = rim.vertices.view(2, len(LIPS_INNER), 3)
    assert (inward - margin).norm(dim=-1)[3:8].min() > 0.8
