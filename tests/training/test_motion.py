from __future__ import annotations

import csv
import json

import pytest
import torch

from talkedit_sdk.emotion import EMOTIONS, Emotion
from talkedit_sdk.errors import OptionError
from talkedit_sdk.face.topology import INDEX, LIP_PAIRS
from talkedit_sdk.motion.learned import load_network
from talkedit_sdk.motion.mouth import LipProjection, lip_gaps
from talkedit_sdk.training.corpus import Performance, Take
from talkedit_sdk.training.critics import MotionCritic, train_classifier
from talkedit_sdk.training.losses import Weights, bounded
from talkedit_sdk.training.material import Material
from talkedit_sdk.training.motion import held_out, measure, train_motion
from talkedit_sdk.training.trainer import MotionTrainer, Schedule

SMILE = [INDEX["mouthSmileLeft"], INDEX["mouthSmileRight"]]


@pytest.fixture(scope="module")
def performances(model, tmp_path_factory):
    """Four people who talk, one of whom smiles, and a photo."""

    def perform(seed, count, emotion=None):
        random = torch.Generator().manual_seed(seed)
        rate, phase, size = torch.rand(3, 52, generator=random)
        wave = torch.sin(2 * torch.pi * (0.3 + 2 * rate) * torch.arange(count)[:, None] / 30 + 6.28 * phase)
        beta = (0.4 * size * wave).clamp_min(0)
        beta[:, INDEX["jawOpen"]] = 0.15 * (1 - torch.cos(torch.arange(count) / 1.7)).square()
        if emotion:
            beta[:, SMILE] = 0.7
        gaps = lip_gaps(model.mean + model.displacement(beta)).clamp_min(0)
        take = Take(
            tmp_path_factory.getbasetemp() / f"{seed}.mp4", str(seed), "train", emotion and Emotion.parse(emotion), 1.0
        )
        return Performance(take, beta, gaps)

    return [perform(1, 150), perform(2, 97), perform(3, 40), perform(4, 120, "happy"), perform(5, 1)]


@pytest.fixture(autouse=True)
def _a_quick_classifier(monkeypatch):
    monkeypatch.setattr("talkedit_sdk.training.trainer._CLASSIFIER_STEPS", 20)
    monkeypatch.setattr("talkedit_sdk.training.trainer._ACTED_FRAMES", 512)


SCHEDULE = Schedule(steps=6, batch=3)


def test_lessons_are_what_they_claim_to_be(model, performances):
    openings = LipProjection(model).features[: len(LIP_PAIRS)]
    material = Material(performances, openings, torch.Generator().manual_seed(0))
    lesson = material.lesson(64, 48)
    assert lesson.source.coefficients.shape == lesson.goal.shape == (64, 48, 52)
    torch.testing.assert_close(lesson.emotion.sum(-1), torch.ones(64, 48))
    for value, high in ((lesson.goal, 1.0), (lesson.source.coefficients, 1.0), (lesson.intensity, 1.5)):
        assert value.min() >= 0
        assert value.max() <= high
    assert 0.2 < lesson.acted.float().mean() < 0.8
    filmed = ~lesson.acted
    assert torch.equal(lesson.source.coefficients[filmed], lesson.filmed[filmed])
    assert {0.0, 1.0} <= set(lesson.mouth_weight.tolist())
    same = (lesson.emotion == lesson.own_emotion).flatten(1).all(1) & lesson.acted
    assert same.any()
    torch.testing.assert_close(lesson.goal[same], lesson.source.coefficients[same])


def test_the_same_seed_gives_the_same_lessons(model, performances):
    openings = LipProjection(model).features[: len(LIP_PAIRS)]
    one, two = (Material(performances, openings, torch.Generator().manual_seed(3)).lesson(4, 30) for _ in range(2))
    assert torch.equal(one.goal, two.goal)


def test_the_classifier_learns(model):
    random = torch.Generator().manual_seed(0)
    frames, labels = 0.1 * torch.rand(600, 52, generator=random), torch.zeros(600, 8)
    frames[:300, SMILE] += 0.6
    frames[300:, INDEX["browInnerUp"]] += 0.7
    labels[:300, 1] = labels[300:, 2] = 1
    classifier = train_classifier(model, frames, labels, torch.ones(600), 60, random)
    assert (classifier(frames).argmax(-1) == labels.argmax(-1)).float().mean() > 0.98


def test_the_critic_sees_speed_not_level():
    critic, window = MotionCritic(), torch.rand(2, 48, 52)
    torch.testing.assert_close(critic(window + 0.3), critic(window), rtol=1e-4, atol=1e-4)
    assert (critic(2 * window) - critic(window)).abs().max() > 1e-3


def test_bounds_lead_back():
    values = torch.tensor([-1.0, 0.3, 2.0], requires_grad=True)
    outcome = bounded(values)
    assert outcome[1] == values[1]
    assert -0.1 < outcome[0] < 0
    assert 1 < outcome[2] < 1.1
    outcome.sum().backward()
    assert (values.grad > 0).all()


def test_the_network_learns_to_act(model, performances):
    """A few dozen steps, and it goes part of the way from every source to its goal."""
    trainer = MotionTrainer(model, performances, Schedule(steps=100, batch=10))
    assert set(measure(model, trainer.network, performances).values()) == {0.0}
    for _ in range(100):
        trainer.advance()
    shares = measure(model, trainer.network.eval(), performances)
    assert sum(shares.values()) / len(shares) > 0.1


@pytest.mark.parametrize("left_out", ["lips", "emotion", "adversarial", "smooth"])
def test_terms_can_be_left_out(model, performances, left_out):
    trainer = MotionTrainer(model, performances, Schedule(steps=2, batch=2, weights=Weights(**{left_out: 0.0})))
    assert all(value == value for value in trainer.advance().values())


def test_an_interrupted_training_goes_on_where_it_was(model, performances, tmp_path):
    whole = train_motion(model, performances, SCHEDULE, tmp_path / "whole")
    trainer = MotionTrainer(model, performances, SCHEDULE)
    for _ in range(3):
        trainer.advance()
    (tmp_path / "parts").mkdir()
    trainer.save(tmp_path / "parts" / "motion.ckpt")
    said = []
    parts = train_motion(model, performances, SCHEDULE, tmp_path / "parts", said.append)
    assert said[0] == "Going on from step 3."
    for one, other in zip(whole.parameters(), parts.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_a_log_is_kept(model, performances, tmp_path, monkeypatch):
    monkeypatch.setattr("talkedit_sdk.training.motion._LOG_EVERY", 2)
    train_motion(model, performances, SCHEDULE, tmp_path)
    rows = list(csv.DictReader((tmp_path / "motion.csv").read_text().splitlines()))
    assert [row["step"] for row in rows] == ["2", "4", "6"]
    assert float(rows[0]["acting"]) > 0


def test_checkpoints_that_do_not_fit(model, performances, tmp_path):
    checkpoint = tmp_path / "motion.ckpt"
    checkpoint.write_bytes(b"no checkpoint")
    with pytest.raises(OptionError, match="delete it"):
        train_motion(model, performances, SCHEDULE, tmp_path)
    checkpoint.unlink()
    train_motion(model, performances, SCHEDULE, tmp_path)
    with pytest.raises(OptionError, match="other settings"):
        train_motion(model, performances, Schedule(steps=7, batch=3), tmp_path)


def test_too_few_people(model, performances, tmp_path):
    with pytest.raises(OptionError, match="people"):
        train_motion(model, performances[:2], SCHEDULE, tmp_path)


def test_a_fifth_of_the_people_is_held_out():
    share = sum(held_out(f"P{number}") for number in range(1000)) / 1000
    assert 0.15 < share < 0.25
    assert held_out("P01") == held_out("P01")


def test_from_labelled_videos_to_weights_by_the_command_line(talkedit, talk, tmp_path):
    """A manifest of four people, one of whom is held out; the same command again goes on where it was."""
    people = sorted((f"P{number}" for number in range(40)), key=held_out)[-4:]
    people[:3] = sorted((f"P{number}" for number in range(40)), key=held_out)[:3]
    manifest = tmp_path / "data.csv"
    rows = [
        f"{person}.mp4,{person},{'happy' if number % 2 else ''},{1 + number % 3}\n"
        for number, person in enumerate(people)
    ]
    manifest.write_text("file,person,emotion,level\n" + "".join(rows))
    for person in people:
        (tmp_path / f"{person}.mp4").write_bytes(talk.read_bytes())
    out = tmp_path / "new"
    options = ("--data", manifest, "--out", out, "--batch", 2, "--steps", 2)
    done = talkedit("train", "motion", *options, "--json")
    assert done.code == 0, done.err
    result = json.loads(done.out)
    assert {"happy", "sad"} <= set(result["measured"]) <= set(EMOTIONS)
    assert load_network(out).training is False
    assert "3 videos and 0 photos of 3 people" in (out / "README.md").read_text()
    again = talkedit("train", "motion", *options)
    assert "Going on from step 2." in again.err
    assert again.out.startswith(f"{out}\n")


def test_nothing_to_train_on(talkedit_at_once, tmp_path):
    assert (
        "There is nothing at" in talkedit_at_once("train", "motion", "--data", tmp_path / "no", "--out", tmp_path).error
    )
