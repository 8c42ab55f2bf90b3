from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from talkedit_sdk.face.topology import CHIN, LIPS_INNER, LIPS_OUTER, VERTICES
from talkedit_sdk.face.track import MouthView
from talkedit_sdk.hub import EMBEDDED
from talkedit_sdk.render.canvas import Canvas
from talkedit_sdk.render.gallery import STILL, Gallery, TrackMouth
from talkedit_sdk.render.nobody import Nobody

UPPER, LOWER = list(LIPS_INNER[1:10]), list(LIPS_INNER[11:])
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def nobody(model):
    return Nobody.load(EMBEDDED)


def view_of(landmarks, gap, colour=(120, 90, 80), size=360):
    """A view of the face at `landmarks` (478, 3) with the lower lip `gap` pixels further down, all of one colour."""
    points = landmarks.numpy().copy()
    points[[*LOWER, *LIPS_OUTER[11:], CHIN], 1] += gap
    return MouthView(points, np.full((size, size, 3), colour, np.uint8), np.full(5, 0.5, np.float32))


def test_skull_is_hung_over_skull(landmarks):
    """Whatever the frame's size and place: a point of the skull in the frame is the same point in the view."""
    view = view_of(landmarks[0], 20)
    gallery = Gallery([view], [], CPU)
    frames = 1.7 * landmarks[:3] + torch.tensor([40.0, -25.0, 0.0])
    behind = gallery.hang(frames)
    found = torch.einsum("tij,tnj->tni", behind.matrix, frames[:, list(STILL), :2]) + behind.offset[:, None]
    assert (found[0] - gallery.landmarks[0, list(STILL), :2]).norm(dim=-1).max() < 2
    assert behind.scale[0] == pytest.approx(1 / 1.7, rel=0.02)


def test_a_view_of_the_very_frame_shows_itself(landmarks):
    view = view_of(landmarks[0], 0)
    behind = Gallery([view], [], CPU).hang(landmarks[:1])
    contour = landmarks[:, list(LIPS_INNER[:11]), :2][:1]
    points = contour[:, None].expand(-1, 5, -1, -1)
    look = behind.look(points, landmarks[:1, CHIN, :2])
    inside = torch.einsum("tij,trcj->trci", behind.matrix, points) + behind.offset[:, None, None]
    torch.testing.assert_close(inside, points, rtol=0, atol=0.05)
    assert (look.source - points).abs().max() < 3


def test_colours_are_matched_by_the_skin_around(landmarks):
    view = view_of(landmarks[0], 20, colour=(60, 50, 40))
    canvas = Canvas(torch.full((1, 360, 360, 3), 100, dtype=torch.uint8), None)
    window, shift = (100, 110, 100, 120), torch.zeros(1, 10, 20, 2)
    own = Gallery([view], [], CPU).hang(landmarks[:1]).sample(canvas, shift, window)
    torch.testing.assert_close(own, torch.full_like(own, 100.0))
    strange = Gallery([], [view], CPU).hang(landmarks[:1]).sample(canvas, shift, window)
    assert (strange[0, 0, 0].diff() < 0).all(), "of somebody else the complexion is not taken over in full"
    assert (strange > torch.tensor([60.0, 50.0, 40.0])).all()


def opening(landmarks, drop):
    offsets = torch.zeros(len(landmarks), VERTICES, 3)
    offsets[:, LOWER, 1] = drop
    return offsets


def test_the_view_that_is_as_open_as_wanted_costs_least(landmarks):
    gallery = Gallery([view_of(landmarks[0], gap) for gap in (4, 12, 24)], [view_of(landmarks[0], 12)], CPU)
    for drop, best in ((4.0, 0), (12.0, 1), (24.0, 2)):
        assert int(gallery.costs(landmarks[:1], opening(landmarks[:1], drop)).argmin()) == best


def test_nobody_is_asked_only_where_the_person_never_opens_that_far(landmarks):
    gallery = Gallery([view_of(landmarks[0], 2)], [view_of(landmarks[0], 30)], CPU)
    assert int(gallery.costs(landmarks[:1], opening(landmarks[:1], 2.0)).argmin()) == 0
    assert int(gallery.costs(landmarks[:1], opening(landmarks[:1], 30.0)).argmin()) == 1


def test_one_view_for_each_segment(watched, nobody, landmarks):
    track, fit = watched.tracking.faces[0], watched.fits[0]
    views = tuple(view_of(landmarks[0], gap) for gap in (4, 24))
    segments = np.repeat([0, 1, 2], 8)
    mouth = TrackMouth(replace(track, mouths=views, segments=segments), fit, nobody)
    still = landmarks[:1].expand(16, -1, -1)
    mouth.choose(slice(0, 16), still, torch.cat([opening(still[:8], 4.0), opening(still[8:], 24.0)]))
    chosen = mouth.behind(slice(None), landmarks).chosen.view(3, 8)
    assert (chosen == chosen[:, :1]).all(), "never another one in the midst of a segment"
    assert chosen[:2, 0].tolist() == [0, 1]
    assert chosen[2, 0] in (0, 1), "one that no row was given of takes what suits the others"


def test_a_track_without_a_mouth_has_nobodys(watched, nobody, landmarks):
    track = replace(watched.tracking.faces[0], mouths=(), partings=None)
    behind = TrackMouth(track, watched.fits[0], nobody).behind(slice(0, 5), landmarks[:5])
    assert len(behind.gallery.pictures) == len(nobody.rgb)
    assert behind.parting.shape == (5, 5)
    part = behind[torch.tensor([3, 1])]
    assert torch.equal(part.offset, behind.offset[[3, 1]])


def test_partings_are_calm(watched, nobody, landmarks):
    noisy = np.random.default_rng(0).uniform(0.2, 0.9, (24, 5)).astype(np.float32)
    track = replace(watched.tracking.faces[0], partings=noisy)
    calm = TrackMouth(track, watched.fits[0], nobody).behind(slice(None), landmarks).parting
    assert calm.diff(dim=0).abs().mean() < 0.4 * np.abs(np.diff(noisy, axis=0)).mean()
