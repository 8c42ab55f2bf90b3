"""What `detail` does to whole edits: folds come and go with the expression, on the skin and nowhere else."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from talkedit_sdk.errors import OptionError
from talkedit_sdk.face.topology import EYE_LEFT, EYE_RIGHT, LIPS_INNER, OVAL
from talkedit_sdk.render.renderer import STILL


def frames_of(result):
    return np.stack([frame.rgb for frame in result.frames()]).astype(int)


@pytest.fixture(scope="module")
def angry(editor, watched):
    """Edits by detail, and their frames."""
    edits = {detail: editor.edit(watched, "angry", detail=detail) for detail in (0.0, 0.5, 1.0)}
    return edits, {detail: frames_of(edit) for detail, edit in edits.items()}


def polygon(vertices, contour, grow):
    """(360, 360) bool, the inside of a contour, grown or, below 0, shrunk by pixels."""
    mask = np.zeros((360, 360), np.uint8)
    cv2.fillPoly(mask, [np.round(vertices[list(contour), :2]).astype(np.int32)], 1)
    change = cv2.dilate if grow > 0 else cv2.erode
    return change(mask, np.ones((3, 3), np.uint8), iterations=abs(grow)).astype(bool)


def test_without_detail_there_is_nothing_of_it(angry, editor, watched):
    edits, _ = angry
    assert all(edit.skin is None for edit in edits[0.0]._edits)
    assert all(edit.skin is not None for edit in edits[1.0]._edits)
    silent = editor.edit(watched, "angry", intensity=0, detail=1.0)
    np.testing.assert_array_equal(frames_of(silent), frames_of(editor.edit(watched, "sad", intensity=0, detail=0)))
    np.testing.assert_array_equal(frames_of(silent), [frame.rgb for frame in watched.source.frames()])


def test_more_detail_is_more_of_the_same(angry):
    _, frames = angry
    half, full = frames[0.5] - frames[0.0], frames[1.0] - frames[0.0]
    assert np.abs(full).mean() > 1.6 * np.abs(half).mean() > 0
    assert np.corrcoef(half.ravel(), full.ravel())[0, 1] > 0.9


def test_it_stays_on_the_skin(angry):
    edits, frames = angry
    drawn = edits[1.0]._drawers[0]._placement(0).skin.vertices.numpy()
    for row in range(0, 24, 6):
        changed = (frames[1.0][row] != frames[0.0][row]).any(-1)
        assert changed.any()
        assert not changed[~polygon(drawn[row], OVAL, 1)].any()
        for contour in (EYE_LEFT, EYE_RIGHT, LIPS_INNER):
            assert not changed[polygon(drawn[row], contour, -1)].any()


def test_it_is_as_steady_as_the_edit(angry):
    """The portrait keeps still but for its mouth: so does the skin of the upper face."""
    _, frames = angry
    change = (frames[1.0] - frames[0.0])[:, :150]
    assert np.abs(np.diff(change, axis=0)).mean() < 0.15 * np.abs(change).mean()


@pytest.mark.parametrize("index", [0, 11, 23])
def test_single_frames_are_those_of_the_whole(angry, index):
    edits, frames = angry
    np.testing.assert_array_equal(edits[1.0].frame(index).rgb, frames[1.0][index])


def test_a_covered_face_keeps_its_skin(editor, watched, angry):
    keep = watched.occlusions[0].keep
    covered = replace(watched, occlusions=(replace(watched.occlusions[0], keep=0 * keep),))
    frames = frames_of(editor.edit(covered, "angry", detail=1.0))
    np.testing.assert_array_equal(frames, [frame.rgb for frame in watched.source.frames()])


def test_skin_changes_even_where_nothing_moves(editor, watched):
    """A tiny intensity moves less than is drawn, so that only the skin is left to change."""
    result = editor.edit(watched, "angry", detail=1.0)
    (edit,) = result._edits
    (drawer,) = result._drawers
    placement = drawer._placement(0)[:1]
    still = replace(placement, moved=0 * placement.moved + STILL / 2)
    source = next(iter(watched.source.frames()))
    picture = torch.from_numpy(source.rgb)[None]
    assert result._renderer.draw(picture, still) is picture
    assert (result._renderer.draw(picture, still, edit.skin.at([0])) != picture).any()


@pytest.mark.parametrize("wrong", [-0.1, 1.01, float("nan"), None, "much"])
def test_senseless_details_are_refused(editor, watched, wrong):
    with pytest.raises(OptionError, match="detail"):
        editor.edit(watched, "angry", detail=wrong)


def test_the_command_line_takes_it(talkedit, talk, tmp_path):
    for name, detail in (("none.mp4", "0"), ("all.mp4", "1")):
        done = talkedit("edit", talk, "-e", "angry", "--detail", detail, "-o", tmp_path / name, "-q")
        assert done.code == 0
    assert (tmp_path / "none.mp4").read_bytes() != (tmp_path / "all.mp4").read_bytes()


def test_the_command_line_refuses_too_much_of_it(talkedit_at_once, talk):
    done = talkedit_at_once("edit", talk, "-e", "angry", "--detail", "2")
    assert done.code == 2
    assert done.error.startswith("detail is 2.0; give a number from 0")
