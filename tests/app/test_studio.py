from __future__ import annotations

import io
import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image

from talkedit_sdk.app import keyframes, montage
from talkedit_sdk.app.limits import Limits
from talkedit_sdk.app.studio import Outcome, Step, Studio, last
from talkedit_sdk.app.wish import Wish
from talkedit_sdk.clip import Clip
from talkedit_sdk.errors import Cancelled, NoFaceError, TalkEditError, UnreadableInputError
from talkedit_sdk.provenance import read_record
from talkedit_sdk.video.probe import probe

HAPPY = Wish.checked("happy", 1, 0.5, "largest")


@pytest.fixture(scope="module")
def studio(editor):
    return Studio(editor, Limits(seconds=8, megabytes=20))


@pytest.fixture(scope="module")
def clip(studio, talking) -> Clip:
    return last(studio.watch(talking))


@pytest.fixture(scope="module")
def rendered(studio, clip, tmp_path_factory) -> Outcome:
    return last(studio.render(clip, HAPPY, tmp_path_factory.mktemp("out") / "happy.mp4"))


def test_watching_tells_how_far_it_is(studio, talking):
    *steps, clip = studio.watch(talking)
    assert isinstance(clip, Clip)
    assert all(isinstance(step, Step) for step in steps)
    assert [step.done for step in steps] == sorted(step.done for step in steps)


def test_a_clip_that_lies_about_its_length_is_noticed(editor, talking, monkeypatch):
    studio = Studio(editor, Limits(seconds=0.5))
    monkeypatch.setattr(Limits, "check", lambda *_: None)
    with pytest.raises(UnreadableInputError, match="trim it"):
        last(studio.watch(talking))


def test_called_off(studio, clip, talking, tmp_path):
    stop = tmp_path / "stop"
    stop.touch()
    with pytest.raises(Cancelled):
        last(studio.watch(talking, stop))
    with pytest.raises(Cancelled):
        last(studio.render(clip, HAPPY, tmp_path / "a.mp4", stop))
    assert list(tmp_path.iterdir()) == [stop]


def test_work_ends_when_nobody_listens(studio, clip, tmp_path):
    work = studio.render(clip, HAPPY, tmp_path / "a.mp4")
    next(work)
    work.close()
    assert list(tmp_path.iterdir()) == []


def test_the_preview_is_the_frame_of_the_result(studio, clip):
    indices = keyframes.choose(clip, 3)
    key = keyframes.read(clip, indices)[1]
    assert key.index == indices[1]
    shown = Image.open(io.BytesIO(studio.preview(clip, HAPPY, key)))
    edited = studio.plan(clip, HAPPY).frame(key.index).rgb
    shown, edited, source = (
        cv2.GaussianBlur(np.asarray(rgb), (0, 0), 2)[60:200, 60:180].astype(float)  # JPEG keeps no film grain
        for rgb in (shown, edited, key.frame().rgb)
    )
    assert np.abs(shown - edited).mean() < 0.3 * np.abs(source - edited).mean()


def test_rendering_reports(rendered):
    assert rendered.report.edited_frames == 25
    assert rendered.curves[0].after.shape == (25, 52)
    assert probe(rendered.path).audio_codecs


def test_results_are_marked_unless_the_visible_mark_is_switched_off(studio, clip, rendered, tmp_path, decode):
    plain = last(studio.render(clip, replace(HAPPY, badge=False), tmp_path / "plain.mp4"))
    told = json.loads(rendered.metadata["talkedit"])
    assert read_record(probe(plain.path)) == read_record(probe(rendered.path)) == told
    difference = np.abs(decode(plain.path)[12].astype(int) - decode(rendered.path)[12]).max(2)
    half = slice(0, 112) if rendered.badge_on_top else slice(112, 224)
    assert (difference[half] > 40).sum() > 100
    difference[half] = 0
    assert difference.max() < 40


def test_a_preview_says_what_it_is(studio, clip, tmp_path):
    (key,) = keyframes.read(clip, [12])
    (tmp_path / "preview.jpg").write_bytes(studio.preview(clip, HAPPY, key))
    assert read_record(probe(tmp_path / "preview.jpg"))["emotion"] == "happy"
    (tmp_path / "before.jpg").write_bytes(keyframes.shown(key.frame().rgb))
    assert read_record(probe(tmp_path / "before.jpg")) is None


def test_key_frames_are_spread_and_shown_small(studio, clip):
    indices = keyframes.choose(clip)
    assert len(indices) == keyframes.COUNT
    assert [index * 8 // 25 for index in indices] == list(range(8))
    assert 0 <= keyframes.best(clip, indices) < 8
    frames = keyframes.read(clip, indices)
    assert [frame.index for frame in frames] == indices
    assert Image.open(io.BytesIO(frames[0].thumbnail)).size == (112, 112)
    wide = Image.open(io.BytesIO(keyframes.shown(np.zeros((100, 2560, 3), np.uint8))))
    assert wide.size == (1280, 50)


def test_key_frames_of_a_photo_without_anybody(studio, tmp_path):
    Image.new("RGB", (64, 48)).save(tmp_path / "grey.png")
    clip = last(studio.watch(tmp_path / "grey.png"))
    assert keyframes.choose(clip) == [0]
    assert keyframes.best(clip, [0]) == 0
    with pytest.raises(NoFaceError):
        studio.plan(clip, HAPPY)


@pytest.mark.parametrize("kind", ["side", "wipe"])
def test_montage(kind, talking, rendered, tmp_path, decode):
    target = tmp_path / "both.mp4"
    *_, written = montage.steps(talking, rendered, target, kind, tmp_path / "stop")
    assert written == target
    before, after, both = decode(talking), decode(rendered.path), decode(target)
    assert len(both) == len(before)
    middle = slice(60, 180)
    if kind == "side":
        assert both[0].shape == (224, 448, 3)
        left, right = both[12][middle, :224], both[12][middle, 224:]
    else:
        assert both[0].shape == (224, 224, 3)
        left, right = both[0][middle, :15], both[0][middle, 40:]
        before, after = [b[:, :15] for b in before], [a[:, 40:] for a in after]
    at = 12 if kind == "side" else 0
    assert np.abs(left.astype(float) - before[at][middle]).mean() < 3
    assert np.abs(right.astype(float) - after[at][middle]).mean() < 3
    assert probe(target).audio_codecs == probe(talking).audio_codecs


def test_errors_are_those_of_the_sdk(studio, tmp_path):
    (tmp_path / "torn.mp4").write_bytes(b"\0\0\0\x18ftypmp42 torn")
    with pytest.raises(TalkEditError):
        last(studio.watch(tmp_path / "torn.mp4"))
