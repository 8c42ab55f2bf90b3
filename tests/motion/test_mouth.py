from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from talkedit_sdk.emotion import EMOTIONS
from talkedit_sdk.face.topology import BLENDSHAPES, LIP_PAIRS, LIPS_INNER, LIPS_OUTER, MOUTH_CORNERS, VERTICES
from talkedit_sdk.motion.mouth import CLOSED, LipGuard, LipProjection, closedness, lip_gaps
from talkedit_sdk.training.facs import apex

MOUTH = torch.tensor([name.startswith(("jaw", "mouth")) for name in BLENDSHAPES])
HALF = len(LIPS_INNER) // 2
UPPER, LOWER = list(LIPS_INNER[1:HALF]), list(LIPS_INNER[HALF + 1 :][::-1])


def speaking(count, seed=0):
    """(T, 52) coefficients of anyone doing anything."""
    return torch.rand(count, 52, generator=torch.Generator().manual_seed(seed)) ** 2


def lips_of(model, coefficients):
    """(T, 5) openings, (T,) width and (T,) protrusion."""
    moved = model.motion(coefficients)
    width = moved[:, MOUTH_CORNERS[1], 0] - moved[:, MOUTH_CORNERS[0], 0]
    return lip_gaps(moved), width, moved[:, [0, 13, 14, 17], 2].mean(1)


def wanted_by(emotion, before, strength=1.0):
    return (before + strength * (apex(torch.zeros(1, 8))[0, EMOTIONS.index(emotion)] - before)).clamp(0, 1)


@pytest.fixture(scope="module")
def project(model):
    return LipProjection(model)


@pytest.fixture(scope="module")
def guard(model):
    return LipGuard(model.mean)


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_held_lips_keep_openings_width_and_protrusion(model, project, emotion):
    before = speaking(100)
    wanted = wanted_by(emotion, before)
    after = project(before, wanted, torch.ones(100))
    for kept, source, free in zip(*(lips_of(model, c) for c in (after, before, wanted)), strict=True):
        assert (free - source).abs().mean() > 0.008, "otherwise there is nothing to keep"
        assert (kept - source).abs().mean() < 0.003
        assert (kept - source).abs().max() < 0.03
    assert after.min() >= 0
    assert after.max() <= 1


def test_free_lips_do_what_is_wanted(project):
    before = speaking(20)
    wanted = wanted_by("happy", before)
    assert torch.equal(project(before, wanted, torch.zeros(20)), wanted)


@given(st.integers(0, 2**31), st.sampled_from(EMOTIONS), st.floats(0, 1), st.floats(0, 1.5))
def test_only_the_mouth_gives_way(model, seed, emotion, held, strength):
    project, before = LipProjection(model), speaking(4, seed)
    wanted = wanted_by(emotion, before, strength)
    after = project(before, wanted, torch.full((4,), held))
    assert torch.equal(after[:, ~MOUTH], wanted[:, ~MOUTH])
    assert after.min() >= 0
    assert after.max() <= 1


def test_firmer_is_closer_to_the_source(model, project):
    before = 0.5 * speaking(30)
    wanted = wanted_by("surprised", before)
    source = lips_of(model, before)[0]
    distances = [
        (lips_of(model, project(before, wanted, torch.full((30,), held)))[0] - source).abs().mean(1)
        for held in torch.linspace(0, 1, 6)
    ]
    assert (torch.stack(distances).diff(dim=0) < 2e-3).all()
    share = torch.stack([d.mean() for d in distances]) / distances[0].mean()
    torch.testing.assert_close(share, torch.linspace(1, 0, 6), rtol=0, atol=0.08)


def test_closed_lips_may_still_smile(model, project):
    """Openings can be held on their own; the width is another matter."""
    before = 0.1 * speaking(20)
    wanted = wanted_by("happy", before)
    held = (torch.arange(len(project.features)) < len(LIP_PAIRS)).float().expand(20, -1)
    after = project(before, wanted, held)
    (gaps, width, _), (gaps_to, width_to, _), (_, wide, _) = (lips_of(model, c) for c in (before, after, wanted))
    assert (gaps_to - gaps).abs().mean() < 0.003
    assert (width_to - width).mean() > 0.7 * (wide - width).mean() > 0.01


def test_nothing_wanted_nothing_changed(project):
    before = speaking(20)
    torch.testing.assert_close(project(before, before, torch.ones(20)), before, rtol=0, atol=1e-4)


def test_a_held_smile_still_smiles(model, project):
    """The corners go up where openings, width and protrusion stay."""
    before = 0.2 * speaking(10)
    after = project(before, wanted_by("happy", before), torch.ones(10))
    corners = model.displacement(after - before)[:, list(MOUTH_CORNERS), 1]
    assert corners.mean() < -0.005


def test_gaps_are_measured_downwards(model):
    shape = model.mean.expand(2, -1, -1).clone()
    shape[1, [lower for _, lower in LIP_PAIRS], 1] += torch.arange(5) / 100
    gaps = lip_gaps(shape)
    torch.testing.assert_close(gaps[1] - gaps[0], torch.arange(5) / 100)


def test_lips_close_smoothly():
    shut = closedness(torch.tensor([-0.01, CLOSED, 0.02, 0.03, 0.1])[:, None].expand(-1, 5))
    assert shut[0] == shut[1] == 1
    assert shut[-1] == 0
    assert (shut.diff() <= 0).all()


def gaps_of(vertices):
    return vertices[:, LOWER, 1] - vertices[:, UPPER, 1]


@given(st.integers(0, 2**31), st.floats(0, 1))
def test_lips_never_pass_through_each_other(model, seed, held):
    guard = LipGuard(model.mean)
    random = torch.Generator().manual_seed(seed)
    source = model.mean + 0.02 * torch.randn(3, VERTICES, 3, generator=random)
    offsets = model.displacement(2 * torch.rand(3, 52, generator=random) - 1)
    result = gaps_of(source + guard(offsets, source, torch.full((3,), held)))
    lowest = gaps_of(source).clamp_max(0)  # where the source's own landmarks cross, they may stay so
    assert (result >= lowest - 1e-5).all()


def test_held_openings_are_exact(model, guard):
    source = model.mean + model.displacement(speaking(20))
    offsets = model.displacement(wanted_by("surprised", speaking(20)) - speaking(20))
    before, after = gaps_of(source), gaps_of(source + guard(offsets, source, torch.ones(20)))
    parted = before > 0.04
    torch.testing.assert_close(after[parted], before[parted], rtol=0, atol=1e-6)
    assert (after[~parted] <= before[~parted] + 1e-6).all()


def test_lips_that_touch_are_pressed_on_only_when_they_are_moved(model, guard):
    source = model.mean[None].clone()
    source[:, LOWER, 1] = source[:, UPPER, 1] + 0.008
    still = torch.zeros(1, VERTICES, 3)
    assert torch.equal(guard(still, source, torch.ones(1)), still)
    offsets = model.displacement(torch.eye(52)[[BLENDSHAPES.index("mouthSmileLeft")]])
    after = gaps_of(source + guard(offsets, source, torch.ones(1)))
    assert (after < 0.0045).all()
    assert (after >= 0).all()


def test_free_lips_that_stay_apart_are_left_alone(model, guard):
    source = (model.mean + 0.3 * model.displacement(torch.eye(52)[BLENDSHAPES.index("jawOpen")]))[None]
    offsets = 0.2 * model.displacement(torch.eye(52)[[BLENDSHAPES.index("mouthSmileLeft")]])
    corrected = guard(offsets, source, torch.zeros(1))
    lips = [*LIPS_INNER, *LIPS_OUTER]
    torch.testing.assert_close(corrected[:, lips], offsets[:, lips], rtol=0, atol=1e-6)
    assert (corrected - offsets).abs().max() < 0.01


def test_skin_does_not_pile_up_under_a_lip_that_goes_down(model, guard):
    """From the edge of the lower lip to the chin each vertex goes along a little less than the one above it."""
    source = (model.mean + model.displacement(0.5 * torch.eye(52)[BLENDSHAPES.index("jawOpen")]))[None]
    offsets = torch.zeros(1, VERTICES, 3)
    offsets[:, LIPS_OUTER[HALF + 1 :], 1] = 0.04
    down = guard(offsets, source, torch.zeros(1))[0, [17, 18, 200, 199, 152], 1]
    assert (down[1:] <= down[:-1]).all()
    assert down[1] > 0.02
    assert down[-1] == 0
    heights = model.mean[[17, 18, 200, 199, 152], 1]
    assert (down.diff() / heights.diff()).min() > -0.4, "nowhere squeezed to less than 0.6"


def test_lips_keep_their_thickness(model, guard):
    """What moves the inner contour moves the outer one as far, and nothing beyond the mouth."""
    source = (model.mean + model.displacement(0.5 * torch.eye(52)[BLENDSHAPES.index("jawOpen")]))[None]
    offsets = torch.zeros(1, VERTICES, 3)
    offsets[:, LOWER, 1] += 0.08
    correction = (guard(offsets, source, torch.ones(1)) - offsets)[0]
    assert (correction[..., [0, 2]] == 0).all()
    upper_outer, lower_outer = list(LIPS_OUTER[1:HALF]), list(LIPS_OUTER[HALF + 1 :][::-1])
    torch.testing.assert_close(correction[upper_outer, 1], correction[UPPER, 1], rtol=0, atol=1e-6)
    torch.testing.assert_close(correction[lower_outer, 1], correction[LOWER, 1], rtol=0, atol=1e-6)
    assert correction[UPPER, 1].min() > 0.03
    assert correction[LOWER, 1].max() < -0.03
    far = [10, 33, 263, 1, 152, 234, 454]
    assert correction[far].abs().max() < 1e-3


def test_the_guard_leaves_its_input_alone(model, guard):
    offsets = model.displacement(speaking(2))
    before = offsets.clone()
    guard(offsets, model.mean.expand(2, -1, -1), torch.ones(2))
    assert torch.equal(offsets, before)
