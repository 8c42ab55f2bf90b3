from __future__ import annotations

import pytest
import torch

from talkedit_sdk.emotion import EMOTIONS
from talkedit_sdk.face.topology import INDEX, LIP_PAIRS, MIRRORED
from talkedit_sdk.motion.mouth import LipProjection, lip_gaps
from talkedit_sdk.training.facs import (
    Speech,
    act,
    apex,
    calmed,
    contacts,
    course,
    habit,
    random_styles,
    smoothed,
    stress,
)

SMILE = [INDEX["mouthSmileLeft"], INDEX["mouthSmileRight"]]
NEUTRAL = EMOTIONS.index("neutral")


@pytest.fixture(scope="module")
def openings(model):
    return LipProjection(model).features[: len(LIP_PAIRS)]


@pytest.fixture(scope="module")
def speech(model):
    """One window of someone who says ma-ma-ma, then rests, and blinks at one second."""
    time = torch.arange(96) / 30
    beta = torch.zeros(96, 52)
    talking = (time < 2).float()
    beta[:, INDEX["jawOpen"]] = talking * 0.15 * (1 - torch.cos(2 * torch.pi * 3 * time)).square()
    blink = torch.exp(-0.5 * ((time - 1) / 0.06) ** 2)
    beta[:, [INDEX["eyeBlinkLeft"], INDEX["eyeBlinkRight"]]] = blink[:, None]
    gaps = lip_gaps(model.mean + model.displacement(beta))
    return Speech(beta[None], (gaps - gaps.min() + 0.003)[None])


def play(speech, openings, emotion, strength=1.0, style=None):
    shares = torch.eye(len(EMOTIONS))[EMOTIONS.index(emotion)].expand(1, 96, -1)
    style = torch.zeros(1, 8) if style is None else style
    return act(speech, shares, torch.full((1, 96), strength), style, openings)


def test_neutral_and_strength_zero_leave_the_speech(speech, openings):
    for acted in (play(speech, openings, "neutral"), play(speech, openings, "angry", 0.0)):
        torch.testing.assert_close(acted.coefficients, speech.coefficients)
        torch.testing.assert_close(acted.gaps, speech.gaps)


@pytest.mark.parametrize("emotion", [name for name in EMOTIONS if name != "neutral"])
def test_faces_that_faces_can_make(speech, openings, emotion):
    for seed in range(6):
        style = random_styles(1, torch.Generator().manual_seed(seed))
        acted = play(speech, openings, emotion, style=style)
        assert acted.coefficients.min() >= 0
        assert acted.coefficients.max() <= 1
        assert acted.gaps.min() >= 0


def test_lips_that_articulate_have_the_right_of_way(speech, openings):
    contact = contacts(speech.gaps)[0, :, 0] > 0.9
    assert 0.05 < contact.float().mean() < 0.6
    surprised = play(speech, openings, "surprised").coefficients[0, :, INDEX["jawOpen"]]
    added = surprised - speech.coefficients[0, :, INDEX["jawOpen"]]
    assert added[contact].max() < 0.05
    assert added[75:].min() > 0.15  # at rest the jaw drops
    angry = play(speech, openings, "angry").coefficients[0, :, INDEX["mouthPressLeft"]]
    wide = speech.gaps[0, :, 1:4].mean(-1) > 0.14
    assert angry[wide].max() < 0.1 < angry[80:].min()


def test_rounded_lips_smile_less(speech, openings):
    rounded = speech.coefficients.clone()
    rounded[:, :40, INDEX["mouthPucker"]] = 0.6
    smile = play(Speech(rounded, speech.gaps), openings, "happy").coefficients[0, :, SMILE]
    assert smile[:35].mean() < 0.7 * smile[50:].mean()


def test_blinks_stay_blinks(speech, openings):
    acted = play(speech, openings, "surprised").coefficients[0, 30]
    assert acted[INDEX["eyeBlinkLeft"]] > 0.84
    assert acted[INDEX["eyeWideLeft"]] < 0.05


def test_the_expression_breathes_with_the_speech(speech, openings):
    beat = stress(speech.gaps)[0]
    brows = play(speech, openings, "surprised").coefficients[0, :, INDEX["browInnerUp"]]
    assert torch.corrcoef(torch.stack([beat, brows]))[0, 1] > 0.8
    assert 0.005 < brows.std() < 0.15


def test_contempt_is_one_sided_and_styles_have_a_stronger_side():
    contempt = EMOTIONS.index("contempt")
    leaning = torch.zeros(2, 8)
    leaning[:, 0] = torch.tensor([1.0, -1.8])
    right, left = apex(leaning)[:, contempt][:, SMILE]
    assert right[1] > right[0] + 0.2
    assert left[0] > left[1] + 0.2
    both = apex(torch.zeros(1, 8))[0, EMOTIONS.index("sad")]
    torch.testing.assert_close(both, both[list(MIRRORED)])


def test_a_mood_is_taken_out_and_a_habit_is_not():
    smiling = torch.zeros(1, 96, 52)
    smiling[..., SMILE] = 0.6
    smiling[..., INDEX["browInnerUp"]] = 0.3
    smiling[..., INDEX["jawOpen"]] = 0.2 + 0.2 * torch.sin(torch.arange(96) / 3)
    usual = habit([torch.full((10, 52), 0.3), torch.full((10, 52), 0.3)])
    usual[SMILE] = 0.1
    calm = calmed(smiling, usual)
    torch.testing.assert_close(calm[..., SMILE], torch.full((1, 96, 2), 0.1), rtol=0, atol=0.02)
    torch.testing.assert_close(calm[..., INDEX["browInnerUp"]], smiling[..., INDEX["browInnerUp"]])
    torch.testing.assert_close(calm[..., INDEX["jawOpen"]], smiling[..., INDEX["jawOpen"]])


def test_courses_rise_and_fade_without_a_jump():
    strength = course(200, 96, torch.Generator().manual_seed(0))
    assert strength.min() >= 0
    assert strength.max() <= 1
    assert strength.diff(dim=1).abs().max() < 0.26
    steady = strength.std(1) < 1e-6
    assert 0.3 < steady.float().mean() < 0.8


def test_smoothing_keeps_means():
    values = torch.rand(2, 96, 3)
    torch.testing.assert_close(smoothed(torch.ones(2, 96, 3), 0.3), torch.ones(2, 96, 3))
    assert smoothed(values, 0.3).std(1).mean() < 0.5 * values.std(1).mean()
