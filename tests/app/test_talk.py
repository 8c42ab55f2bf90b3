"""The tab that makes faces talk, without a browser: what is asked for, what is refused, and what comes out."""

from __future__ import annotations

import asyncio
import pickle
import wave
from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from PIL import Image

from talkedit_sdk.app import gpu, line
from talkedit_sdk.app.limits import Limits
from talkedit_sdk.app.line import Line, perform, read_out
from talkedit_sdk.app.session import Session
from talkedit_sdk.app.studio import Outcome, Step, Studio, last
from talkedit_sdk.app.talk import Talking
from talkedit_sdk.app.talk_layout import draw_talk
from talkedit_sdk.errors import Cancelled, OptionError, UnreadableInputError
from talkedit_sdk.speech.plan import AUTO
from talkedit_sdk.speech.text import available
from talkedit_sdk.speech.types import Voice
from talkedit_sdk.video.probe import probe

LIMITS = Limits(seconds=3, megabytes=20)


@pytest.fixture(scope="module")
def portrait(tmp_path_factory) -> Path:
    from skimage import data

    path = tmp_path_factory.mktemp("portrait") / "portrait.png"
    Image.fromarray(data.astronaut()[0:240, 104:344]).save(path)
    return path


@pytest.fixture(scope="module")
def hum(tmp_path_factory) -> Path:
    """Half a second of a vowel that comes and goes."""
    return tone(tmp_path_factory.mktemp("hum") / "hum.wav", 0.5)


def tone(path: Path, seconds: float) -> Path:
    time = np.arange(int(16000 * seconds)) / 16000
    samples = sum(np.sin(2 * np.pi * 120 * n * time) / n for n in range(1, 9)) * (1 - np.cos(8 * np.pi * time))
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes((4000 * samples).astype("<i2").tobytes())
    return path


def wish(face: Path, voice: Path, **other) -> Line:
    manner = {"emotion": AUTO, "intensity": 1, "head": 1, "blinks": 15, "badge": True} | other
    return Line.checked(face, voice, **manner)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"emotion": "hapy"}, "did you mean 'happy'"), ({"intensity": 3}, "outside 0 to 1.5"), ({"blinks": -1}, "blink")],
)
def test_mistakes_are_told(portrait, hum, wrong, message):
    with pytest.raises(OptionError, match=message):
        wish(portrait, hum, **wrong)


def test_long_voices_and_other_files_are_refused(portrait, hum, tmp_path):
    wish(portrait, hum).check(LIMITS)
    with pytest.raises(UnreadableInputError, match="lasts 4 seconds, and up to 3 can"):
        wish(portrait, tone(tmp_path / "long.wav", 4)).check(LIMITS)
    with pytest.raises(UnreadableInputError, match="has only sound"):
        wish(hum, hum).check(LIMITS)
    with pytest.raises(UnreadableInputError, match=r"has \d+ MB"):
        wish(portrait, hum).check(Limits(megabytes=0.001))


def test_a_photo_speaks_as_long_as_the_voice(editor, portrait, hum, tmp_path):
    said = pickle.loads(pickle.dumps(wish(portrait, hum, emotion="happy")))  # as for a process with a GPU
    *steps, outcome = perform(editor, said, tmp_path / "said.mp4")
    assert all(isinstance(step, Step) for step in steps)
    assert isinstance(outcome, Outcome)
    info = probe(outcome.path)
    assert (info.width, info.height) == (240, 240)
    assert info.audio_codecs
    assert info.duration == pytest.approx(0.5, abs=0.1)


def test_called_off(editor, portrait, hum, tmp_path):
    stop = tmp_path / "stop"
    stop.touch()
    with pytest.raises(Cancelled):
        last(perform(editor, wish(portrait, hum), tmp_path / "said.mp4", stop))
    assert list(tmp_path.iterdir()) == [stop]


def test_a_gpu_is_asked_for_as_long_as_it_takes(portrait, talking, tmp_path):
    long = tone(tmp_path / "long.wav", 20)
    photo, video = (gpu.seconds_to_speak(wish(face, long), tmp_path) for face in (portrait, talking))
    assert 15 < photo < video < 60


def test_text_is_read_into_a_file(monkeypatch, tmp_path):
    monkeypatch.setattr(line, "say", lambda text, voice: (Voice(np.full(1600, 0.5, np.float32)), ()))
    with wave.open(str(read_out("Hello", "en", tmp_path / "a.wav"))) as file:
        assert (file.getframerate(), file.getnframes()) == (16000, 1600)
        assert abs(np.frombuffer(file.readframes(9), "<i2") - 16384).max() < 2
    for text, message in ((" \n", "write a sentence"), ("a" * 1001, "1001 characters")):
        with pytest.raises(OptionError, match=message):
            read_out(text, "en", tmp_path / "b.wav")


@pytest.fixture
def blocks(monkeypatch) -> Iterator[gr.Blocks]:
    """A page to draw on. Gradio makes event loops for it that it leaves open."""
    make, loops = asyncio.new_event_loop, []

    def kept() -> asyncio.AbstractEventLoop:
        loops.append(make())
        return loops[-1]

    monkeypatch.setattr(asyncio, "new_event_loop", kept)
    with gr.Blocks() as page:
        yield page
    asyncio.set_event_loop(None)
    for loop in loops:
        loop.close()


class Fake:
    """Gives back the first lines of what it is asked for."""

    def __init__(self, outcome: Outcome | Exception) -> None:
        self.outcome, self.lines = outcome, []

    def __call__(self, said, target, stop_file):
        self.lines.append(said)
        yield Step(None, 3, None)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        yield self.outcome


@pytest.fixture(scope="module")
def outcome(editor, talking, tmp_path_factory) -> Outcome:
    from talkedit_sdk.app.wish import Wish

    studio = Studio(editor, LIMITS)
    clip = last(studio.watch(talking))
    return last(studio.render(clip, Wish.checked("happy", 1, 0.5, "largest"), tmp_path_factory.mktemp("o") / "a.mp4"))


@pytest.fixture
def tab(outcome, blocks, monkeypatch, tmp_path):
    """The handlers of a page, the page, and what they ask the SDK for."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "cache"))
    fake = Fake(outcome)
    page = draw_talk(LIMITS)
    talking = Talking(page, fake, LIMITS)
    talking.connect()
    return talking, page, fake


def given(photo=None, video=None, by_photo=True, audio=None, text=None):
    files = [None if path is None else {"path": str(path)} for path in (photo, video, audio)]
    return [by_photo, files[0], files[1], text is not None, files[2], text, "en", "+f3", AUTO, 1, 1, 15, True]


def play(tab, values, before=None) -> tuple[Session | None, list[dict]]:
    talking, page, _ = tab
    begun = talking.start(before, *values)
    session = begun[page.session]
    return session, [begun, *(u for u in talking.speak(session, *values) if isinstance(u, dict))]


def notice(page, updates) -> str:
    return next(u[page.notice].value for u in reversed(updates) if page.notice in u)


def test_what_is_in_front_counts(tab, portrait, talking, hum):
    _, page, fake = tab
    session, updates = play(tab, given(portrait, talking, audio=hum))
    assert updates[-1][page.results].visible
    assert Path(updates[-1][page.film]["path"]) == fake.outcome.path
    assert updates[1][page.bar]["text"].startswith("Making it talk: 3 frames")
    assert updates[-1][page.bar] is None
    other, _ = play(tab, given(portrait, talking, by_photo=False, audio=hum))
    assert [said.face.suffix for said in fake.lines] == [".png", ".mp4"]
    assert all(said.voice.read_bytes() == hum.read_bytes() for said in fake.lines)
    for each in (session, other):
        each.close()
        assert not each.folder.exists()


def test_again_with_the_same_uploads(tab, portrait, hum, tmp_path):
    uploads = [tmp_path / "cache" / name / source.name for name, source in (("a", portrait), ("b", hum))]
    for copy, source in zip(uploads, (portrait, hum), strict=True):
        copy.parent.mkdir(parents=True)
        copy.write_bytes(source.read_bytes())
    first, _ = play(tab, given(uploads[0], audio=uploads[1]))
    second, updates = play(tab, given(uploads[0], audio=uploads[1]), first)
    assert updates[-1][tab[1].results].visible
    assert not first.open
    second.close()
    assert not any(upload.exists() for upload in uploads)


def test_what_is_missing_is_asked_for(tab, portrait, hum, monkeypatch):
    _, page, fake = tab
    for values, message in (
        (given(audio=hum), "no face yet"),
        (given(portrait, by_photo=False, audio=hum), "no face yet"),
        (given(portrait), "upload or record a voice"),
        (given(portrait, text="  "), "write a sentence"),
    ):
        _, updates = play(tab, values)
        assert message in notice(page, updates)
    assert fake.lines == []


def test_text_takes_the_place_of_a_recording(tab, portrait, hum, monkeypatch):
    _, _, fake = tab
    asked = []
    monkeypatch.setattr(line, "say", lambda *given: (asked.append(given), (Voice(np.zeros(8000, np.float32)), ()))[1])
    session, _ = play(tab, given(portrait, audio=hum, text="Hello"))
    assert asked == [("Hello", "en+f3")]
    assert fake.lines[0].voice.name == "text.wav"
    session.close()


def test_errors_name_the_files_of_the_visitor(tab, portrait, tmp_path):
    _, page, fake = tab
    silent = tmp_path / "my voice.wav"
    silent.write_bytes(b"no sound\n" * 99)
    _, updates = play(tab, given(portrait, audio=silent))
    assert "my voice.wav" in notice(page, updates)
    fake.outcome = RuntimeError("deep inside")
    good = tone(tmp_path / "good.wav", 0.3)
    _, updates = play(tab, given(portrait, audio=good))
    assert "not your fault" in notice(page, updates)


def test_without_espeak_there_is_no_text(blocks, monkeypatch):
    from talkedit_sdk.app import talk_layout

    monkeypatch.setattr(talk_layout, "available", lambda: False)
    draw_talk(LIMITS)
    tabs = {block.label: block.visible for block in blocks.blocks.values() if isinstance(block, gr.Tab)}
    assert tabs["Sound"]
    assert not tabs["Text"]


@pytest.mark.skipif(not available(), reason="needs eSpeak NG: apt-get install espeak-ng")
def test_languages_are_those_of_espeak(blocks):
    page = draw_talk(LIMITS)
    assert ("German", "de") in page.script.language.choices
