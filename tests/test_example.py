from __future__ import annotations

import csv
import importlib
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import av
import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from talkedit_sdk import Editor
from talkedit_sdk.clip import Clip
from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.face.topology import BLENDSHAPES, INDEX, VERTICES
from talkedit_sdk.hub import EMBEDDED
from talkedit_sdk.motion.mouth import CLOSED, lip_gaps
from talkedit_sdk.video.source import open_source
from talkedit_sdk.video.writer import VideoWriter

EXAMPLES = Path(__file__).parents[1] / "examples"
CLIP = EXAMPLES / "talk.mp4"


@pytest.fixture(scope="module")
def visemes() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(EXAMPLES), *sys.path])
        yield importlib.import_module("visemes")


@pytest.fixture(scope="module")
def portrait() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(EXAMPLES), *sys.path])
        yield importlib.import_module("portrait")


@pytest.fixture(scope="module")
def watched() -> Clip:
    return Editor.load(device="cpu").watch(CLIP, progress=False)


@pytest.fixture(scope="module")
def gaps(watched: Clip) -> np.ndarray:
    """(T,) opening of the lips' middle in the shipped clip, model units."""
    track, fit = watched.tracking.faces[0], watched.fits[0]
    landmarks = torch.from_numpy(np.array(track.landmarks[:, :VERTICES], np.float32))
    return lip_gaps(fit.pose.to_model(landmarks))[:, 1:4].mean(1).numpy()


@pytest.fixture(scope="module")
def short_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve frames from the middle of the example at half its size."""
    frames = [cv2.resize(f.rgb, (320, 320), interpolation=cv2.INTER_AREA) for f in open_source(CLIP).frames()][48:60]
    path = tmp_path_factory.mktemp("example") / "short.mp4"
    source = open_source(frames, 25)
    with VideoWriter(path, source) as writer:
        for frame in source.frames():
            writer.write(frame)
    return path


def sounds() -> list[dict[str, str]]:
    with CLIP.with_suffix(".csv").open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def test_clip_is_small_and_plays() -> None:
    assert CLIP.stat().st_size < 1_500_000
    with av.open(str(CLIP)) as container:
        (video,), (audio,) = container.streams.video, container.streams.audio
        assert (video.codec_context.name, video.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert "Synthetic media" in container.metadata["comment"]
        assert audio.codec_context.name == "aac"
        pictures = sum(1 for _ in container.decode(video=0))
        seconds = pictures / float(video.average_rate)
    with av.open(str(CLIP)) as container:
        sound = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
        assert len(sound) / container.streams.audio[0].rate == pytest.approx(seconds, abs=0.15)
    assert 5 <= seconds <= 7
    assert 0.1 < np.abs(sound).max() <= 1


def test_sound_is_heard_where_the_table_says() -> None:
    with av.open(str(CLIP)) as container:
        rate = container.streams.audio[0].rate
        sound = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    begin, end = float(sounds()[0]["begin"]), float(sounds()[-1]["end"])
    times = np.arange(len(sound)) / rate
    inside = (times >= begin) & (times <= end)
    loud = np.sqrt((sound[inside] ** 2).mean())
    assert loud > 0.03
    assert np.sqrt((sound[(times < begin - 0.05) | (times > end + 0.05)] ** 2).mean()) < 0.02 * loud


def test_every_frame_shows_one_face_that_holds_still_enough_to_edit(watched: Clip) -> None:
    (track,) = watched.tracking.faces
    assert track.frames.tolist() == list(range(len(watched.tracking.times)))
    assert not watched.tracking.cuts.any()
    size = track.landmarks[:, :, 0].max(1) - track.landmarks[:, :, 0].min(1)
    assert size.min() > 230


def test_lips_open_wide_and_often(gaps: np.ndarray) -> None:
    assert gaps.max() - gaps.min() > 0.12
    assert 0.2 < (gaps > 0.06).mean() < 0.8
    assert np.abs(np.diff(np.sign(gaps - 0.04))).sum() / 2 >= 8


def test_lips_close_on_each_bilabial_and_open_on_open_vowels(watched: Clip, gaps: np.ndarray) -> None:
    times = watched.tracking.times
    closures = 0
    for sound in sounds():
        begin, end = float(sound["begin"]), float(sound["end"])
        if sound["phoneme"] in {"b", "p", "m"}:
            near = (times > begin - 0.08) & (times < max(begin + 0.03, end - 0.02))
            assert gaps[near].min() < CLOSED, sound
            closures += 1
        if sound["phoneme"] in {"a", "aU", "V", "E"}:
            assert gaps[(times >= begin) & (times <= end)].max() > 0.09, sound
    assert closures >= 6


def test_eyes_blink_and_the_head_moves(watched: Clip) -> None:
    fit = watched.fits[0]
    shut = fit.coefficients[:, INDEX["eyeBlinkLeft"]]
    assert float(shut.max()) - float(shut.median()) > 0.3
    assert float(fit.pose.translation[:, :2].std(0).max()) > 1.0


def run_demo(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["demo.py", *map(str, arguments)])
    runpy.run_path(str(EXAMPLES / "demo.py"), run_name="__main__")


def test_demo_edits_any_clip(
    short_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "new" / "demo"
    run_demo(monkeypatch, short_clip, "--out", folder)
    names = ["happy", "sad", "angry", "surprised", "disgusted", "happy_surprised"]
    assert {path.name for path in folder.iterdir()} == {*(f"{name}.mp4" for name in names), "contact_sheet.png"}
    said = capsys.readouterr().out
    source = np.stack([frame.rgb for frame in open_source(short_clip).frames()]).astype(int)
    for name in names:
        assert str(folder / f"{name}.mp4") in said
        edited = np.stack([frame.rgb for frame in open_source(folder / f"{name}.mp4").frames()])
        assert edited.shape == source.shape
        assert np.abs(edited - source)[:, 100:280, 80:230].mean() > 1.0
    assert "contact_sheet.png" in said
    with Image.open(folder / "contact_sheet.png") as sheet:
        assert min(sheet.size) > 1000
        assert np.asarray(sheet).std() > 20


def test_demo_takes_a_photo(short_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photo = tmp_path / "photo.jpg"
    Image.fromarray(next(iter(open_source(short_clip).frames())).rgb).save(photo)
    run_demo(monkeypatch, photo, "--out", tmp_path / "demo")
    with Image.open(tmp_path / "demo" / "surprised.png") as edited:
        assert edited.size == (320, 320)
    assert (tmp_path / "demo" / "contact_sheet.png").stat().st_size > 10_000


def test_demo_says_in_one_sentence_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = tmp_path / "wall.mp4"
    source = open_source([np.full((120, 160, 3), 90, np.uint8)] * 3, 25)
    with VideoWriter(empty, source) as writer:
        for frame in source.frames():
            writer.write(frame)
    for video, words in ((empty, "No face"), (tmp_path / "missing.mp4", "missing.mp4")):
        with pytest.raises(SystemExit) as stopped:
            run_demo(monkeypatch, video, "--out", tmp_path / "demo")
        assert words in str(stopped.value)
        assert "\n" not in str(stopped.value)
        assert not (tmp_path / "demo").exists()


def test_demo_cannot_write_into_a_file(short_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "demo").write_text("in the way")
    with pytest.raises(SystemExit, match="choose another folder with --out"):
        run_demo(monkeypatch, short_clip, "--out", tmp_path / "demo")
    assert (tmp_path / "demo").read_text() == "in the way"


def say(visemes: Any, *names: str, seconds: float = 0.1) -> tuple[tuple[Any, ...], np.ndarray, np.ndarray]:
    """Phonemes of equal length from 0.3 s, times of 100 frames a second, and the curves."""
    phonemes = tuple(visemes.Phoneme(name, 0.3 + i * seconds, 0.3 + (i + 1) * seconds) for i, name in enumerate(names))
    times = np.arange(0, 0.6 + len(names) * seconds, 0.01)
    return phonemes, times, visemes.mouth_curves(phonemes, times)


def column(curves: np.ndarray, name: str) -> np.ndarray:
    return curves[:, INDEX[name]]


def test_curves_are_coefficients_and_leave_the_eyes_alone(visemes: ModuleType) -> None:
    _, times, curves = say(visemes, *visemes.VISEMES)
    assert curves.shape == (len(times), 52)
    assert curves.min() >= 0
    assert curves.max() <= 1
    others = [i for i, name in enumerate(BLENDSHAPES) if not name.startswith(("jaw", "mouth"))]
    assert not curves[:, others].any()
    assert np.abs(np.diff(curves, axis=0)).max() < 0.2, "no shape may come from one frame to the next"


def test_closures_close_the_lips_of_the_face_model(visemes: ModuleType) -> None:
    model = FaceModel.load(EMBEDDED)
    for name in ("b", "p", "m"):
        phonemes, times, curves = say(visemes, "a", name, "a")
        opening = lip_gaps(model.displacement(torch.from_numpy(curves)))[:, 2].numpy()
        stop = phonemes[1]
        closure = opening[(times > stop.begin - 0.07) & (times < stop.end)].min()
        vowels = [opening[(times > p.begin) & (times < p.end)].max() for p in (phonemes[0], phonemes[2])]
        assert closure < -0.02, name
        assert min(vowels) > closure + 0.08, name


def test_lips_lead_the_sound(visemes: ModuleType) -> None:
    phonemes, times, curves = say(visemes, "t", "u:", "t")
    pucker = column(curves, "mouthPucker")
    before = pucker[np.searchsorted(times, phonemes[1].begin - 0.08)]
    assert 0.2 < before / pucker.max() < 0.95


def test_free_consonants_take_the_shape_of_their_neighbours(visemes: ModuleType) -> None:
    middle = 35
    _, _, between_u = say(visemes, "u:", "t", "u:", seconds=0.1)
    _, _, between_a = say(visemes, "a", "t", "a", seconds=0.1)
    assert column(between_u, "mouthPucker")[middle + 10] > 0.5
    assert column(between_a, "mouthPucker")[middle + 10] < 0.05
    assert column(between_a, "jawOpen")[middle + 10] > column(between_u, "jawOpen")[middle + 10] + 0.1


def test_silence_around_the_words_is_at_rest(visemes: ModuleType) -> None:
    _, _, curves = say(visemes, "a", "u:")
    rest = visemes.SHAPES["rest"].targets
    for frame in (0, -1):
        assert column(curves, "jawOpen")[frame] < 0.02
        assert column(curves, "mouthPucker")[frame] < 0.02
        assert column(curves, "mouthClose")[frame] == pytest.approx(rest["mouthClose"], abs=0.02)


def test_unknown_sound_is_named(visemes: ModuleType) -> None:
    with pytest.raises(ValueError, match="'!x'"):
        say(visemes, "a", "!x")


def test_lids_fall_faster_than_they_rise(visemes: ModuleType) -> None:
    times = np.arange(0, 1, 0.005)
    shut = column(visemes.blinks((0.2,), times), "eyeBlinkRight")
    closed = np.flatnonzero(shut > 0.99)
    assert shut.max() == 1
    assert shut[times < 0.2].max() == 0
    falling, rising = (shut[: closed[0]] > 0.05).sum(), (shut[closed[-1] :] > 0.05).sum()
    assert 1.5 * falling < rising < 60


def test_accents_are_long_vowels_apart(visemes: ModuleType) -> None:
    names = ("t", "aU", "t", "V", "s", "oU", "t", "E")
    lengths = (0.1, 0.3, 0.1, 0.05, 0.4, 0.25, 0.1, 0.2)
    edges = np.cumsum((0.0, *lengths))
    phonemes = [visemes.Phoneme(n, b, e) for n, b, e in zip(names, edges, edges[1:], strict=False)]
    assert visemes.accents(phonemes, 2) == pytest.approx((0.25, 1.075))
    assert len(visemes.accents(phonemes, 9)) == 2, "nothing within 0.7 s of an accent"
    raised = column(visemes.brow_curves((0.5,), np.arange(0, 1, 0.01)), "browOuterUpLeft")
    assert raised.argmax() == 50
    assert raised[[0, -1]].max() == 0


def test_enlarged_picture_shows_what_the_small_one_shows(portrait: ModuleType) -> None:
    rng = np.random.default_rng(3)
    smooth = cv2.GaussianBlur(rng.uniform(0, 255, (60, 60, 3)), (0, 0), 1.0)
    small = np.clip(128 + 3 * (smooth - smooth.mean()), 0, 255).astype(np.uint8)
    large = portrait.enlarge(small, (10, 5, 40), 120)
    plain = cv2.resize(small[5:45, 10:50], (120, 120), interpolation=cv2.INTER_LANCZOS4)
    assert large.shape == (120, 120, 3)

    def misfit(picture: np.ndarray) -> float:
        """How far the camera, which blurs and samples, would be from the small picture."""
        blurred = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), 1.2)
        return float(np.abs(cv2.resize(blurred, (40, 40), interpolation=cv2.INTER_AREA) - small[5:45, 10:50]).mean())

    assert misfit(large) < 0.5 * misfit(plain)
    assert large.astype(float).std() > plain.astype(float).std()


def test_head_moves_before_a_still_background(portrait: ModuleType) -> None:
    rng = np.random.default_rng(5)
    picture = cv2.GaussianBlur(rng.uniform(0, 255, (200, 200, 3)), (0, 0), 2.0).astype(np.uint8)
    landmarks = np.zeros((478, 3), np.float32)
    landmarks[10], landmarks[152] = (100, 70, 0), (100, 110, 0)
    times = np.arange(0, 2, 0.1)
    first, again = (portrait.HeadMotion(times, (1.0,), landmarks, seed=4) for _ in range(2))
    moved = [first.move(picture, index) for index in range(3)]
    assert all(np.array_equal(a, again.move(picture, index)) for index, a in enumerate(moved))
    change = np.abs(moved[2].astype(int) - picture)
    assert change[70:110, 80:120].mean() > 2 * change[:30, :30].mean()
    assert change[:30, :30].mean() < 2
