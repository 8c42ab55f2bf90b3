from __future__ import annotations

import pytest
import torch

from talkedit_sdk.emotion import Emotion
from talkedit_sdk.errors import OptionError
from talkedit_sdk.face.tracker import FaceMeshTracker
from talkedit_sdk.training.corpus import Take, list_takes, named_emotion, read_performances, strength_of


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


def test_a_manifest_says_who_acts_what(tmp_path):
    manifest = tmp_path / "data.csv"
    manifest.write_text("file,person,emotion,level\na/1.mp4,ann,happy,1\nb.mp4,,,\nc.mp4,bob,anger,\n")
    assert list_takes(manifest) == [
        Take(tmp_path / "a/1.mp4", "ann", "train", Emotion.parse("happy"), pytest.approx(0.4)),
        Take(tmp_path / "b.mp4", "b", "train", None, pytest.approx(1.0)),
        Take(tmp_path / "c.mp4", "bob", "train", Emotion.parse("angry"), pytest.approx(1.0)),
    ]


def test_folders_as_in_mead(tmp_path):
    for path in ("M003/video/front/happy/level_2/001.mp4", "W011/video/left_30/fear/level_3/007.mp4"):
        touch(tmp_path / path)
    touch(tmp_path / "W011/video/front/neutral/level_1/002.mp4")
    touch(tmp_path / "W011/audio/happy/level_1/002.m4a")
    found = {take.path.relative_to(tmp_path).as_posix(): take for take in list_takes(tmp_path)}
    assert len(found) == 3
    happy = found["M003/video/front/happy/level_2/001.mp4"]
    assert (happy.person, happy.emotion.label) == ("M003", "happy")
    assert happy.strength == pytest.approx(strength_of(2))
    assert found["W011/video/left_30/fear/level_3/007.mp4"].emotion.label == "fearful"
    assert found["W011/video/front/neutral/level_1/002.mp4"].person == "W011"


def test_a_folder_with_an_index(tmp_path):
    (tmp_path / "index.csv").write_text(
        "file,person,role,tier,expression\nx.mp4,ann,train,core,joy/talking\ny.jpg,bob,eval,core,\nz.mp4,c,train,edge,\n"
    )
    takes = list_takes(tmp_path)
    assert [(t.person, t.role, t.emotion and t.emotion.label) for t in takes] == [
        ("ann", "train", "happy"), ("bob", "eval", None),
    ]  # fmt: skip


def test_words_for_expressions():
    assert named_emotion("talking/grimace") is None
    assert named_emotion("") is None
    assert named_emotion("disgust/fear") == Emotion.parse({"disgusted": 1, "fearful": 1})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Nothing to learn from"),
        ("file,person\n", "Nothing to learn from"),
        ("person,emotion\nann,happy\n", "Line 2"),
        ("file,emotion\na.mp4,hapy\n", "did you mean 'happy'"),
        ("file,level\na.mp4,strong\n", "'strong'"),
        ("file,level\na.mp4,7\n", "'7'"),
        ("file,level\na.mp4,nan\n", "'nan'"),
    ],
)
def test_manifests_that_make_no_sense(tmp_path, text, message):
    manifest = tmp_path / "data.csv"
    manifest.write_text(text)
    with pytest.raises(OptionError, match=message):
        list_takes(manifest)


def test_a_manifest_that_is_no_text(tmp_path):
    manifest = tmp_path / "data.csv"
    manifest.write_bytes(b"\xff\xfe\x00file")
    with pytest.raises(OptionError, match="UTF-8"):
        list_takes(manifest)


def test_footage_becomes_coefficients_once(talk, model, tmp_path, monkeypatch):
    takes = [
        Take(talk, "her", "train", Emotion.parse("happy"), 1.0),
        Take(tmp_path / "missing.mp4", "x", "train", None, 1.0),
        Take(touch(tmp_path / "broken.mp4"), "y", "train", None, 1.0),
    ]
    (found,) = read_performances(takes, model, FaceMeshTracker(), tmp_path / "cache")
    assert found.take is takes[0]
    assert abs(len(found.coefficients) - 30) <= 2  # a second, at 25 frames a second in the file
    assert found.coefficients.shape[1] == 52
    assert found.gaps.shape == (len(found.coefficients), 5)
    monkeypatch.setattr(FaceMeshTracker, "track", lambda *_: pytest.fail("tracked again"))
    (again,) = read_performances(takes, model, FaceMeshTracker(), tmp_path / "cache")
    assert torch.equal(again.coefficients, found.coefficients)


def test_file_names_as_in_ravdess(tmp_path):
    for name in ("Actor_12/01-01-05-02-01-02-12.mp4", "Actor_01/01-01-02-01-01-01-01.mp4"):
        touch(tmp_path / name)
    calm, angry = list_takes(tmp_path)
    assert (calm.person, calm.emotion.label, calm.strength) == ("Actor_01", "neutral", pytest.approx(strength_of(2)))
    assert (angry.person, angry.emotion.label, angry.strength) == ("Actor_12", "angry", pytest.approx(strength_of(3)))
