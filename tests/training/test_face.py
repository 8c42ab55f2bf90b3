from __future__ import annotations

import json

import pytest
import torch

from talkedit_sdk.errors import OptionError
from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.face.topology import BLENDSHAPES, INDEX, OUTER_EYE_CORNERS, VERTICES, mirrored_name
from talkedit_sdk.manifest import MANIFEST, Manifest
from talkedit_sdk.training import face
from talkedit_sdk.training.dataset import Item
from talkedit_sdk.training.face import leave_people_out, measure, summary_of, train_face_model

SIDES = [INDEX[mirrored_name(name)] for name in BLENDSHAPES]


def test_a_model_is_learned_back(model, trained, record):
    mine, _ = trained
    torch.testing.assert_close(mine.mirror, model.mirror)
    faces = [{tuple(sorted(face)) for face in m.triangles.tolist()} for m in (mine, model)]
    assert faces[0] == faces[1]
    assert (mine.mean[OUTER_EYE_CORNERS[1]] - mine.mean[OUTER_EYE_CORNERS[0]]).norm() == pytest.approx(1, abs=0.01)
    stranger = measure(mine, record(99))
    assert stranger["fitted"] > 0.75
    assert stranger["error"] < 0.05
    assert stranger["r_jawOpen"] > 0.8


def test_all_that_is_learned_is_symmetric(trained):
    mine, _ = trained
    flip = torch.tensor([-1.0, 1.0, 1.0])
    torch.testing.assert_close((mine.mean * flip)[mine.mirror], mine.mean, rtol=0, atol=1e-4)
    mirrored = (mine.expression * flip)[SIDES][:, mine.mirror]
    assert (mirrored - mine.expression).norm() < 0.05 * mine.expression.norm()


def test_what_is_learned_can_be_saved(trained, tmp_path):
    mine, _ = trained
    mine.save(tmp_path, {})
    again = FaceModel.load(tmp_path)
    torch.testing.assert_close(again.expression, mine.expression)
    assert 1 <= len(mine.identity) <= face.IDENTITIES


def test_the_same_data_give_the_same_model(people):
    few = people[:3]
    one, two = (train_face_model(few, epochs=1, seed=7)[0] for _ in range(2))
    torch.testing.assert_close(one.expression, two.expression, rtol=0, atol=1e-5)
    faces = torch.randn(2, VERTICES, 3)
    torch.testing.assert_close(one.regressor(faces), two.regressor(faces), rtol=0, atol=1e-2)


def test_progress_is_told(people):
    said = []
    train_face_model(people[:3], epochs=1, say=said.append)
    assert len(said) >= 3
    assert all(isinstance(line, str) for line in said)


def test_too_few_people(people, record):
    with pytest.raises(OptionError, match="2 people"):
        train_face_model(people[:2])
    with pytest.raises(OptionError, match="1 people"):
        train_face_model([record(1, person="me"), record(2, person="me"), record(3, person="me")])
    with pytest.raises(OptionError):
        train_face_model([record(seed, count=1) for seed in range(5)])
    with pytest.raises(OptionError):
        train_face_model([])


def test_people_left_out(people, trained):
    mine, learner = trained
    results = leave_people_out(people, learner, mine, folds=2, epochs=4)
    assert set(results) == {p.name for p in people}
    for row in results.values():
        assert row["teacher"] > 0.7
        assert 0.4 < row["fitted"] <= 1
    summary = summary_of(results)
    assert summary["recordings"] == len(people)
    assert summary["teacher_mean"] == pytest.approx(sum(r["teacher"] for r in results.values()) / len(people), abs=1e-3)
    assert summary["n_jawOpen"] <= len(people)


def test_summary_of_nothing():
    assert summary_of({}) == {"recordings": 0}


def test_from_a_folder_to_a_model_with_its_card(people, record, tmp_path, monkeypatch):
    """Only people of role `train` are learned from; the others are measured."""
    stranger = record(50, person="stranger")
    photo = record(60, count=1, person="photo")
    found = [(Item(tmp_path / p.name, p.person, "train"), p) for p in [*people[:4], photo]]
    found.append((Item(tmp_path / stranger.name, stranger.person, "eval"), stranger))
    learned_from = []

    def train(recordings, *arguments):
        learned_from.extend(recording.person for recording in recordings)
        return train_face_model(recordings, *arguments)

    monkeypatch.setattr(face, "list_items", lambda data: [item for item, _ in found])
    monkeypatch.setattr(face, "recordings", lambda *_: iter(found))
    monkeypatch.setattr(face, "Teacher", lambda bundle: None)
    monkeypatch.setattr(face, "FaceMeshTracker", lambda: None)
    monkeypatch.setattr(face, "train_face_model", train)
    out = tmp_path / "out"
    summary = face.train_from_folder(tmp_path, tmp_path / "teacher", out, tmp_path / "cache", epochs=2, folds=2)
    assert sorted(learned_from) == ["0", "1", "2", "3", "photo"]
    config = json.loads((out / "face.json").read_text())
    assert config["people"] == 5
    assert config["measured"] == summary
    assert summary["recordings"] == 4
    card = (out / "README.md").read_text()
    assert "4 videos (320 frames) and 1 photos of 5 people" in card
    assert f"{summary['fitted_mean']:.3f}" in card
    assert "never trained on (1 recordings)" in card
    FaceModel.load(out)
    assert Manifest.read(out / MANIFEST, "it") == Manifest.of(out)
    assert face.train_from_folder(tmp_path, tmp_path, out, tmp_path, epochs=1, folds=0) == {}
    assert "Not measured." in (out / "README.md").read_text()


def test_the_card_holds_the_numbers(people, record):
    tables = {
        "people left out": {"a.mp4": {"teacher": 0.5, "fitted": 0.9}, "b.mp4": {"teacher": 0.7}},
        "others": {"c.mp4": {"fitted": 0.8124}},
    }
    text = face.section_of(7, [*people[:3], record(70, count=1)], tables)
    assert "3 videos (240 frames) and 1 photos of 7 people" in text
    assert "### People left out (2 recordings)" in text
    assert "| teacher | 0.600 | 0.700 | 0.500 | 2 |" in text
    assert "| fitted | 0.900 | 0.900 | 0.900 | 1 |" in text
    assert "| fitted | 0.812 | 0.812 | 0.812 | 1 |" in text
