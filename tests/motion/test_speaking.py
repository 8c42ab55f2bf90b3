from __future__ import annotations

import pytest
import torch

from talkedit_sdk.face.fit import FaceFit
from talkedit_sdk.face.pose import Pose
from talkedit_sdk.face.topology import BROW_LEFT, INDEX, LIPS_INNER, VERTICES
from talkedit_sdk.motion.lids import LidGuard, lid_gaps
from talkedit_sdk.motion.mouth import LipGuard
from talkedit_sdk.motion.speaking import Speaking, SpeechGuard, spoken_gaps, usual_shape

COUNT = 9


@pytest.fixture(scope="module")
def guard(model):
    return SpeechGuard(model, LidGuard(model.mean, lid_gaps(model.mean).mean(-1)))


def coefficients(**values):
    beta = torch.zeros(COUNT, 52)
    for name, value in values.items():
        for index in [i for n, i in INDEX.items() if n.startswith(name)]:
            beta[:, index] = torch.as_tensor(value)
    return beta


def speaking(gaps, lids=1.0, strength=1.0):
    every = torch.ones(COUNT)
    return Speaking(gaps, lids * every, torch.zeros(COUNT, 2), strength * every, torch.zeros(1, VERTICES, 3), False)


@pytest.mark.parametrize("mouth", [{}, {"jawOpen": 0.3}, {"mouthSmile": 0.8, "mouthUpperUp": 0.5}])
def test_lips_come_exactly_as_near_as_wanted_whatever_the_source_does(model, guard, mouth):
    before = coefficients(**mouth)
    own = torch.zeros(COUNT, VERTICES, 3)
    own[:, list(LIPS_INNER[11:]), 1] = torch.linspace(-0.01, 0.08, COUNT)[:, None]  # what no coefficient explains
    fitted = model.mean + model.displacement(before)
    gaps = torch.linspace(0, 0.2, COUNT)[:, None].expand(-1, 9)
    offsets = guard(model.motion(-before), fitted + own, fitted, speaking(gaps))
    after = LipGuard(model.mean).gaps(fitted + own + offsets)
    torch.testing.assert_close(after, gaps, rtol=0, atol=1e-5)


def test_what_the_source_says_does_not_shine_through(model, guard):
    own = torch.zeros(COUNT, VERTICES, 3)
    own[:, list(LIPS_INNER), 0] = torch.linspace(-0.05, 0.05, COUNT)[:, None]
    fitted = model.mean.expand(COUNT, -1, -1)
    closed = speaking(torch.zeros(COUNT, 9))
    result = fitted + own + guard(torch.zeros_like(own), fitted + own, fitted, closed)
    left = (result[:, list(LIPS_INNER), 0] - model.mean[list(LIPS_INNER), 0]).abs().amax()
    assert left < 0.25 * 0.05


def test_nothing_happens_at_strength_0_and_between_it_is_gradual(model, guard):
    before = coefficients(jawOpen=0.3)
    vertices = model.mean + model.displacement(before)
    still = guard(torch.zeros_like(vertices), vertices, vertices, speaking(torch.zeros(COUNT, 9), 0.0, 0.0))
    assert still.abs().max() < 1e-5
    wanted = torch.zeros(COUNT, 9)
    half, full = (
        guard(torch.zeros_like(vertices), vertices, vertices, speaking(wanted, 0.0, strength)) for strength in (0.5, 1)
    )
    lips = LipGuard(model.mean)
    torch.testing.assert_close(lips.gaps(half), lips.gaps(full) / 2, rtol=0, atol=1e-5)
    torch.testing.assert_close(lid_gaps(vertices + half), lid_gaps(vertices) / 2, rtol=0, atol=1e-3)


@pytest.mark.parametrize("apart", [0.0, 0.3, 1.2])
def test_lids_meet_in_a_blink_with_brows_at_rest(model, guard, apart):
    vertices = model.mean.expand(COUNT, -1, -1)
    offsets = guard(
        torch.zeros_like(vertices), vertices, vertices, speaking(LipGuard(model.mean).gaps(vertices), apart)
    )
    gaps = lid_gaps(vertices + offsets)
    torch.testing.assert_close(gaps, apart * lid_gaps(vertices), rtol=0, atol=1e-5)
    if apart < 1:
        upper, lower = offsets[0, 386, 1], offsets[0, 374, 1]
        assert upper > 5 * -lower >= 0
    assert offsets[0, list(BROW_LEFT), 1].abs().max() < 0.15 * lid_gaps(model.mean).max()


def test_closures_shut_the_mouth_and_an_open_jaw_opens_it(model):
    beta = coefficients(jawOpen=torch.linspace(0, 0.8, COUNT))
    free = spoken_gaps(model, beta, torch.zeros(COUNT))
    assert (free[1:] > free[:-1]).all()
    assert free[0].abs().max() < 1e-6
    assert (spoken_gaps(model, beta, torch.ones(COUNT)) + 0.006).abs().max() < 1e-6, "pressed on by half a millimetre"
    assert not spoken_gaps(model, coefficients(mouthClose=0.5), torch.zeros(COUNT)).any(), "never crossed"


def test_teeth_are_no_part_of_the_hem_of_open_lips(model, guard):
    landmarks = torch.zeros(2, 478, 3)
    landmarks[0, :VERTICES] = 100 * model.mean
    landmarks[1, :VERTICES] = 100 * (model.mean + model.displacement(coefficients(jawOpen=0.4))[0])
    pose = Pose(torch.full((2,), 100.0), torch.eye(3).expand(2, 3, 3), torch.zeros(2, 3))
    hemmed = guard.without_teeth(landmarks, pose)
    assert (hemmed[0] - landmarks[0]).abs().max() < 0.5
    gap = [LipGuard(model.mean).gaps(points[1, :VERTICES]) for points in (landmarks, hemmed)]
    assert ((gap[1] - gap[0])[2:7] > 0.5).all()
    other = [vertex for vertex in range(478) if vertex not in LIPS_INNER]
    assert torch.equal(hemmed[:, other], landmarks[:, other])


def test_the_usual_shape_is_what_the_model_does_not_explain(model):
    bump = torch.zeros(VERTICES, 3)
    bump[4, 2] = -0.1
    pose = Pose(torch.full((COUNT,), 100.0), torch.eye(3).expand(COUNT, 3, 3), torch.zeros(COUNT, 3))
    fit = FaceFit(model.mean, pose, coefficients(jawOpen=torch.linspace(0, 0.5, COUNT)), torch.zeros(COUNT))
    vertices = pose.to_picture(model.mean + model.displacement(fit.coefficients) + bump)
    torch.testing.assert_close(usual_shape(model, fit, vertices, slice(None))[0], bump, rtol=0, atol=1e-4)
