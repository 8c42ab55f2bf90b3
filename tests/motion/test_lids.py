from __future__ import annotations

import pytest
import torch

from talkedit_sdk.emotion import EMOTIONS
from talkedit_sdk.face.fit import FaceFit
from talkedit_sdk.face.pose import Pose
from talkedit_sdk.face.topology import BROW_LEFT, EYE_LEFT, EYE_RIGHT, INDEX, LIPS_OUTER, VERTICES
from talkedit_sdk.face.track import FaceTrack
from talkedit_sdk.motion.lids import LidGuard, lid_gaps, usual_opening
from talkedit_sdk.training.facs import apex

LIDS = [*EYE_RIGHT, *EYE_LEFT]
LEVELS = torch.linspace(0, 1.5, 16)


@pytest.fixture(scope="module")
def guard(model):
    return LidGuard(model.mean, lid_gaps(model.mean).mean(-1))


def eyes(model, opening):
    """(T, 468, 3) the mean face with eyes as far open as said, 0 to 1."""
    opening = torch.as_tensor(opening, dtype=torch.float32).reshape(-1)
    vertices = model.mean.expand(len(opening), -1, -1).clone()
    for eye in (EYE_RIGHT, EYE_LEFT):
        for upper, lower in zip(eye[1:8], eye[:8:-1], strict=True):
            middle = (model.mean[upper, 1] + model.mean[lower, 1]) / 2
            for vertex in (upper, lower):
                vertices[:, vertex, 1] = middle + opening * (model.mean[vertex, 1] - middle)
    return vertices


def expressed(model, emotion, levels=LEVELS):
    """(T, 468, 3) offsets of an emotion at rising intensity."""
    return model.motion(levels[:, None] * apex(torch.zeros(1, 8))[0, EMOTIONS.index(emotion)])


def gaps_after(guard, model, emotion, opening, levels=LEVELS):
    vertices = eyes(model, opening).expand(len(levels), -1, -1)
    return lid_gaps(vertices + guard(expressed(model, emotion, levels), vertices))


def test_gaps_are_measured_right_eye_first_from_the_outer_corner(model):
    vertices = model.mean.clone()
    vertices[EYE_LEFT[1], 1] -= 0.5
    change = lid_gaps(vertices) - lid_gaps(model.mean)
    assert change[1, 0] == pytest.approx(0.5)
    assert change.abs().sum() == pytest.approx(0.5)


@pytest.mark.parametrize("emotion", EMOTIONS)
@pytest.mark.parametrize("opening", [0.0, 0.1, 0.2])
def test_closed_eyes_stay_as_closed_as_they_are(guard, model, emotion, opening):
    gaps = gaps_after(guard, model, emotion, opening)
    torch.testing.assert_close(gaps, lid_gaps(eyes(model, opening)).expand_as(gaps), rtol=0, atol=1e-5)


@pytest.mark.parametrize("emotion", EMOTIONS)
@pytest.mark.parametrize("opening", [0.0, 0.3, 0.6, 1.0, 1.3])
def test_lids_never_cross_and_open_eyes_never_shut(guard, model, emotion, opening):
    before, after = lid_gaps(eyes(model, opening)), gaps_after(guard, model, emotion, opening)
    assert (after >= 0.05 * before - 1e-6).all()
    assert (after <= 1.56 * before + 1e-6).all()


@pytest.mark.parametrize("emotion", EMOTIONS)
@pytest.mark.parametrize("opening", [0.4, 1.0])
def test_the_gap_changes_steadily_with_intensity(guard, model, emotion, opening):
    steps = gaps_after(guard, model, emotion, opening).diff(dim=0)
    assert ((steps > -1e-6).all(0) | (steps < 1e-6).all(0)).all()
    assert steps.abs().max() < 0.02


def test_no_offset_is_left_alone(guard, model):
    still = torch.zeros(3, VERTICES, 3)
    assert torch.equal(guard(still, eyes(model, [0.0, 0.5, 1.0])), still)


def test_half_shut_eyes_open_in_proportion(guard, model):
    opening = torch.linspace(0, 1, 21)
    vertices = eyes(model, opening)
    offsets = expressed(model, "surprised", torch.tensor([0.8])).expand(21, -1, -1)
    widened = (lid_gaps(vertices + guard(offsets, vertices)) - lid_gaps(vertices)).mean((1, 2))
    assert (widened.diff() > -1e-6).all()
    assert widened[-1] > 0.01
    assert 0.1 * widened[-1] < widened[10] < 0.6 * widened[-1]
    assert widened.diff().max() < 0.15 * widened[-1]


def test_open_eyes_follow_the_expression(guard, model):
    wider = gaps_after(guard, model, "surprised", 1.0)[-6] - lid_gaps(model.mean)
    narrower = gaps_after(guard, model, "happy", 1.0)[-6] - lid_gaps(model.mean)
    assert wider[:, 2:5].min() > 0.01
    assert narrower[:, 2:5].max() < -0.01


def test_a_wink_is_one_eye(guard, model):
    both, shut = eyes(model, 1.0), eyes(model, 0.0)
    wink = both.clone()
    wink[:, list(EYE_LEFT)] = shut[:, list(EYE_LEFT)]
    offsets = expressed(model, "surprised", torch.tensor([1.0]))
    change = lid_gaps(wink + guard(offsets, wink)) - lid_gaps(wink)
    assert change[0, 0, 3] > 0.01
    assert change[0, 1].abs().max() < 1e-5


def test_the_skin_follows_its_lid_and_nothing_else_moves(guard, model):
    vertices = eyes(model, 0.0)
    offsets = torch.zeros(1, VERTICES, 3)
    offsets[:, [159, 386], 1] = -0.05
    correction = guard(offsets, vertices) - offsets
    assert (correction[..., 2] == 0).all()
    torch.testing.assert_close(correction[:, [159, 386], 1], torch.full((1, 2), 0.05), rtol=0, atol=1e-6)
    above, further = correction[0, 27, 1], correction[0, 223, 1]
    assert 0.05 > above > further > 0
    far = [*LIPS_OUTER, *BROW_LEFT, 1, 10, 152]
    assert correction[0, far].abs().max() < 0.005


def test_corners_stay_at_their_bone(guard, model):
    """Landmarks of wide eyes drift outwards, real corners do not."""
    vertices = eyes(model, 1.0)
    offsets = expressed(model, "surprised", torch.tensor([1.0]))
    after = guard(offsets, vertices)
    torch.testing.assert_close(after[:, LIDS, 0], 0.3 * offsets[:, LIDS, 0], rtol=0, atol=1e-6)
    assert after[:, [33, 133, 362, 263], 0].abs().max() < 0.015


def test_the_guard_leaves_its_input_alone(guard, model):
    offsets = expressed(model, "fearful")
    before = offsets.clone()
    guard(offsets, eyes(model, 0.3).expand(len(LEVELS), -1, -1))
    assert torch.equal(offsets, before)


@pytest.mark.parametrize(("shown", "expected"), [([0.6] * 50, 0.6), ([0.6] * 40 + [0.0] * 10, 0.6), ([0.05], 0.55)])
def test_the_usual_opening_is_that_of_the_person(model, shown, expected):
    """Blinks do not count, and a single frame with eyes shut is not taken for someone who never opens them."""
    count = len(shown)
    landmarks = torch.cat([100 * eyes(model, shown), torch.zeros(count, 10, 3)], 1).numpy()
    frames = torch.arange(count).numpy()
    track = FaceTrack(0, frames, landmarks, frames.astype("float32"), 0 * frames)
    pose = Pose(torch.full((count,), 100.0), torch.eye(3).expand(count, 3, 3), torch.zeros(count, 3))
    fit = FaceFit(model.mean, pose, torch.zeros(count, len(INDEX)), torch.zeros(count))
    usual = usual_opening(track, fit)
    torch.testing.assert_close(usual, expected * lid_gaps(model.mean).mean(-1), rtol=0.01, atol=0)
