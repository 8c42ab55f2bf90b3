"""Every mistake and every hostile file gives one clear sentence and an exit code; nothing is written or lost."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import struct
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest


def write_sound(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4800), np.float32), "fltp", "mono")
        frame.sample_rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def write_raw_avi(path: Path, frames: int = 2) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("rawvideo", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "bgr24"
        container.start_encoding()
        for _ in range(frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), "rgb24")))
        container.mux(stream.encode(None))


def write_huge_header(path: Path) -> None:
    write_raw_avi(path)
    data = path.read_bytes()
    place = data.index(b"strf") + 12
    assert struct.unpack_from("<i", data, place) == (32,)
    path.write_bytes(data[:place] + struct.pack("<ii", 20000, 20000) + data[place + 8 :])


FILES: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "missing": ("none.mp4", lambda path: None, r"There is no file .*none\.mp4: check the path\."),
    "directory": ("folder.mp4", Path.mkdir, r"is a directory: give the file inside it\."),
    "empty": ("empty.mp4", Path.touch, r"is empty: copy or download it again\."),
    "text": ("text.mp4", lambda path: path.write_text("No film.\n" * 99), r"is no video or photo that can be read"),
    "sound": ("sound.m4a", write_sound, r"has only sound: give a file with a video track\."),
    "no frames": ("still.avi", lambda path: write_raw_avi(path, 0), r"holds no frame that can be decoded"),
    "huge": ("huge.avi", write_huge_header, r"20000|more than 8192 pixels a side"),
    "photo": ("photo.jpg", lambda path: path.write_bytes(b"\xff\xd8\xff\xe0 torn"), r"is no photo that can be read"),
    "pipe": ("pipe.mp4", os.mkfifo, r"is not a regular file: save it to a file first\."),
    "name": ("a\n\x1b[31mb.mp4", lambda path: path.write_text("?"), r"a \?\[31mb\.mp4 is no video"),
}


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("command", [("edit", "-e", "happy"), ("faces",), ("export-curves", "-e", "sad"), ("info",)])
def test_inputs_that_are_no_video(talkedit_at_once, tmp_path, kind, command):
    name, make, message = FILES[kind]
    make(tmp_path / name)
    before = {path: path.stat() for path in tmp_path.iterdir()}
    done = talkedit_at_once(command[0], tmp_path / name, *command[1:])
    assert done.code == 1
    assert_matches(message, done.error)
    after = {path: path.stat() for path in tmp_path.iterdir()}
    assert list(after) == list(before)
    assert all(after[path].st_mtime_ns == before[path].st_mtime_ns for path in before)


def assert_matches(message: str, told: str) -> None:
    """pytest explains a failed `match` better than a failed `search`."""
    with pytest.raises(ValueError, match=message):
        raise ValueError(told)


def test_cut_off_where_the_file_says_how_long_it_is(talkedit_at_once, talk, contents):
    data = talk.read_bytes()
    talk.write_bytes(data[: len(data) // 2])
    before = contents()
    done = talkedit_at_once("edit", talk, "-e", "happy")
    assert done.code == 1
    assert_matches(r"is cut off \(\d+ bytes are missing at its end\): copy or download it again\.", done.error)
    assert contents() == before


def test_cut_off_stream_is_edited_as_far_as_it_goes(talkedit, tmp_path, make_video, make_heads, decode):
    path = make_video(tmp_path / "talk.mpg", make_heads(25), "mpeg2video")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    done = talkedit("edit", path, "-e", "sad", "--json")
    assert (done.code, done.err) == (0, "")
    (output,) = json.loads(done.out)["outputs"]
    assert Path(output["path"]).name == "talk.sad.mp4"
    assert 6 < output["frames"] < 20
    assert len(decode(Path(output["path"]))) == output["frames"]


@pytest.mark.parametrize(
    "command", [("edit", "-e", "happy"), ("faces", "--thumbnails", "people"), ("export-curves", "-e", "sad")]
)
def test_nobody(talkedit, tmp_path, make_video, contents, command, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_video(tmp_path / "wall.mp4", [np.full((224, 224, 3), 90 + 4 * i, np.uint8) for i in range(6)])
    before = contents()
    done = talkedit(command[0], "wall.mp4", *command[1:])
    assert done.code == 1
    assert_matches(r"^No face was found; use a clip in which a face is", done.error)
    assert contents() == before


def test_nobody_of_that_number(talkedit, talk, contents):
    before = contents()
    done = talkedit("edit", talk, "-e", "happy", "--face", "7")
    assert done.code == 1
    assert_matches(r"There is no face 7; the clip shows 1, numbered from 0", done.error)
    assert contents() == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("-e", "hapy"), r"There is no emotion 'hapy'; did you mean 'happy'\?"),
        (("-e", "bored"), r"There is no emotion 'bored'; choose one of neutral, happy,"),
        (("-e", "happy:nan"), r"The share of 'happy' is nan; give a number"),
        (("-e", "happy:-1"), r"The share of 'happy' is -1\.0; give"),
        (("-e", "happy:much"), r"'happy:much' is no share of an emotion; write"),
        (("-e", "happy:0"), r"The mixture is empty"),
        (("-e", ""), r"There is no emotion ''; choose"),
        (("-e", "sad", "-i", "nan"), r"Intensity nan at 0 s is outside 0 to 1\.5"),
        (("-e", "sad", "-i", "-0.1"), r"Intensity -0\.1 at 0 s is outside"),
        (("-e", "sad", "-i", "1.6"), r"Intensity 1\.6 at 0 s is outside"),
        (("-e", "sad", "-i", "inf"), r"Intensity inf at 0 s is outside"),
        (("-e", "sad", "-i", "strong"), r"--intensity.*valid.*; try `talkedit [a-z-]+ --help`\.$"),
        (("-e", "sad", "-m", "nan"), r"mouth_weight is nan; give a number from 0"),
        (("-e", "sad", "-m", "1.01"), r"mouth_weight is 1\.01; give"),
        (("-e", "sad", "--curve", "0:0,nan:1"), r"Intensity 1 at nan s is outside"),
        (("-e", "sad", "--curve", "0:0,1:2"), r"Intensity 2 at 1 s is outside"),
        (("-e", "sad", "--curve", "2:0,1:1"), r"go backwards; sort"),
        (
            ("-e", "sad", "--curve", "0-1"),
            r"--curve '0-1' is no list of SECONDS:VALUE; write for example 0:0,2:1,5:0\.",
        ),
        (("-e", "sad", "--curve", ""), r"--curve '' is no list"),
        (("-e", "sad", "--curve", "0:1", "-i", "1"), r"Both --intensity and --curve were given; leave one"),
        (("-e", "sad", "--face", "left"), r"--face is 'left'; choose largest, all or a number"),
        (("-e", "sad", "--face", "-1"), r"--face is '-1'; choose"),
        (("-e", "sad", "--colour", "red"), r"^No such option:? '?--colour.*; try `talkedit [a-z-]+ --help`\.$"),
        ((), r"Missing option '--emotion' / '-e'|Missing option '?--emotion"),
    ],
)
@pytest.mark.parametrize("command", ["edit", "export-curves"])
def test_options_out_of_range(talkedit_at_once, talk, contents, command, options, message):
    before = contents()
    done = talkedit_at_once(command, talk, *options)
    assert done.code == 2
    assert_matches(message, done.error)
    assert contents() == before


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--device", "tpu7"), 2, r"There is no device 'tpu7' here; use 'auto', 'cpu' or 'cuda'\."),
        (("--weights", "nowhere"), 1, r"No usable face model at nowhere"),
    ],
)
def test_devices_and_weights_that_are_not_there(talkedit, talk, contents, options, code, message):
    before = contents()
    done = talkedit("edit", talk, "-e", "happy", *options)
    assert done.code == code
    assert_matches(message, done.error)
    assert contents() == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--folds", "1"), r"One fold leaves nobody to learn from"),
        (("--data", "nowhere"), r"There is no folder nowhere; give --data"),
        (("--teacher", "nobody"), r"There is no file nobody; give --teacher"),
        (("--epochs", "0"), r"epochs"),
    ],
)
def test_training_options(talkedit, tmp_path, options, message, contents):
    (tmp_path / "teacher.task").write_bytes(b"x")
    before = contents()
    given = {"--data": tmp_path, "--teacher": tmp_path / "teacher.task", "--out": tmp_path / "out"}
    given |= dict([options])
    done = talkedit("train", "face", *(part for pair in given.items() for part in pair))
    assert done.code == 2
    assert_matches(message, done.error)
    assert contents() == before


def test_commands_that_do_not_exist(talkedit):
    done = talkedit("edti", "talk.mp4")
    assert done.code == 2
    assert_matches(r"No such command '?edti'?.*; try `talkedit --help`\.", done.error)


@pytest.mark.parametrize(
    ("arguments", "code", "kind"),
    [
        (("edit", "none.mp4", "-e", "happy"), 1, "InputNotFoundError"),
        (("edit", "none.mp4", "-e", "hapy"), 2, "OptionError"),
        (("edit", "none.mp4"), 2, "MissingParameter"),
    ],
)
def test_errors_as_json(talkedit_at_once, tmp_path, monkeypatch, arguments, code, kind):
    monkeypatch.chdir(tmp_path)
    done = talkedit_at_once(*arguments, "--json")
    assert (done.code, done.err) == (code, "")
    error = json.loads(done.out)["error"]
    assert error["type"] == kind
    assert len(error["message"]) > 20


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("talk.mp4", r"is the input itself: choose another name\."),
        ("link.mp4", r"is the input itself"),
        ("out.gif", r"A video cannot be written to .*out\.gif: end its name in \.mp4, \.mov, \.mkv\."),
        ("out", r"end its name in"),
        ("none/out.mp4", r"The output folder .*none does not exist: create it first\."),
        ("talk.mp4/out.mp4", r"The output folder .* does not exist"),
        ("/proc/out.mp4", r"The output /proc/out\.mp4 cannot be written"),
        ("x" * 300 + ".mp4", r"its name is too long.*choose a shorter one\."),
    ],
)
def test_outputs_that_cannot_be(talkedit_at_once, talk, contents, monkeypatch, output, message):
    monkeypatch.chdir(talk.parent)
    Path("link.mp4").symlink_to("talk.mp4")
    before = contents()
    done = talkedit_at_once("edit", talk, "-e", "happy", "-o", output, "--force")
    assert done.code == 1
    assert_matches(message, done.error)
    assert contents() == before


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("talk.mp4", r"end its name in \.csv\."),
        ("none/c.csv", r"does not exist: create it first\."),
        ("folder.csv", r"is a directory: name a file in it\."),
    ],
)
def test_curve_files_that_cannot_be(talkedit_at_once, talk, contents, monkeypatch, output, message):
    monkeypatch.chdir(talk.parent)
    Path("folder.csv").mkdir()
    before = contents()
    done = talkedit_at_once("export-curves", talk, "-e", "happy", "-o", output, "--force")
    assert done.code == 1
    assert_matches(message, done.error)
    assert contents() == before


def test_thumbnail_folder_that_cannot_be(talkedit_at_once, talk, contents):
    before = contents()
    done = talkedit_at_once("faces", talk, "--thumbnails", talk)
    assert done.code == 1
    assert_matches(r"is the input itself", done.error)
    done = talkedit_at_once("faces", talk, "--thumbnails", talk.parent / "none" / "people")
    assert_matches(r"does not exist: create it first\.", done.error)
    assert contents() == before


@pytest.fixture
def shared_folder(talking: Path) -> Iterator[Path]:
    """A folder that everybody may read, with the clip in it; the test's own is closed to other users."""
    folder = Path(tempfile.mkdtemp(prefix="talkedit-test-"))
    shutil.copy(talking, folder / "talk.mp4")
    folder.chmod(0o555)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


@contextlib.contextmanager
def ordinary_user() -> Iterator[None]:
    """Root may write anywhere; nobody may not."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_read_only_folder(talkedit_at_once, shared_folder):
    talkedit_at_once("info", shared_folder / "talk.mp4")  # imports what it needs while it may read everything
    with ordinary_user():
        done = talkedit_at_once("edit", shared_folder / "talk.mp4", "-e", "happy")
    assert done.code == 1
    assert_matches(r"talk\.happy\.mp4 cannot be written.*the folder is not writable.*choose another", done.error)
    assert [path.name for path in shared_folder.iterdir()] == ["talk.mp4"]


@contextlib.contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file may grow beyond `size` bytes: to a program, a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("command", ["edit", "export-curves"])
def test_full_folder(talkedit_at_once, talk, contents, command):
    before = contents()
    with room_for(30_000):
        done = talkedit_at_once(command, talk, "-e", "happy")
    assert done.code == 1
    assert_matches(r"cannot be written.*there is no room left.*free some space", done.error)
    assert contents() == before


def test_folder_that_fills_up_on_the_way(talkedit, talk, contents):
    out = talk.with_name("out.mp4")
    out.write_bytes(b"precious")
    assert talkedit("edit", talk, "-e", "happy").code == 0  # and all code is compiled
    before = contents()
    assert len(before["talk.happy.mp4"]) > 90_000
    with room_for(70_000):
        done = talkedit("edit", talk, "-e", "happy", "-o", out, "--force")
    assert done.code == 1
    assert_matches(r"out\.mp4 cannot be written.*there is no room left", done.error)
    assert contents() == before
