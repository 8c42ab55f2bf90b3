"""The driver around the network: streams, pauses, ends and files. benchmarks/speech.py measures how it speaks."""

from __future__ import annotations

import json
import os
from dataclasses import fields

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from talkedit_sdk.emotion import EMOTIONS, EmotionCurve, Intensity
from talkedit_sdk.errors import WeightsError
from talkedit_sdk.face.topology import BLENDSHAPES, INDEX
from talkedit_sdk.speech.driver import ARTICULATORS, SpeechDriver, load_speech, save_speech
from talkedit_sdk.speech.features import FEATURES
from talkedit_sdk.speech.network import EYES, PHONES, SpeechNetwork
from talkedit_sdk.speech.types import RATE, Voice

FULL = Intensity.parse(1.0)
REST = 0.1 * torch.rand(52, generator=torch.Generator().manual_seed(5))


def babble(seconds, seed=0):
    """Something like syllables."""
    time = np.arange(int(seconds * 16_000)) / 16_000
    sound = np.random.default_rng(seed).normal(size=len(time)) + np.sin(2 * np.pi * 130 * time)
    return Voice((0.1 * sound * np.abs(np.sin(2 * np.pi * 1.7 * time))).astype(np.float32))


def frames(seconds, fps=25.0):
    return np.arange(int(seconds * fps)) / fps


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    network = SpeechNetwork(FEATURES)
    for parameter in network.leave.parameters():
        torch.nn.init.normal_(parameter, std=0.03)
    return network.eval()


@pytest.fixture
def driver(network):
    return SpeechDriver(network, 1.2)


@pytest.fixture
def silent(network):
    """A driver that never hears a voice."""
    silent = SpeechNetwork(FEATURES)
    silent.load_state_dict(network.state_dict())
    with torch.no_grad():
        silent.heard.bias[PHONES + 1] = -50
    return SpeechDriver(silent)


def test_a_drive_has_a_row_for_each_frame(driver):
    drive = driver.drive(babble(2), REST, "auto", FULL, frames(3))
    assert drive.coefficients.shape == (75, 52)
    assert drive.emotion.shape == (75, 8)
    assert drive.strength.shape == drive.speaking.shape == drive.closures.shape == (75,)
    torch.testing.assert_close(drive.emotion.sum(1), torch.ones(75))
    for values in (drive.coefficients, drive.strength, drive.speaking, drive.closures):
        assert 0 <= values.min() <= values.max() <= 1


def test_a_stream_is_the_whole(driver):
    voice, random = babble(25), np.random.default_rng(0)
    emotion, strength = EmotionCurve.parse([(0, "sad"), (9, "happy")]), Intensity.parse([(2, 0), (14, 1.2)])
    for asked in ("auto", emotion):
        stream, parts, begin = driver.stream(REST, asked, strength), [], 0
        while begin < len(voice.samples):
            end = begin + int(random.integers(1, 20_000))
            parts.append(stream.push(voice.samples[begin:end]))
            begin = end
        parts.append(stream.finish())
        whole = driver.drive(voice, REST, asked, strength, frames(25, RATE))
        for field in fields(whole):
            pieces = torch.cat([getattr(part, field.name) for part in parts])
            torch.testing.assert_close(pieces, getattr(whole, field.name), rtol=0, atol=1e-4)


def test_a_stream_is_not_late(driver):
    stream = driver.stream(REST, "auto", FULL)
    given = len(stream.push(babble(5).samples).speaking)
    assert given > (5 - 1.0) * RATE


@pytest.mark.parametrize("samples", [0, 1, 200, 5000])
def test_voices_of_any_length(driver, samples):
    drive = driver.drive(Voice(babble(1).samples[:samples]), REST, "auto", FULL, frames(0.4))
    assert drive.coefficients.shape == (10, 52)
    assert torch.isfinite(drive.coefficients).all()


def test_the_mouth_begins_and_ends_at_rest(driver):
    coefficients = driver.drive(babble(3), REST, "auto", FULL, frames(3, RATE)).coefficients
    moved = (coefficients - REST)[:, list(ARTICULATORS)].abs().amax(1)
    assert moved[0] < 0.2 * moved.max()
    assert moved[-1] < 0.2 * moved.max()


def test_no_drooling_jaw_in_silence(silent):
    drive = silent.drive(babble(2), REST, EmotionCurve.parse("happy"), FULL, frames(2))
    assert drive.speaking.max() == 0
    torch.testing.assert_close(drive.coefficients[:, list(ARTICULATORS)], REST[list(ARTICULATORS)].expand(50, -1))
    assert (drive.coefficients - REST).abs().max() > 1e-3


def test_what_is_asked_for_takes_the_place_of_what_is_heard(driver):
    drive = driver.drive(babble(2), REST, EmotionCurve.parse("angry"), Intensity.parse(0.6), frames(2))
    assert drive.emotion[:, EMOTIONS.index("angry")].min() > 0.999
    torch.testing.assert_close(drive.strength, torch.full((50,), 0.6))
    heard = driver.drive(babble(2), REST, "auto", FULL, frames(2))
    half = driver.drive(babble(2), REST, "auto", Intensity.parse(0.5), frames(2))
    torch.testing.assert_close(half.strength, heard.strength / 2)
    none = [
        driver.drive(babble(2), REST, e, Intensity.parse(0.0), frames(2)).coefficients
        for e in ("auto", EmotionCurve.parse("sad"))
    ]
    assert torch.equal(*none)


def test_a_step_of_the_intensity_is_no_jump(driver):
    step = Intensity.parse([(1.0, 0), (1.0, 1)])
    change = [
        driver.drive(babble(2), REST, EmotionCurve.parse("sad"), strength, frames(2, RATE)).coefficients
        for strength in (step, Intensity.parse(0.0))
    ]
    course = (change[0] - change[1])[:, INDEX["browInnerUp"]]
    assert course.diff().abs().max() < 0.25 * course.abs().max()


def test_eye_control_passes_through(driver):
    eyes = torch.rand(50, len(EYES), generator=torch.Generator().manual_seed(1))
    drive = driver.drive(babble(2), REST, "auto", FULL, frames(2), eyes)
    assert torch.equal(drive.coefficients[:, list(EYES)], eyes)


@pytest.fixture
def folder(network, tmp_path):
    save_speech(network, 1.1, tmp_path / "speech", {"note": "a test"})
    return tmp_path / "speech"


def test_what_is_saved_can_be_loaded(network, folder):
    again, gain = load_speech(folder)
    assert gain == 1.1
    for mine, theirs in zip(network.parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-2, atol=1e-3)
    assert sum(path.stat().st_size for path in folder.iterdir()) < 3 * 2**20
    assert len(SpeechDriver.load(folder).drive(babble(1), REST, "auto", FULL, frames(1)).speaking) == 25


def spoil_tensor(folder, change):
    tensors = load_file(folder / "speech.safetensors")
    change(tensors)
    save_file(tensors, folder / "speech.safetensors")


def spoil_config(folder, **changes):
    config = {"format": 1, "blendshapes": list(BLENDSHAPES), "features": FEATURES, "gain": 1.0, **changes}
    (folder / "speech.json").write_text(json.dumps(config))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: (folder / "speech.safetensors").unlink(),
        lambda folder: (folder / "speech.safetensors").write_bytes(b"no tensors"),
        lambda folder: os.truncate(folder / "speech.safetensors", 2**30),
        lambda folder: (folder / "speech.json").write_text("{" * 100_000),
        lambda folder: spoil_config(folder, format=99),
        lambda folder: spoil_config(folder, features=3),
        lambda folder: spoil_config(folder, gain=40.0),
        lambda folder: spoil_config(folder, gain="much"),
        lambda folder: spoil_tensor(folder, lambda tensors: tensors.pop("table")),
        lambda folder: spoil_tensor(folder, lambda tensors: tensors.update(more=torch.zeros(3))),
        lambda folder: spoil_tensor(folder, lambda tensors: tensors.update(table=torch.zeros(2, 2))),
        lambda folder: spoil_tensor(folder, lambda tensors: tensors["table"].fill_(float("nan"))),
    ],
    ids=["missing", "cut", "huge", "text", "format", "features", "gain", "word", "lacking", "more", "misshapen", "nan"],
)  # fmt: skip
def test_damaged_weights(folder, spoil):
    spoil(folder)
    with pytest.raises(WeightsError, match="speech"):
        load_speech(folder)
