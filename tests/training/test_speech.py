"""Learning to move a face from speech: an alphabet of eight sounds, each of which opens the mouth by so much."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

import pytest
import torch

from talkedit_sdk.emotion import EMOTIONS
from talkedit_sdk.errors import OptionError
from talkedit_sdk.face.topology import INDEX
from talkedit_sdk.speech.driver import SpeechDriver, load_speech
from talkedit_sdk.speech.features import ENERGY, FEATURES
from talkedit_sdk.training import speech
from talkedit_sdk.training.motion import held_out
from talkedit_sdk.training.phones import BILABIALS, SILENCE
from talkedit_sdk.training.speech_losses import SpeechLoss, SpeechWeights
from talkedit_sdk.training.speech_material import SpeechMaterial, prepare, resting
from talkedit_sdk.training.speech_trainer import SpeechSchedule, SpeechTrainer, mouth_opening
from talkedit_sdk.training.utterance import Utterance

SOUNDS = torch.tensor([*SILENCE, *BILABIALS, 14, 15, 16, 17, 18, 19])
OPEN = torch.tensor([0, 0, 0.5, 0.4, 0.3, 0.25, 0.15, 0.1])
SMILE = [INDEX["mouthSmileLeft"], INDEX["mouthSmileRight"]]
LOOK = torch.randn(8, FEATURES, generator=torch.Generator().manual_seed(0))
TONE = torch.randn(8, FEATURES, generator=torch.Generator().manual_seed(1))
SCHEDULE = SpeechSchedule(steps=4, batch=4)


def utter(seed, words, emotion="neutral", kind="spoken", person=None, role="train"):
    """Someone says the words in an emotion that colours the voice and, if happy, makes them smile."""
    letters = torch.randint(8, (30,), generator=torch.Generator().manual_seed(words))
    random = torch.Generator().manual_seed(seed)
    said = letters.repeat_interleave(torch.randint(3, 9, (30,), generator=random))
    count, feeling = len(said), EMOTIONS.index(emotion)
    features = 0.5 * LOOK[said] + 0.5 * TONE[feeling] + 0.1 * torch.randn(count, FEATURES, generator=random)
    features[:, ENERGY] = torch.where(said == 0, -2.0, 0.0)
    beta = torch.zeros(count, 52)
    beta[:, INDEX["jawOpen"]] = torch.nn.functional.avg_pool1d(OPEN[said][None], 5, 1, 2)[0]
    beta[:, SMILE] = 0.6 * float(emotion == "happy")
    if kind == "real":
        beta = (beta + 0.1 * torch.rand(52, generator=random)).clamp_max(1)
    shares = torch.zeros(count, 8)
    shares[:, feeling] = float(kind == "spoken" or emotion != "neutral")
    return Utterance(
        features=features,
        coefficients=beta,
        phones=SOUNDS[said] if kind == "spoken" else torch.full((count,), -1),
        emotion=shares,
        strength=torch.full((count,), float(emotion != "neutral")),
        kind=kind,
        person=person or str(seed),
        role=role,
    )


@pytest.fixture(scope="module")
def opening(model):
    return mouth_opening(model)


@pytest.fixture(scope="module")
def utterances():
    spoken = [utter(10 * words + n, words, e) for words in range(6) for n, e in enumerate(("neutral", "happy", "sad"))]
    return spoken + [utter(100 + n, 100 + n, kind="real") for n in range(4)]


@pytest.fixture(scope="module")
def material(utterances, opening):
    return SpeechMaterial(prepare(utterances, opening), torch.Generator().manual_seed(0))


def test_a_person_at_rest_has_closed_lips(opening):
    real = utter(1, 1, kind="real")
    calm = resting(real.coefficients, real.coefficients @ opening)
    assert (calm - real.coefficients.amin(0)).abs().max() < 0.05


def test_what_is_derived_from_an_utterance(opening):
    spoken, real = prepare([utter(1, 1), utter(2, 2, kind="real")], opening)
    assert torch.equal(spoken.closed > 0, torch.isin(spoken.utterance.phones, torch.tensor(BILABIALS)))
    assert torch.equal(spoken.speaking == 0, torch.isin(spoken.utterance.phones, torch.tensor(SILENCE)))
    assert not spoken.initial.any()
    assert real.content == ()
    assert real.speaking.min() == 1
    parted = real.utterance.coefficients[:, INDEX["jawOpen"]] - real.initial[INDEX["jawOpen"]]
    assert real.closed[parted > 0.1].max() < 0.6
    assert real.closed[parted < 0.02].max() > 0.6


def test_a_pause_is_longer_than_a_stop(opening):
    said = utter(2, 2, kind="real")
    said.features[40:80, ENERGY] = -2
    (real,) = prepare([said], opening)
    assert real.speaking[50:70].max() == 0
    assert real.speaking[:40].min() == 1


def test_a_mood_shows_beyond_the_calm_face_of_the_same_person(opening):
    happy = utter(1, 1, "happy", "real", "ann")
    (alone,) = prepare([happy], opening)
    assert not alone.told.any()
    assert alone.initial[SMILE].min() > 0.5
    _, known = prepare([utter(2, 2, "neutral", "real", "ann"), happy], opening)
    assert known.told.min() == 1
    assert known.initial[SMILE].max() < 0.2


def test_lessons_are_what_they_claim_to_be(material):
    lesson = material.lesson(32)
    assert lesson.features.shape == (32, 150, FEATURES)
    assert lesson.truth.shape == (32, 150, 52)
    assert 0 <= lesson.truth.min() <= lesson.truth.max() <= 1
    real = (lesson.phones < 0).all(1)
    assert real.sum() == 16
    assert (lesson.aligned[real] == -1).all()
    assert torch.equal(lesson.labelled, ~real)
    both = lesson.aligned[~real]
    assert (both >= 0).float().mean() > 0.5
    partner = (~real).nonzero()[:, 0] ^ 1
    said = lesson.phones[~real]
    there = lesson.phones[partner].gather(1, both.clamp_min(0))
    assert (said == there)[both >= 0].float().mean() > 0.8


def test_the_same_seed_gives_the_same_lessons(utterances, opening):
    one, two = (
        SpeechMaterial(prepare(utterances, opening), torch.Generator().manual_seed(3)).lesson(8) for _ in range(2)
    )
    assert torch.equal(one.features, two.features)
    assert torch.equal(one.truth, two.truth)


@pytest.mark.parametrize("kind", ["real", "spoken"])
def test_one_kind_alone_is_enough(utterances, opening, kind):
    few = [u for u in utterances if u.kind == kind]
    lesson = SpeechMaterial(prepare(few, opening), torch.Generator().manual_seed(0)).lesson(4)
    assert len(lesson.told) == 4


def test_losses_vanish_where_nothing_is_wrong(model, material):
    lesson, loss = material.lesson(8), SpeechLoss(model)
    mask = torch.ones_like(lesson.told)
    wide = lesson.truth.clone()
    wide[..., INDEX["jawOpen"]] *= 2
    late = lesson.truth.roll(5, 1)
    for term in (loss.shape, loss.velocity, lambda *a: loss.lips(*a[:2], lesson.closed, a[2])):
        assert float(term(lesson.truth, lesson.truth, mask)) == 0
        assert float(term(wide, lesson.truth, mask)) > 0
        assert float(term(wide, lesson.truth, 0 * mask)) == 0
    perfect, wider, later = (float(loss.course(found, lesson.truth)) for found in (lesson.truth, wide, late))
    assert max(perfect, wider) < 0.05
    assert later > 0.3


@pytest.fixture(scope="module")
def learned(model, utterances):
    """A few dozen steps on short windows."""
    trainer = SpeechTrainer(model, utterances, SpeechSchedule(steps=90, batch=8, rate=2e-3))
    trainer.material.lesson = partial(trainer.material.lesson, length=60)
    for _ in range(90):
        trainer.advance()
    return trainer.network.eval()


def test_the_network_learns_to_speak(model, learned):
    others = [utter(200 + n, 200 + n, kind="real") for n in range(3)]
    found = speech.measure(SpeechDriver(learned), model, others)
    assert found.correlation > 0.75
    assert abs(found.lag) <= 40
    assert found.people == 3
    assert found.correlation > speech.loudness_correlation(model, others)
    assert 0.9 <= speech.calibrate(learned, model, others) <= 1.5


@torch.no_grad()
def test_the_network_learns_what_a_mood_does(learned):
    voice = utter(300, 300).features[None]
    content = learned.content(voice)
    count = voice.shape[1]
    smiles = []
    for name, strength in (("happy", 0.0), ("happy", 0.5), ("happy", 1.0), ("sad", 1.0)):
        shares = torch.eye(8)[EMOTIONS.index(name)].expand(1, count, 8)
        code = learned.code(shares, torch.full((1, count), strength))
        face = learned.decode(content.memory, code, torch.zeros(1, 52), torch.zeros(1, count, 10))
        smiles.append(float(face[..., SMILE].mean()))
    none, half, full, sad = smiles
    assert none < 0.15
    assert sad < 0.2
    assert none < half < full
    assert full > 0.25


def test_a_training_that_was_interrupted_goes_on(model, utterances, tmp_path):
    whole = speech.train_speech(model, utterances, SCHEDULE, tmp_path / "whole")
    trainer = SpeechTrainer(model, utterances, SCHEDULE)
    for _ in range(2):
        trainer.advance()
    (tmp_path / "parts").mkdir()
    trainer.save(tmp_path / "parts" / "speech.ckpt")
    torch.manual_seed(77)
    said = []
    parts = speech.train_speech(model, utterances, SCHEDULE, tmp_path / "parts", said.append)
    assert said == ["Going on from step 2."]
    for one, other in zip(whole.parameters(), parts.parameters(), strict=True):
        assert torch.equal(one, other)
    with pytest.raises(OptionError, match="other settings"):
        speech.train_speech(model, utterances, replace(SCHEDULE, seed=1), tmp_path / "parts")
    (tmp_path / "parts" / "speech.ckpt").write_bytes(b"no checkpoint")
    with pytest.raises(OptionError, match="delete it to start anew"):
        speech.train_speech(model, utterances, SCHEDULE, tmp_path / "parts")


def test_a_term_can_be_left_out(model, utterances):
    plain = SpeechSchedule(steps=2, batch=4, weights=SpeechWeights(cross=0, content=0, mood=0))
    assert all(value == value for value in SpeechTrainer(model, utterances, plain).advance().values())


def test_no_speech_at_all(model):
    with pytest.raises(OptionError, match="no speech"):
        SpeechTrainer(model, [], SCHEDULE)


PEOPLE = ["ann", "bob", "cyd", "dan", "eve", "fay"]


@pytest.fixture
def footage(monkeypatch):
    """What is read from any data, and spoken if asked for."""
    real = [utter(n, n, kind="real", person=person) for n, person in enumerate(PEOPLE)]
    spoken = [utter(50 + n, 50) for n in range(4)]
    monkeypatch.setattr(speech, "read_speeches", lambda *_: iter(real))
    monkeypatch.setattr(speech, "speak_utterances", lambda count, *_: iter(spoken[:count]))


def test_from_data_to_weights(footage, tmp_path, talkedit, monkeypatch):
    monkeypatch.setattr(speech.text, "available", lambda: True)
    out, others = tmp_path / "new", {person for person in PEOPLE if held_out(person)}
    assert 0 < len(others) < len(PEOPLE)
    options = ("--data", tmp_path, "--out", out, "--batch", 4, "--steps", 2, "--spoken", 3)
    done = talkedit("train", "speech", *options, "--json")
    assert done.code == 0, done.err
    measured = json.loads(done.out)["measured"]
    assert measured["people"] == len(others)
    assert {"correlation", "best", "lag", "closures", "opening", "loudness"} <= set(measured)
    network, gain = load_speech(out)
    assert network.training is False
    assert 0.9 <= gain <= 1.5
    card = (out / "README.md").read_text()
    assert f"{len(PEOPLE) - len(others)} stretches of video" in card
    assert "3 utterances" in card
    assert "Going on from step 2." in talkedit("train", "speech", *options).err


def test_without_espeak(footage, tmp_path, talkedit, monkeypatch):
    monkeypatch.setattr(speech.text, "available", lambda: False)
    done = talkedit("train", "speech", "--data", tmp_path, "--out", tmp_path / "a", "--batch", 4, "--steps", 1)
    assert done.code == 0
    assert "espeak-ng is not installed" in done.err
    assert "install one" in talkedit("train", "speech", "--out", tmp_path / "b", "--steps", 1).error


@pytest.mark.parametrize(
    ("options", "words"), [(("--data", "no/such/path"), "nothing at"), (("--batch", 5), "cannot be paired")]
)
def test_mistakes_are_found_at_once(talkedit_at_once, tmp_path, options, words):
    assert words in talkedit_at_once("train", "speech", "--out", tmp_path / "new", *options).error
