from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from talkedit_sdk.errors import OptionError
from talkedit_sdk.speech import text
from talkedit_sdk.speech.features import ENERGY, features
from talkedit_sdk.speech.text import available, say, voices
from talkedit_sdk.speech.types import RATE

needs_espeak = pytest.mark.skipif(not available(), reason="eSpeak NG is not installed")


@needs_espeak
def test_phonemes_follow_the_sound():
    voice, phones = say("Bob's mom may buy five blue shoes.", "en-US", 150)
    assert phones[0].begin == 0
    assert phones[-1].end == pytest.approx(voice.duration, abs=0.01)
    assert all(one.end == other.begin for one, other in pairwise(phones))
    spoken = [phone for phone in phones if not phone.symbol.startswith("_")]
    assert [phone.symbol[0] for phone in spoken[:4]] == ["b", "0", "b", "z"]
    assert {phone.symbol[0] for phone in spoken if phone.stress == 2} <= set("0aeiuAEIOU3")
    assert sum(phone.stress == 2 for phone in spoken) >= 4
    loud = features(voice)[:, ENERGY]
    vowels = [loud[int((p.begin + p.end) / 2 * RATE)] for p in spoken if p.symbol[0] in "0aeiu"]
    assert float(np.median(vowels)) > float(loud.median())


@needs_espeak
def test_stops_of_the_lips_are_silent_before_the_time_of_their_burst():
    voice, phones = say("A puppy copied a pepper cake.", "en-US", 150)
    power = np.convolve(voice.samples**2, np.ones(160) / 160, "same")
    bursts = [int(p.begin * voice.rate) for p in phones[2:] if p.symbol == "p"]
    assert bursts
    before = np.median([power[burst - 320] for burst in bursts])
    assert before < 0.02 * np.median([power[burst + 80] for burst in bursts])


@needs_espeak
def test_rate_and_language_are_heard():
    slow, fast = (say("Many people live here.", "en", rate)[0].duration for rate in (100, 220))
    assert slow > 1.4 * fast
    assert {"en", "de", "fr", "es"} <= set(voices())
    english, german = ([p.symbol for p in say("Buch und Baum", voice)[1]] for voice in ("en", "de+f3"))
    assert english != german


@needs_espeak
@pytest.mark.parametrize(
    "hostile", ["-w /tmp/x", "$(touch x)`id`; rm -rf .", "<mark name='x'/> [[hello]]", "a\0b\n\x1b[0m"]
)
def test_text_is_only_text(hostile, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    voice, phones = say(hostile)
    assert voice.duration > 0.1
    assert phones
    assert not list(tmp_path.iterdir())


@needs_espeak
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("",), "characters"), (("x" * 20_001,), "characters"), (("x", "no-such"), "no-such"),
        (("x", "en", 10), "rate"), (("x", "en", 160, 120), "pitch"), (("x", "en", 160, 50, -1), "range"),
        (("x", "../../etc/passwd"), "passwd"),
    ],
)  # fmt: skip
def test_mistakes(arguments, message):
    with pytest.raises(OptionError, match=message):
        say(*arguments)


@pytest.mark.parametrize("voice", ["../lang/gmw/en", "gmw/en", "en+../x", "", "en\n", "x" * 99])
def test_a_voice_is_a_name_and_no_path(voice):
    with pytest.raises(OptionError, match="no voice"):
        say("hello", voice)


def test_without_espeak_it_is_said_what_to_install(monkeypatch, tmp_path):
    missing = tmp_path / "espeak.py"
    missing.write_text("import sys; sys.exit(3)")
    monkeypatch.setattr(text, "__file__", str(tmp_path / "text.py"))
    text.available.cache_clear()
    text.voices.cache_clear()
    try:
        assert not available()
        with pytest.raises(OptionError, match="espeak-ng"):
            say("hello")
    finally:
        text.available.cache_clear()
        text.voices.cache_clear()
