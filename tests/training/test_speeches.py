from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from talkedit_sdk.face.topology import INDEX
from talkedit_sdk.face.tracker import FaceMeshTracker
from talkedit_sdk.speech.features import FEATURES
from talkedit_sdk.speech.types import RATE
from talkedit_sdk.training.corpus import list_takes
from talkedit_sdk.training.own_voice import Match
from talkedit_sdk.training.speeches import judged, read_clips, read_speeches, sound_of

TALK = Path(__file__).parents[2] / "examples" / "talk.mp4"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    shutil.copy(TALK, folder / "talk.mp4")
    (folder / "data.csv").write_text("file,person,emotion,level\ntalk.mp4,ann,happy,2\n")
    return folder


@pytest.fixture(scope="module")
def clips(data, model):
    return list(read_clips(list_takes(data / "data.csv"), model, FaceMeshTracker(), data / "cache"))


def test_the_example_carries_its_own_voice(clips):
    (clip,) = clips
    assert len(clip.features) == len(clip.coefficients) == len(clip.gaps) > 4 * RATE
    (match,) = judged(clips)
    assert match.own
    assert abs(match.late) <= 3


def test_read_speeches(data, model, clips):
    (utterance,) = read_speeches(data / "data.csv", model, FaceMeshTracker(), data / "cache")
    count = len(utterance.phones)
    assert utterance.features.shape == (count, FEATURES)
    assert utterance.coefficients.shape == (count, len(INDEX))
    assert (utterance.kind, utterance.person, utterance.role) == ("real", "ann", "train")
    assert set(utterance.phones.tolist()) == {-1}
    assert float(utterance.strength[0]) == pytest.approx(0.7)
    assert utterance.emotion[0].tolist() == [0, 1, 0, 0, 0, 0, 0, 0]


def test_the_picture_is_moved_to_the_sound(data, model, clips, monkeypatch):
    from talkedit_sdk.training import speeches

    for late in (3, -3):
        monkeypatch.setattr(speeches, "judged", lambda clips, late=late: [Match(0.9, late, 1.0, True)] * len(clips))
        (utterance,) = read_speeches(data / "data.csv", model, FaceMeshTracker(), data / "cache")
        whole = clips[0]
        heard, seen = max(-late, 0), max(late, 0)
        torch.testing.assert_close(utterance.features[0], whole.features[heard])
        torch.testing.assert_close(utterance.coefficients[0], whole.coefficients[seen])
        assert len(utterance.phones) == len(whole.features) - 3


def test_silent_videos_take_the_sound_beside_them(tmp_path, talk):
    video = tmp_path / "M003/video/front/happy/level_2/001.mp4"
    video.parent.mkdir(parents=True)
    shutil.copy(talk, video)
    assert sound_of(video) == video
    video.write_bytes(b"no video")
    assert sound_of(video) is None
    sound = tmp_path / "M003/audio/happy/level_2/001.m4a"
    sound.parent.mkdir(parents=True)
    shutil.copy(talk, sound)
    assert sound_of(video) == sound
