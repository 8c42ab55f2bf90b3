from __future__ import annotations

import threading

import numpy as np
import pytest

from talkedit_sdk.errors import OutputError
from talkedit_sdk.result import BLOCK, _Drawer


@pytest.fixture(scope="module")
def result(editor, watched):
    return editor.edit(watched, "surprised", intensity=[(0, 1), (0.4, 1), (0.4, 0)], mouth_weight=0.2)


@pytest.fixture(scope="module")
def edited(result):
    return np.stack([frame.rgb for frame in result.frames()])


def test_frames_come_in_order_and_as_often_as_wanted(result, edited, speech):
    again = list(result.frames())
    assert [(frame.index, frame.time) for frame in again] == [(index, index / 25) for index in range(24)]
    np.testing.assert_array_equal([frame.rgb for frame in again], edited)
    assert all((edited[index] != speech[index]).any() for index in range(10))
    np.testing.assert_array_equal(edited[10:], speech[10:])


def test_two_readers_do_not_disturb_each_other(result, edited):
    first, second = result.frames(), result.frames()
    for index in range(4):
        np.testing.assert_array_equal(next(first).rgb, edited[index])
        np.testing.assert_array_equal(next(second).rgb, edited[index])
    first.close()
    np.testing.assert_array_equal(next(second).rgb, edited[4])
    second.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("talkedit")]


@pytest.mark.parametrize("index", [0, 9, 10, 23])
def test_single_frames_for_a_preview(result, edited, index):
    frame = result.frame(index)
    assert (frame.index, frame.time) == (index, index / 25)
    np.testing.assert_array_equal(frame.rgb, edited[index])


@pytest.mark.parametrize("index", [-1, 24])
def test_frames_that_are_not_there(result, index):
    with pytest.raises(IndexError, match=str(index)):
        result.frame(index)


def test_batches_as_on_a_gpu_draw_the_same(result, edited):
    drawers = [_Drawer(edit, result._model, result._renderer) for edit in result._edits]
    source = list(result._clip.source.frames())
    for start, stop in ((0, 7), (7, 16), (16, 24)):
        drawn = result._drawn(source[start:stop], drawers)
        assert [frame.index for frame in drawn] == list(range(start, stop))
        np.testing.assert_array_equal([frame.rgb for frame in drawn], edited[start:stop])


def test_clips_longer_than_a_block(editor, speech):
    count = BLOCK + 6
    frames = [speech[index % 24] for index in range(count)]
    result = editor.edit(frames, "happy", fps=25)
    edited = [frame.rgb.astype(int) for frame in result.frames()]
    for index in (BLOCK - 1, BLOCK):
        np.testing.assert_array_equal(edited[index], result.frame(index).rgb)
        change = np.abs(edited[index] - frames[index]).mean()
        assert np.abs(edited[index] - edited[index - 24]).mean() < 0.1 * change, "the same picture, the same edit"


def test_curves_tell_what_happens(result, watched):
    (curves,) = result.curves
    np.testing.assert_array_equal(curves.before, watched.fits[0].coefficients.cpu())
    np.testing.assert_array_equal(curves.times, watched.tracking.times)
    changed = (curves.before != curves.after).any(1)
    np.testing.assert_array_equal(changed, np.arange(24) < 10)


@pytest.mark.parametrize("name", ["out.gif", "out", "nowhere/out.mp4", "."])
def test_places_that_cannot_be_written(result, tmp_path, name, monkeypatch):
    monkeypatch.setattr(result._renderer, "draw", lambda *_: pytest.fail("the work began"))
    with pytest.raises(OutputError):
        result.save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_in_the_middle_leaves_nothing(result, tmp_path, monkeypatch):
    draw, calls = result._renderer.draw, []

    def fail(*arguments):
        calls.append(1)
        if len(calls) > 5:
            raise MemoryError
        return draw(*arguments)

    monkeypatch.setattr(result._renderer, "draw", fail)
    with pytest.raises(MemoryError):
        result.save(tmp_path / "out.mp4")
    assert list(tmp_path.iterdir()) == []


def test_what_the_file_cannot_keep_is_noted_once(editor, portrait_head, tmp_path):
    odd = editor.edit([portrait_head[:359, :357]] * 2, "sad")
    assert odd.report.notes == ()
    for _ in range(2):
        odd.save(tmp_path / "odd.mp4")
        assert len(odd.report.notes) == 1
        assert "357x359" in odd.report.notes[0]


def test_progress_may_be_given_to_save_alone(result, tmp_path, capsys):
    heard = []
    result.save(tmp_path / "out.mp4", progress=heard.append)
    assert [(p.stage, p.done) for p in heard] == [("render", done) for done in range(1, 25)]
    assert capsys.readouterr().err == ""


def test_a_kept_frame_is_rendered_like_one_that_is_decoded(editor, watched):
    result = editor.edit(watched, "happy", 1.0)
    kept = next(frame for frame in watched.source.frames() if frame.index == 7)
    assert (result.render(kept).rgb == result.frame(7).rgb).all()
    assert (result.render(kept).rgb != kept.rgb).any()


def test_openings_tell_how_far_the_mouth_is_open(editor, watched):
    (held,) = editor.edit(watched, "surprised", 1.0, mouth_weight=1.0).openings()
    (free,) = editor.edit(watched, "surprised", 1.0, mouth_weight=0.0).openings()
    assert held.shape == (24, 2)
    assert (held[:, 0] == free[:, 0]).all()
    assert np.corrcoef(held.T)[0, 1] > 0.97
    assert np.abs(held[:, 1] - held[:, 0]).mean() < 0.3 * np.abs(free[:, 1] - free[:, 0]).mean()
