from __future__ import annotations

import cv2
import numpy as np
import pytest

from talkedit_sdk.errors import OptionError
from talkedit_sdk.face.topology import VERTICES
from talkedit_sdk.training.dataset import Item, Teacher, list_items, recordings


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_without_an_index_every_file_is_a_person(tmp_path):
    touch(tmp_path, "b.mp4", "a.MOV", "sub/c.webm", "photo.jpg", "notes.txt", "sound.wav", "README")
    items = list_items(tmp_path)
    assert sorted((item.path.name, item.person, item.role) for item in items) == [
        ("a.MOV", "a", "train"), ("b.mp4", "b", "train"), ("c.webm", "c", "train"), ("photo.jpg", "photo", "train"),
    ]  # fmt: skip


def test_an_index_says_who_is_who(tmp_path):
    (tmp_path / "index.csv").write_text(
        "file,person,role,tier\nx.mp4,ann,train,core\ny.mp4,ann,,core\nz.mp4,,eval,core\nw.mp4,bob,train,extra\n"
    )
    touch(tmp_path, "unlisted.mp4")
    assert list_items(tmp_path) == [
        Item(tmp_path / "x.mp4", "ann", "train"),
        Item(tmp_path / "y.mp4", "ann", "train"),
        Item(tmp_path / "z.mp4", "z.mp4", "eval"),
    ]


def test_an_index_needs_only_names(tmp_path):
    (tmp_path / "index.csv").write_text("file\nx.mp4\n")
    assert list_items(tmp_path) == [Item(tmp_path / "x.mp4", "x.mp4", "train")]


@pytest.mark.parametrize("index", [None, "", "file,person\n", "name,person\nx.mp4,ann\n", "file,tier\nx.mp4,extra\n"])
def test_nothing_to_learn_from(tmp_path, index):
    if index is not None:
        (tmp_path / "index.csv").write_text(index)
    with pytest.raises(OptionError, match="no videos or photos"):
        list_items(tmp_path)
    with pytest.raises(OptionError):
        list_items(tmp_path / "nowhere")


def test_no_teacher(tmp_path):
    with pytest.raises(OptionError, match="--teacher"):
        Teacher(tmp_path / "face_landmarker.task")


class Marking:
    """A teacher that scores each frame by its brightness, and does not know the darkest."""

    def __init__(self):
        self.asked = 0

    def scores(self, rgb, landmarks):
        self.asked += 1
        assert landmarks.shape == (478, 3)
        return None if rgb.mean() < 90 else np.full(52, rgb.mean() / 255, np.float32)


@pytest.fixture
def files(speech, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    cv2.imwrite(str(folder / "bright.png"), speech[0][..., ::-1])
    cv2.imwrite(str(folder / "dark.png"), speech[0][..., ::-1] // 2)
    cv2.imwrite(str(folder / "empty.png"), np.full((100, 100, 3), 200, np.uint8))
    (folder / "broken.mp4").write_bytes(b"no video at all")
    names = ("bright.png", "dark.png", "empty.png", "broken.mp4", "missing.mp4")
    return [Item(folder / name, name) for name in names]


def test_what_can_be_learned_from_is_measured_once(editor, files, tmp_path, capsys):
    teacher, cache = Marking(), tmp_path / "cache" / "deep"
    ((item, found),) = recordings(files, editor._tracker, teacher, cache)
    assert (item.path.name, found.person, found.name) == ("bright.png", "bright.png", "bright.png")
    assert found.vertices.shape == (1, VERTICES, 3)
    assert found.scores.shape == (1, 52)
    assert teacher.asked == 2
    told = capsys.readouterr()
    assert "skipped broken.mp4" in told.out + told.err
    assert "skipped missing.mp4" in told.out + told.err
    ((_, again),) = recordings(files, None, None, cache)
    assert (again.vertices == found.vertices).all()
    assert (again.scores == found.scores).all()
    assert not list(cache.glob("*partial*"))


def test_a_changed_file_is_measured_again(editor, files, speech, tmp_path):
    teacher, cache = Marking(), tmp_path / "cache"
    next(recordings(files[:1], editor._tracker, teacher, cache))
    cv2.imwrite(str(files[0].path), speech[6][40:, :, ::-1])
    next(recordings(files[:1], editor._tracker, teacher, cache))
    assert teacher.asked == 2
