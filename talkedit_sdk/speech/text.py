"""Text as speech, by eSpeak NG where it is installed: sound, and which phoneme is when."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from talkedit_sdk.errors import OptionError
from talkedit_sdk.speech.audio import resampled
from talkedit_sdk.speech.espeak import NO_VOICE
from talkedit_sdk.speech.types import Phone, Voice

MAX_CHARACTERS: Final = 20_000
RATES: Final = (80, 450)
"""Words a minute."""

_VOICE: Final = re.compile(r"[A-Za-z0-9_+-]{1,64}")  # no path: the library would read any file as a voice
_MAX_SECONDS: Final = 3600
_TIMEOUT: Final = 120.0
_LOOKAHEAD: Final = 12  # characters of the transcription within which a phoneme is looked for
_STRESS: Final = {"'": 2, ",": 1}
_UNKNOWN_VOICE: Final = "eSpeak NG has no voice '{}'; give a language such as en, de or fr."
_INSTALL: Final = (
    "eSpeak NG is not installed: install it (Debian and Ubuntu: apt-get install espeak-ng) or give a sound."
)


def say(
    text: str, voice: str = "en", rate: int = 160, pitch: int = 50, pitch_range: int = 50
) -> tuple[Voice, tuple[Phone, ...]]:
    """Speaks a text.

    Args:
        text: at most `MAX_CHARACTERS`.
        voice: one of `voices()`, with a variant if wanted, such as "en+f3".
        rate: words a minute.
        pitch: 0 to 99, 50 as the voice is made.
        pitch_range: 0 (monotonous) to 99.

    Returns:
        The sound, and its phonemes in order without holes, pauses ("_") at both ends.

    Raises:
        OptionError: eSpeak NG is missing or has no such voice, or an argument is out of range.
    """
    if not 0 < len(text.strip()) <= MAX_CHARACTERS:
        raise OptionError(f"The text has {len(text)} characters; give 1 to {MAX_CHARACTERS} that can be spoken.")
    for name, value, (low, high) in (("rate", rate, RATES), ("pitch", pitch, (0, 99)), ("range", pitch_range, (0, 99))):
        if not low <= value <= high:
            raise OptionError(f"The {name} of speech is {value}; give {low} to {high}.")
    if not _VOICE.fullmatch(voice):
        raise OptionError(_UNKNOWN_VOICE.format(voice))
    request = {"text": text.replace("\0", " "), "voice": voice, "rate": rate, "pitch": pitch, "range": pitch_range}
    head, sound = _ask(request | {"longest": _MAX_SECONDS})
    samples = np.frombuffer(sound[: len(sound) // 2 * 2], "<i2").astype(np.float32) / 2**15
    if not len(samples):
        raise OptionError("There is nothing in the text that can be spoken; give words in the language of the voice.")
    return resampled(samples, head["rate"]), _phones(head, len(samples) / head["rate"])


@cache
def available() -> bool:
    """Whether eSpeak NG is installed and works."""
    try:
        return bool(voices())
    except OptionError:
        return False


@cache
def voices() -> tuple[str, ...]:
    """Languages that can be spoken, as `say` takes them.

    Raises:
        OptionError: eSpeak NG is missing.
    """
    return tuple(_ask({})[0]["voices"])


def _ask(request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """What `espeak.py` answers: its header, and the bytes that follow."""
    script = Path(__file__).with_name("espeak.py")
    try:
        answer = subprocess.run(  # the request goes over stdin: no shell, no argument that a text could become
            [sys.executable, "-I", "-S", str(script)],
            input=json.dumps(request).encode(),
            capture_output=True,
            timeout=_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise OptionError("eSpeak NG did not finish; give a shorter text.") from None
    except OSError:
        raise OptionError(_INSTALL) from None
    if answer.returncode == NO_VOICE:
        raise OptionError(_UNKNOWN_VOICE.format(request["voice"]))
    if answer.returncode != 0:
        raise OptionError(_INSTALL if not request or not available() else "eSpeak NG failed; give another text.")
    head, _, sound = answer.stdout.partition(b"\n")
    return json.loads(head), sound


def _phones(head: dict[str, Any], duration: float) -> tuple[Phone, ...]:
    """Phonemes from their beginnings; marks such as "(en)" and sounds without length are none."""
    starts = [(name, sample / head["rate"]) for name, sample in head["phonemes"] if name and not name.startswith("(")]
    starts = [("_", 0.0), *starts] if not starts or starts[0][1] > 0 else starts
    ends = [begin for _, begin in starts[1:]] + [duration]
    phones, position, transcription = [], 0, head["transcription"]
    for (name, begin), end in zip(starts, ends, strict=True):
        found = -1 if name.startswith("_") else transcription.find(name, position, position + _LOOKAHEAD + len(name))
        stress = 0
        if found >= 0:
            stress = max((_STRESS.get(mark, 0) for mark in transcription[position:found]), default=0)
            position = found + len(name)
        if end > begin:
            phones.append(Phone(name, begin, end, stress))
    return tuple(phones)
