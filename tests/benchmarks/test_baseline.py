from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from talkedit_sdk.emotion import EMOTIONS, Emotion
from talkedit_sdk.face.topology import BLENDSHAPES, INDEX
from talkedit_sdk.motion.mouth import lip_gaps
from talkedit_sdk.motion.types import MotionRequest

SMILE = [INDEX["mouthSmileLeft"], INDEX["mouthSmileRight"]]
BLINK = [INDEX["eyeBlinkLeft"], INDEX["eyeBlinkRight"]]


def speech(count=100, seed=0):
    """(T, 52) someone who talks, blinks at two seconds, and is in no particular mood."""
    time = torch.arange(count) / 25
    beta = 0.05 * torch.rand(52, generator=torch.Generator().manual_seed(seed)).expand(count, -1).clone()
    beta[:, INDEX["jawOpen"]] = 0.25 * (1 - torch.cos(2 * torch.pi * 3 * time))
    beta[:, INDEX["mouthPucker"]] = 0.2 * (1 + torch.sin(2 * torch.pi * 1.3 * time))
    blink = torch.exp(-0.5 * ((time - 2) / 0.06) ** 2)
    beta[:, BLINK] = torch.maximum(beta[:, BLINK], 0.95 * blink[:, None])
    return beta


def ask(model, coefficients, emotion="happy", intensity=1.0, mouth_weight=0.0, segments=None, fps=25):
    count = len(coefficients)
    return MotionRequest(
        coefficients=coefficients,
        times=torch.arange(count, dtype=torch.float64) / fps,
        segments=torch.zeros(count, dtype=torch.int64) if segments is None else segments,
        emotion=torch.tensor(Emotion.parse(emotion).shares).expand(count, -1),
        intensity=torch.as_tensor(intensity, dtype=torch.float32).expand(count),
        mouth_weight=mouth_weight,
        lip_gaps=lip_gaps(model.mean + model.displacement(coefficients)),
    )


@pytest.fixture(scope="module")
def edit(model, baseline):
    editor = baseline.PrototypeEditor(model)
    return lambda *arguments, **options: editor.edit(ask(model, *arguments, **options))


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_intensity_zero_is_the_source_to_the_bit(edit, emotion):
    before = speech()
    assert torch.equal(edit(before, emotion, 0.0, mouth_weight=0.7).coefficients, before)
    half = torch.zeros(100)
    half[50:] = 1
    assert torch.equal(edit(before, emotion, half).coefficients[:50], before[:50])


@pytest.mark.parametrize("emotion", EMOTIONS)
@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
def test_coefficients_stay_in_bounds(edit, emotion, weight):
    wild = torch.rand(60, 52, generator=torch.Generator().manual_seed(1))
    edited = edit(wild, emotion, 1.5, weight)
    assert edited.coefficients.min() >= 0
    assert edited.coefficients.max() <= 1
    assert edited.lip_hold.shape == (60,)
    assert edited.lip_hold.min() >= 0
    assert edited.lip_hold.max() <= 1


def test_the_source_is_left_alone(edit):
    before = speech()
    kept = before.clone()
    edit(before, "angry", 1.5, 1.0)
    assert torch.equal(before, kept)


@pytest.mark.parametrize(
    ("emotion", "shapes"),
    [
        ("happy", ("mouthSmileLeft", "cheekSquintRight")),
        ("sad", ("browInnerUp", "mouthFrownLeft")),
        ("angry", ("browDownLeft", "noseSneerRight")),
        ("surprised", ("browOuterUpLeft", "eyeWideRight")),
        ("fearful", ("browInnerUp", "mouthStretchLeft")),
        ("disgusted", ("noseSneerLeft", "mouthUpperUpRight")),
    ],
)
def test_emotions_appear_and_grow_with_intensity(edit, emotion, shapes):
    before = speech()
    quiet = before[:, BLINK[0]] < 0.2
    rising = [edit(before, emotion, i).coefficients[quiet].mean(0) for i in (0.0, 0.4, 0.8, 1.2)]
    for shape in shapes:
        steps = torch.stack(rising)[:, INDEX[shape]].diff()
        assert (steps[:2] > 0.05).all(), shape
        assert steps[2] >= 0, shape


def test_neutral_takes_a_lasting_smile_out_but_not_the_speech(edit):
    smiling = speech()
    smiling[:, SMILE] = 0.7
    neutral = edit(smiling, "neutral").coefficients
    assert neutral[:, SMILE].max() < 0.1
    for talking in ("jawOpen", "mouthPucker"):
        torch.testing.assert_close(neutral[:, INDEX[talking]], smiling[:, INDEX[talking]], rtol=0, atol=0.03)


def test_neutral_leaves_a_neutral_face(edit):
    calm = speech()
    calm[:] = torch.where(calm <= 0.05, torch.zeros(()), calm)
    assert (edit(calm, "neutral").coefficients - calm).abs().mean() < 0.01


def test_the_opposite_mood_gives_way(edit):
    """Happy on top of sad is happy, not a blend of both."""
    sad = speech()
    sad[:, [INDEX["mouthFrownLeft"], INDEX["mouthFrownRight"]]] = 0.6
    sad[:, INDEX["browInnerUp"]] = 0.7
    happy = edit(sad, "happy").coefficients.mean(0)
    assert happy[INDEX["mouthFrownLeft"]] < 0.15
    assert happy[INDEX["browInnerUp"]] < 0.15
    assert happy[SMILE].min() > 0.5


def test_a_mixture_lies_between(edit):
    before = speech(50)
    happy, surprised, both = (
        edit(before, emotion).coefficients for emotion in ("happy", "surprised", {"happy": 0.5, "surprised": 0.5})
    )
    low, high = torch.minimum(happy, surprised), torch.maximum(happy, surprised)
    assert (both >= low - 0.05).all()
    assert (both <= high + 0.05).all()
    for shape in ("mouthSmileLeft", "browOuterUpLeft"):
        column = INDEX[shape]
        assert low[:, column].mean() + 0.1 < both[:, column].mean() < high[:, column].mean() - 0.1


def test_held_lips_stay_where_they_were(model, edit):
    before = speech()
    gaps = {
        weight: lip_gaps(model.displacement(edit(before, "surprised", mouth_weight=weight).coefficients)).mean(1)
        for weight in (0.0, 0.5, 1.0)
    }
    source = lip_gaps(model.displacement(before)).mean(1)
    distance = [(gaps[weight] - source).abs().mean() for weight in (0.0, 0.5, 1.0)]
    assert distance[2] < 0.15 * distance[0]
    assert distance[2] < distance[1] < distance[0]
    assert torch.equal(edit(before, mouth_weight=1.0).lip_hold, torch.ones(100))
    assert torch.equal(edit(before, mouth_weight=0.0).lip_hold, torch.zeros(100))


def test_the_edit_does_not_tremble(edit):
    """A noisy source is not made noisier, and a steady face is edited steadily."""
    noise = 0.03 * torch.from_numpy(np.random.default_rng(0).normal(size=(100, 52)).astype(np.float32))
    before = (speech() + noise).clamp(0, 1)
    edited = edit(before, "happy", mouth_weight=0.7).coefficients
    assert (edited - before).diff(n=2, dim=0).abs().mean() < 0.5 * before.diff(n=2, dim=0).abs().mean()


def test_a_mood_swing_across_a_cut_is_not_averaged(edit):
    before = speech()
    before[:50, SMILE] = 0.8
    segments = (torch.arange(100) >= 50).long()
    neutral = edit(before, "neutral", segments=segments).coefficients
    assert neutral[:50, SMILE].max() < 0.1
    assert (neutral[50:, SMILE] - before[50:, SMILE]).abs().max() < 0.06


def test_the_frame_rate_does_not_matter(edit):
    slow, fast = speech(50), speech(50).repeat_interleave(2, dim=0)
    once = edit(slow, "sad", fps=25).coefficients
    twice = edit(fast, "sad", fps=50).coefficients
    steady = [INDEX["browInnerUp"], INDEX["mouthFrownLeft"]]
    torch.testing.assert_close(twice[::2][5:-5][:, steady], once[5:-5][:, steady], rtol=0, atol=0.05)


@pytest.mark.parametrize("count", [1, 2])
def test_very_short_clips(edit, count):
    edited = edit(speech(count), "happy", 0.8, 0.5).coefficients
    assert edited.shape == (count, len(BLENDSHAPES))
    assert (edited[:, SMILE] > 0.3).all()


def test_closed_lips_are_held_more_firmly(baseline):
    gaps = torch.tensor([-0.01, 0.012, 0.02, 0.03, 0.1])[:, None].expand(-1, 5)
    for weight in (0.0, 1.0):
        assert (baseline.hold(weight, gaps) == weight).all()
    half = baseline.hold(0.5, gaps)
    assert half[-1] == 0.5
    assert half[0] > 0.8
    assert (half.diff() <= 0).all()


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_higher_weight_never_holds_less(baseline, one, two):
    gaps = torch.linspace(-0.01, 0.1, 20)[:, None].expand(-1, 5)
    low, high = sorted((one, two))
    assert (baseline.hold(high, gaps) >= baseline.hold(low, gaps) - 1e-6).all()
