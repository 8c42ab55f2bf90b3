"""The editor around the network: time, windows, lips and files. benchmarks/motion.py measures how it acts."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from talkedit_sdk.emotion import EMOTIONS, EmotionCurve
from talkedit_sdk.errors import WeightsError
from talkedit_sdk.face.topology import BLENDSHAPES, INDEX
from talkedit_sdk.hub import EMBEDDED
from talkedit_sdk.motion.learned import LearnedEditor, load_network, save_network
from talkedit_sdk.motion.mouth import lip_gaps
from talkedit_sdk.motion.network import MotionNetwork
from talkedit_sdk.motion.types import MotionRequest


def speech(count=100, seed=0, fps=25.0):
    """(T, 52) someone who talks."""
    time = torch.arange(count) / fps
    beta = 0.05 * torch.rand(52, generator=torch.Generator().manual_seed(seed)).expand(count, -1).clone()
    beta[:, INDEX["jawOpen"]] = 0.15 * (1 - torch.cos(2 * torch.pi * 3 * time)).square()
    beta[:, INDEX["mouthPucker"]] = 0.2 * (1 + torch.sin(2 * torch.pi * 1.3 * time))
    return beta


def ask(model, coefficients, emotion="happy", intensity=1.0, mouth_weight=0.0, segments=None, fps=25.0, style=0):
    count = len(coefficients)
    return MotionRequest(
        coefficients=coefficients,
        times=torch.arange(count, dtype=torch.float64) / fps,
        segments=torch.zeros(count, dtype=torch.int64) if segments is None else segments,
        emotion=torch.as_tensor(EmotionCurve.parse(emotion).at(np.arange(count) / fps)),
        intensity=torch.as_tensor(intensity, dtype=torch.float32).expand(count),
        mouth_weight=mouth_weight,
        lip_gaps=lip_gaps(model.mean + model.displacement(coefficients)),
        style=style,
    )


@pytest.fixture(scope="module")
def network():
    """A stand-in: random weights to the last layer, so that everything moves."""
    torch.manual_seed(0)
    network = MotionNetwork()
    torch.nn.init.normal_(network.leave.weight, std=0.05)
    return network.eval()


@pytest.fixture(scope="module")
def edit(model, network):
    editor = LearnedEditor(model, network)
    return lambda *arguments, **options: editor.edit(ask(model, *arguments, **options))


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_intensity_zero_is_the_source_to_the_bit(edit, emotion):
    before = speech()
    assert torch.equal(edit(before, emotion, 0.0, 0.7).coefficients, before)
    half = torch.zeros(100)
    half[50:] = 1
    edited = edit(before, emotion, half).coefficients
    assert torch.equal(edited[:50], before[:50])
    assert not torch.equal(edited[60:], before[60:])


@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
def test_everything_stays_in_bounds(edit, weight):
    wild = torch.rand(130, 52, generator=torch.Generator().manual_seed(1))
    edited = edit(wild, "angry", 1.5, weight)
    assert edited.coefficients.min() >= 0
    assert edited.coefficients.max() <= 1
    assert edited.lip_hold.min() >= 0
    assert edited.lip_hold.max() <= 1


@pytest.mark.parametrize("count", [1, 2, 3, 400])
def test_clips_of_any_length(edit, count):
    edited = edit(speech(count), "sad", 0.8, 0.5)
    assert edited.coefficients.shape == (count, 52)
    assert torch.isfinite(edited.coefficients).all()


def test_the_frame_rate_does_not_matter(edit):
    slow, fast = (edit(speech(int(4 * fps), fps=fps), "sad", fps=fps).coefficients for fps in (25.0, 50.0))
    steady = [INDEX["browInnerUp"], INDEX["mouthFrownLeft"], INDEX["eyeSquintLeft"]]
    torch.testing.assert_close(fast[::2][5:-5][:, steady], slow[5:-5][:, steady], rtol=0, atol=0.05)


def test_segments_do_not_see_each_other(edit):
    before = torch.cat([speech(60), speech(60, seed=3)])
    segments = (torch.arange(120) >= 60).long()
    both = edit(before, "happy", segments=segments).coefficients
    torch.testing.assert_close(both[:60], edit(before[:60], "happy").coefficients, rtol=0, atol=1e-4)


def test_held_lips_stay_where_they_were(model, edit):
    before = speech()
    source = lip_gaps(model.displacement(before))
    moved = {
        weight: (lip_gaps(model.displacement(edit(before, "surprised", mouth_weight=weight).coefficients)) - source)
        for weight in (0.0, 0.5, 1.0)
    }
    distance = [moved[weight].abs().mean() for weight in (0.0, 0.5, 1.0)]
    assert distance[2] < 0.15 * distance[0]
    assert distance[2] < distance[1] < distance[0]
    assert torch.equal(edit(before, mouth_weight=1.0).lip_hold, torch.ones(100))


def test_closures_of_speech_are_held_even_with_a_free_mouth(model, edit):
    before = speech()
    request = ask(model, before)
    hold = edit(before).lip_hold
    shut = request.lip_gaps[:, 1:4].mean(1) < 0.015
    assert shut.any()
    assert hold[shut].min() > 0.6
    assert hold[request.lip_gaps[:, 1:4].mean(1) > 0.05].max() < 0.1
    resting = edit(torch.zeros(100, 52)).lip_hold
    assert resting[30:70].max() < 0.1


def test_a_style_is_repeatable(edit):
    before = speech(40)
    first, again, other = (edit(before, style=seed).coefficients for seed in (5, 5, 6))
    assert torch.equal(first, again)
    assert (first - other).abs().max() > 1e-3


@pytest.fixture
def folder(network, tmp_path):
    save_network(network, tmp_path / "motion", {"note": "a test"})
    return tmp_path / "motion"


def test_what_is_saved_can_be_loaded(model, network, folder):
    again = load_network(folder)
    for mine, theirs in zip(network.parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-2, atol=1e-3)
    assert sum(path.stat().st_size for path in folder.iterdir()) < 3 * 2**20
    assert LearnedEditor.load(folder, model).edit(ask(model, speech(10))).coefficients.shape == (10, 52)


def spoil_tensor(folder, change):
    tensors = load_file(folder / "motion.safetensors")
    change(tensors)
    save_file(tensors, folder / "motion.safetensors")


def missing(folder):
    (folder / "motion.safetensors").unlink()


def cut_off(folder):
    path = folder / "motion.safetensors"
    path.write_bytes(path.read_bytes()[:5000])


def huge(folder):
    with (folder / "motion.safetensors").open("r+b") as file:
        file.truncate(2**30)


def not_json(folder):
    (folder / "motion.json").write_text("{" * 100_000)


def other_format(folder):
    (folder / "motion.json").write_text(json.dumps({"format": 99, "blendshapes": list(BLENDSHAPES)}))


def a_list(folder):
    (folder / "motion.json").write_text("[1]")


def lacking(folder):
    spoil_tensor(folder, lambda tensors: tensors.pop("enter.weight"))


def extra(folder):
    spoil_tensor(folder, lambda tensors: tensors.update(more=torch.zeros(3)))


def misshapen(folder):
    spoil_tensor(folder, lambda tensors: tensors.update({"enter.weight": torch.zeros(2, 2)}))


def not_a_number(folder):
    spoil_tensor(folder, lambda tensors: tensors["enter.weight"].fill_(float("nan")))


@pytest.mark.parametrize(
    "spoil",
    [missing, cut_off, huge, not_json, other_format, a_list, lacking, extra, misshapen, not_a_number],
)
def test_damaged_weights(folder, spoil):
    spoil(folder)
    with pytest.raises(WeightsError, match="motion"):
        load_network(folder)


@pytest.fixture(scope="module")
def shipped(model):
    editor = LearnedEditor.load(EMBEDDED, model)
    return lambda *arguments, **options: editor.edit(ask(model, *arguments, **options)).coefficients


@pytest.mark.parametrize(
    ("emotion", "shapes"),
    [
        ("happy", ("mouthSmileLeft", "cheekSquintRight")),
        ("sad", ("browInnerUp", "mouthFrownLeft")),
        ("angry", ("browDownLeft", "noseSneerRight")),
        ("surprised", ("browOuterUpLeft", "eyeWideRight")),
        ("fearful", ("browInnerUp", "mouthStretchLeft")),
        ("disgusted", ("noseSneerLeft", "mouthUpperUpRight")),
        ("contempt", ("mouthSmileRight", "mouthDimpleRight")),
    ],
)
def test_emotions_appear_in_proportion_to_the_intensity(shipped, emotion, shapes):
    before = speech()
    rising = torch.stack([shipped(before, emotion, i).mean(0) for i in (0.0, 0.3, 0.6, 0.9)])
    for shape in shapes:
        steps = rising[:, INDEX[shape]].diff()
        assert steps.min() > 0.06, shape
        assert steps.max() < 1.4 * steps.min(), shape


def test_what_the_source_feels_is_taken_out(shipped):
    smile = [INDEX["mouthSmileLeft"], INDEX["mouthSmileRight"]]
    smiling = speech()
    smiling[:, smile] = 0.7
    assert shipped(smiling, "neutral")[:, smile].mean() < 0.3
    assert shipped(smiling, "sad")[:, smile].mean() < 0.2
    assert shipped(smiling, "happy")[:, smile].mean() > 0.6


def test_blinks_stay_blinks(shipped):
    before = speech()
    lids = [INDEX["eyeBlinkLeft"], INDEX["eyeBlinkRight"]]
    blink = torch.exp(-0.5 * ((torch.arange(100) / 25 - 2) / 0.06) ** 2)
    before[:, lids] = torch.maximum(before[:, lids], 0.95 * blink[:, None])
    for emotion in ("surprised", "fearful", "angry"):
        edited = shipped(before, emotion)
        assert edited[50, lids].min() > 0.75, emotion
        assert edited[50, INDEX["eyeWideLeft"]] < 0.1, emotion


def test_the_slider_moves_the_lips_steadily(model, shipped):
    before = speech()
    source = lip_gaps(model.motion(before))
    distance = [
        float((lip_gaps(model.motion(shipped(before, "surprised", mouth_weight=weight))) - source).abs().mean())
        for weight in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    assert distance == sorted(distance, reverse=True)
    assert distance[-1] < 0.1 * distance[0]


def test_emotions_pass_into_each_other(shipped):
    before = speech(150)
    turning = shipped(before, [(2.0, "sad"), (4.0, "happy")])
    sad, happy = shipped(before, "sad"), shipped(before, "happy")
    torch.testing.assert_close(turning[:25], sad[:25], rtol=0, atol=0.12)
    torch.testing.assert_close(turning[125:], happy[125:], rtol=0, atol=0.12)
    assert turning.diff(dim=0).abs().max() < before.diff(dim=0).abs().max() + 0.08


def test_a_steady_face_is_edited_steadily(shipped):
    steady = speech(1).expand(120, -1)
    assert (shipped(steady, "angry") - steady).diff(dim=0).abs().max() < 0.02
