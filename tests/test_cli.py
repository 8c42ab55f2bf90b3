"""The command line on good input: what it writes, what it prints, and what it does on a terminal."""

from __future__ import annotations

import csv
import json
import os
import pty
import re
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from talkedit_sdk.editor import Editor
from talkedit_sdk.emotion import Emotion
from talkedit_sdk.errors import OptionError
from talkedit_sdk.face.topology import BLENDSHAPES
from talkedit_sdk.options import edit_targets
from talkedit_sdk.report import REASONS, EditReport
from talkedit_sdk.tables import report_json
from talkedit_sdk.video.photo import read_photo
from talkedit_sdk.video.probe import probe

COMMAND = [sys.executable, "-m", "talkedit_sdk"]


def test_help_is_quick_and_imports_nothing_heavy():
    program = (
        "import sys; from talkedit_sdk.cli import run; code = run(['--help']);"
        "sys.exit(code or {'torch', 'cv2', 'mediapipe', 'numba'} & set(sys.modules) or 0)"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert (done.returncode, done.stderr) == (0, "")
    for command in ("edit", "faces", "export-curves", "info", "train"):
        assert re.search(rf"^\W*{command} ", done.stdout, re.MULTILINE)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.6


@pytest.mark.parametrize(
    "arguments",
    [("--help",), (), ("edit", "--help"), ("export-curves", "--help"), ("train", "face", "--help")],
)
def test_help_has_examples(talkedit, arguments):
    done = talkedit(*arguments)
    assert (done.code, done.err) == (0, "")
    assert "\n talkedit " in done.out


def test_version(talkedit):
    done = talkedit("--version")
    assert (done.code, done.out, done.err) == (0, f"talkedit {version('talkedit')}\n", "")


def test_edit_writes_beside_the_input(talkedit, talk, contents, decode):
    before = contents()
    done = talkedit("edit", talk, "-e", "sorrow", "--mouth-weight", "0")
    out = talk.with_name("talk.sad.mp4")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[0] == str(out)
    assert "25 of 25 frames edited" in done.out
    after = contents()
    assert after.pop("talk.sad.mp4")
    assert after == before
    source, edited = decode(talk), decode(out)
    assert len(edited) == len(source) == 25
    change = np.abs(np.stack(edited).astype(int) - np.stack(source)).mean((0, 3))
    assert change[90:150, 70:154].mean() > 3 * change[:20].mean()
    with av.open(str(out)) as container:
        assert [s.codec_context.name for s in container.streams] == ["h264", "aac"]
        assert "sad" in container.metadata["comment"]


def test_edit_several_emotions_into_a_folder(talkedit, talk, tmp_path, decode):
    (tmp_path / "results").mkdir()
    done = talkedit(
        "edit", talk, "-e", "happy", "-e", "sad:1,angry:1", "-e", "smile", "-o", tmp_path / "results", "--json"
    )
    assert (done.code, done.err) == (0, "")
    result = json.loads(done.out)
    assert result["input"] == str(talk)
    names = ["talk.happy.mp4", "talk.sad50-angry50.mp4"]
    assert [Path(output["path"]).name for output in result["outputs"]] == names
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == names
    assert [output["emotion"] for output in result["outputs"]] == ["happy", "sad 50 % + angry 50 %"]
    assert all(output["edited_frames"] == output["frames"] == 25 for output in result["outputs"])
    happy, angry = (np.stack(decode(tmp_path / "results" / name)).astype(int) for name in names)
    assert np.abs(happy - angry)[:, 60:170, 60:170].mean() > 1


def test_edit_by_a_curve_tells_what_it_skipped(talkedit, talk):
    done = talkedit("edit", talk, "-e", "sad", "--curve", "0:0,0.5:0,0.5:1")
    assert (done.code, done.err) == (0, "")
    assert "12 of 25 frames edited" in done.out
    assert "0.00 to 0.48 s: intensity 0 (13 frames)" in done.out


def test_report_as_json():
    times, strength = np.arange(5) / 25, np.array([0, 0.5, 1, 1, 0], np.float32)
    reasons = np.array([REASONS.index(r) for r in ("no face", "fading", "edited", "edited", "no face")], np.int8)
    report = EditReport(2, (1,), times, strength, reasons, ("One note.",))
    assert report_json(report) == {
        "frames": 5,
        "edited_frames": 3,
        "faces": 2,
        "edited_faces": [1],
        "skipped": [
            {"reason": "no face", "begin": 0.0, "end": 0.0, "frames": 1},
            {"reason": "fading", "begin": 0.04, "end": 0.04, "frames": 1},
            {"reason": "no face", "begin": 0.16, "end": 0.16, "frames": 1},
        ],
        "notes": ["One note."],
    }


def test_edit_replaces_a_result_only_by_force(talkedit, talk):
    out = talk.with_name("out.mp4")
    out.write_bytes(b"precious")
    refused = talkedit("edit", talk, "-e", "happy", "-o", out)
    assert refused.code == 1
    assert refused.error.endswith("out.mp4 exists already: add --force to replace it, or choose another name with -o.")
    assert out.read_bytes() == b"precious"
    forced = talkedit("edit", talk, "-e", "happy", "-o", out, "--force", "--quiet")
    assert (forced.code, forced.out, forced.err) == (0, f"{out}\n", "")
    assert probe(out).frame_count == 25


def test_edit_a_photo(talkedit, make_heads, tmp_path):
    photo = tmp_path / "me.JPG"
    Image.fromarray(next(make_heads(1))).save(photo, format="JPEG", quality=95)
    done = talkedit("edit", photo, "-e", "surprised", "--intensity", "1.5")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"{tmp_path / 'me.surprised.JPG'}\n1 of 1 frames edited")
    before, after = (read_photo(path).astype(int) for path in (photo, tmp_path / "me.surprised.JPG"))
    assert np.abs(after - before)[60:170, 60:170].mean() > 2


def test_names_of_results(talk, make_video, make_heads, tmp_path):
    webm = make_video(tmp_path / "a.b.mkv", make_heads(2)).rename(tmp_path / "a.b.webm")
    bmp = tmp_path / "p.bmp"
    Image.new("RGB", (64, 64)).save(bmp)
    happy, mixed = Emotion.parse("happy"), Emotion.parse("happy:7,sad:3")
    assert edit_targets(probe(webm), [happy, mixed], None, False) == [
        tmp_path / "a.b.happy.mp4",
        tmp_path / "a.b.happy70-sad30.mp4",
    ]
    assert edit_targets(probe(bmp), [happy], None, False) == [tmp_path / "p.happy.png"]
    with pytest.raises(OptionError, match="2 emotions cannot share"):
        edit_targets(probe(talk), [happy, mixed], tmp_path / "one.mp4", False)
    with pytest.raises(OptionError, match="share a name"):
        edit_targets(probe(talk), [mixed, Emotion.parse("happy:0.7001,sad:0.3")], None, False)


def test_faces_in_a_table_with_thumbnails(talkedit, talk, tmp_path):
    done = talkedit("faces", talk, "--thumbnails", tmp_path / "people")
    assert (done.code, done.err) == (0, "")
    assert re.search(r"│ 0 +│ 100% +│ 0\.00 s +│ 0\.96 s", done.out)
    assert done.out.endswith("talk.face0.png\n")
    assert [path.name for path in (tmp_path / "people").iterdir()] == ["talk.face0.png"]
    with Image.open(tmp_path / "people" / "talk.face0.png") as picture:
        assert picture.size == (160, 160)


def test_faces_as_json(talkedit, talk, contents):
    before = contents()
    result = json.loads(talkedit("faces", talk, "--json").out)
    (face,) = result["faces"]
    box = face["box"]
    assert (face["index"], face["share"], face["begin"]) == (0, 1.0, 0.0)
    assert abs(box["left"] + box["width"] / 2 - 112) < 20
    assert 90 < box["height"] < 180
    assert result["thumbnails"] == []
    assert contents() == before


def test_export_curves(talkedit, talk):
    done = talkedit("export-curves", talk, "-e", "sad", "-m", "0", "--face", "all")
    path = talk.with_name("talk.sad.csv")
    assert (done.code, done.out, done.err) == (0, f"{path}\n", "")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:4] == ["face", "frame", "time", f"before_{BLENDSHAPES[0]}"]
    assert len(rows[0]) == 3 + 2 * 52
    assert [int(row["frame"]) for row in rows] == list(range(25))
    assert [float(row["time"]) for row in rows] == pytest.approx([index / 25 for index in range(25)])
    values = {name: np.array([float(row[name]) for row in rows]) for name in list(rows[0])[3:]}
    assert all(((value >= 0) & (value <= 1)).all() for value in values.values())
    assert (values["after_mouthSmileLeft"] < values["before_mouthSmileLeft"]).all()  # she smiles
    again = json.loads(talkedit("export-curves", talk, "-e", "sad", "-o", path, "--force", "--json").out)
    assert (again["path"], again["rows"]) == (str(path), 25)


def test_info_of_a_file(talkedit, talk):
    result = json.loads(talkedit("info", talk, "--json").out)
    assert (result["kind"], result["width"], result["height"], result["fps"]) == ("video", 224, 224, 25)
    assert (result["codec"], result["audio"], result["frames"]) == ("h264", ["aac"], 25)
    told = talkedit("info", talk)
    assert (told.code, told.err) == (0, "")
    assert re.search(r"^audio +aac$", told.out, re.MULTILINE)


def test_info_of_the_installation(talkedit):
    result = json.loads(talkedit("info", "--json").out)
    assert result["talkedit"] == version("talkedit")
    assert result["torch"] == version("torch")
    assert result["weights"]["format"] == 1
    assert "blendshapes" not in result["weights"]
    assert f"python                  {sys.version.split()[0]}\n" in talkedit("info").out


def test_train_face_hands_its_options_on(talkedit, tmp_path, monkeypatch):
    from talkedit_sdk.training import face

    seen = {}

    def train(data, teacher, out, cache, epochs, folds, seed, say):
        seen.update(locals())
        say("learning")
        return {"fitted_mean": 0.9}

    monkeypatch.setattr(face, "train_from_folder", train)
    (tmp_path / "teacher.task").write_bytes(b"x")
    options = ("--data", tmp_path, "--teacher", tmp_path / "teacher.task", "--out", tmp_path / "new", "--epochs", "3")
    done = talkedit("train", "face", *options, "--json")
    assert (done.code, done.err) == (0, "learning\n")
    assert json.loads(done.out) == {"out": str(tmp_path / "new"), "measured": {"fitted_mean": 0.9}}
    assert (seen["data"], seen["epochs"], seen["folds"], seen["seed"]) == (tmp_path, 3, 8, 0)
    assert seen["cache"] == tmp_path / "new.cache"


def test_unexpected_errors_are_one_line_too(talkedit, talk, monkeypatch):
    def load(*_: object, **__: object) -> Editor:
        raise RuntimeError("a pipe\nburst")

    monkeypatch.setattr(Editor, "load", load)
    done = talkedit("edit", talk, "-e", "sad")
    assert done.code == 1
    assert done.error == (
        "Unexpected RuntimeError (a pipe burst); this is a fault in talkedit, and "
        f"`talkedit --debug edit {talk} -e sad` shows where."
    )
    told = talkedit("--debug", "edit", talk, "-e", "sad")
    assert told.code == 1
    assert "Traceback" in told.err
    assert "burst" in told.err
    result = json.loads(talkedit("edit", talk, "-e", "sad", "--json").out)
    assert result["error"]["type"] == "RuntimeError"


def on_terminal(arguments: list[object], when: Callable[[bytes], bool] = lambda seen: False) -> tuple[int, str, str]:
    """Runs the real command with its standard error on a terminal; sends Ctrl-C once `when` is true of what appeared.

    Returns the exit code, standard output, and what the terminal showed.
    """
    ours, theirs = pty.openpty()
    command = [*COMMAND, *map(str, arguments)]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, env=environment) as process:
        os.close(theirs)
        shown = b""

        def watch() -> None:
            nonlocal shown
            asked = False
            while True:
                try:
                    shown += os.read(ours, 65536)
                except OSError:  # the other end is closed
                    return
                if not asked and when(shown):
                    asked = True
                    process.send_signal(signal.SIGINT)

        thread = threading.Thread(target=watch)
        thread.start()
        assert process.stdout is not None
        out = process.stdout.read().decode()
        code = process.wait(120)
        thread.join()
    os.close(ours)
    return code, out, re.sub(r"\x1b\[[?0-9;]*[a-zA-Z]", "", shown.decode())


def lines(terminal: str, *labels: str) -> list[str]:
    """What a terminal showed, without the progress bars."""
    return [line for line in re.split(r"[\r\n]+", terminal) if line.strip() and not line.startswith(labels)]


def test_on_a_terminal_there_is_a_bar_and_no_foreign_line(talk):
    code, out, terminal = on_terminal(["edit", talk, "-e", "fearful", "--json"])
    assert (code, lines(terminal, "Finding faces", "Editing, fearful")) == (0, [])
    assert json.loads(out)["outputs"][0]["path"] == str(talk.with_name("talk.fearful.mp4"))
    assert re.search(r"Finding faces.*/25 frames", terminal)
    assert re.search(r"Editing, fearful.*/25 frames", terminal)


def test_ctrl_c_leaves_nothing_behind(talk, contents, make_video, make_heads):
    make_video(talk, make_heads(100))
    before = contents()
    code, out, terminal = on_terminal(["edit", talk, "-e", "happy"], lambda seen: b"Editing, happy" in seen)
    told = lines(terminal, "Finding faces", "Editing")
    assert (code, out, told) == (130, "", ["error: Cancelled; no unfinished file was left behind."])
    assert contents() == before


def test_reader_that_goes_away(talk):
    with subprocess.Popen(
        [*COMMAND, "info", str(talk), "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 1
