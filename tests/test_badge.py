from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from talkedit_sdk.badge import Badge, pill
from talkedit_sdk.face.track import FaceTrack, Tracking
from talkedit_sdk.video.types import VideoInfo


def info(width, height, aspect=1):
    return VideoInfo(None, "video", width, height, Fraction(25), pixel_aspect=Fraction(aspect))


def face(centres, size, identity=0):
    """A face of `size` pixels at each of (T, 2) centres."""
    corners = np.random.default_rng(0).uniform(-size / 2, size / 2, (478, 2))
    landmarks = np.zeros((len(centres), 478, 3), np.float32)
    landmarks[..., :2] = np.array(centres)[:, None] + corners
    count = np.arange(len(centres))
    return FaceTrack(identity, count, landmarks, np.ones(len(centres), np.float32), np.zeros(len(centres), np.int64))


def tracking(width, height, *faces):
    return Tracking((height, width), np.arange(9) / 25, np.zeros(9, bool), faces)


def where(badge, width, height):
    """left, top, right, bottom of the mark."""
    on_black = badge.draw(np.zeros((height, width, 3), np.uint8)).any(2)
    on_white = (badge.draw(np.full((height, width, 3), 255, np.uint8)) < 255).any(2)
    rows, columns = np.nonzero(on_black | on_white)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


@pytest.mark.parametrize(
    ("at", "corner"),
    [
        ((0.25, 0.25), "bottom right"),
        ((0.75, 0.25), "bottom left"),
        ((0.25, 0.75), "top right"),
        ((0.75, 0.75), "top left"),
        ((0.5, 0.4), "bottom right"),
        ((0.52, 0.4), "bottom right"),
    ],
)
def test_it_keeps_away_from_the_face(at, corner):
    centres = [(at[0] * 640 + 5 * np.sin(i), at[1] * 480) for i in range(9)]
    badge = Badge(info(640, 480), tracking(640, 480, face(centres, 160)))
    left, top, _, _ = where(badge, 640, 480)
    assert f"{'top' if top < 240 else 'bottom'} {'left' if left < 320 else 'right'}" == corner
    assert badge.top == (top < 240)


def test_of_several_faces_none_is_covered():
    faces = [face([(x, 390)] * 9, 160, i) for i, x in enumerate((110, 530))]
    assert Badge(info(640, 480), tracking(640, 480, *faces)).top


@pytest.mark.parametrize("size", [(1920, 1080), (1080, 1920), (641, 361), (224, 224), (96, 64)])
def test_it_lies_in_the_area_that_every_screen_shows(size):
    width, height = size
    left, top, right, bottom = where(Badge(info(*size), tracking(*size)), *size)
    assert left >= int(0.05 * width) and right <= width - int(0.05 * width)  # noqa: PT018
    assert top >= int(0.05 * height) and bottom <= height - int(0.05 * height)  # noqa: PT018
    assert (bottom - top) / min(size) == pytest.approx(0.055, abs=0.025) or min(size) < 300
    assert right - left < 0.95 * width


@pytest.mark.parametrize("size", [(1, 1), (2, 300), (300, 2), (17, 9)])
def test_tiny_pictures_do_not_break_it(size):
    picture = np.zeros((size[1], size[0], 3), np.uint8)
    assert Badge(info(*size), tracking(*size)).draw(picture).shape == picture.shape


def test_it_keeps_its_shape_where_pixels_are_not_square():
    square, wide = (where(Badge(info(720, 576, sar), tracking(720, 576)), 720, 576) for sar in (1, 2))
    assert (square[2] - square[0]) / (wide[2] - wide[0]) == pytest.approx(2, abs=0.05)
    assert square[3] - square[1] == wide[3] - wide[1]


@pytest.mark.parametrize("ground", [0, 128, 255])
def test_it_is_legible_over_anything(ground):
    for size in (10, 16, 33):
        rgba = pill("AI-edited", size).astype(np.float32)
        share = rgba[..., 3:] / 255
        shown = (ground + share * (rgba[..., :3] - ground))[..., 0]
        inner = shown[size // 3 : -size // 3, size:-size]
        bright, dark = np.percentile(inner, 97), np.percentile(inner, 25)
        assert bright > 190
        assert (bright + 13) / (dark + 13) > 2, "letters stand out from their ground"


def test_the_mark_stands_still_and_nothing_else_changes(editor, speech, watched):
    result = editor.edit(watched, "happy", progress=False)
    plain, marked = list(result.frames()), list(result.frames(badge=True))
    changed = [(a.rgb != b.rgb).any(2) for a, b in zip(plain, marked, strict=True)]
    rows, columns = np.nonzero(np.any(changed, 0))
    left, top, right, bottom = where(result.badge, 360, 360)
    assert (left, top, right, bottom) == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert [(a.index, a.time) for a in plain] == [(b.index, b.time) for b in marked]
    assert all(mask.sum() > 200 for mask in changed)


def test_frames_that_were_handed_in_stay_as_they_are(editor):
    given = [np.full((120, 160, 3), value, np.uint8) for value in (0, 255)]
    kept = [frame.copy() for frame in given]
    badge = Badge(info(160, 120), tracking(160, 120))
    for frame, copy in zip(given, kept, strict=True):
        assert (badge.draw(frame) != frame).any()
        assert (frame == copy).all()


def test_intensity_0_is_the_source_bit_for_bit_unless_marked(editor, speech, watched):
    result = editor.edit(watched, "happy", 0, progress=False)
    assert all((frame.rgb == source).all() for frame, source in zip(result.frames(), speech, strict=True))
    assert all((frame.rgb != source).any() for frame, source in zip(result.frames(badge=True), speech, strict=True))


def test_the_command_line_draws_it_when_asked(talkedit, talk, tmp_path, decode):
    for name, flags in (("plain", ()), ("marked", ("--badge",))):
        assert talkedit("edit", talk, "-e", "happy", "-i", 0, "-o", tmp_path / f"{name}.mp4", "-q", *flags).code == 0
    plain, marked = (decode(tmp_path / f"{name}.mp4")[12].astype(int) for name in ("plain", "marked"))
    difference = np.abs(plain - marked).max(2)
    assert difference[-35:-8, 224 // 2 :].max() > 60 or difference[-35:-8, : 224 // 2].max() > 60
    assert difference[:112].mean() < 2
