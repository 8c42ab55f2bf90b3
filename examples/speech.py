"""Speech with phoneme times from eSpeak NG, through its C library.

The library calls back with blocks of samples and events; the phoneme events carry the sample at which each sound begins
(espeak-ng, `speak_lib.h`). Needs the Debian package `espeak-ng`, which brings `libespeak-ng.so.1`.
"""

from __future__ import annotations

import ctypes
from ctypes import CFUNCTYPE, POINTER, Structure, Union, c_char, c_char_p, c_int, c_short, c_size_t, c_uint, c_void_p
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from visemes import Phoneme

_SYNCHRONOUS: Final = 2  # AUDIO_OUTPUT_SYNCHRONOUS
_PHONEME_EVENTS: Final = 0x0001
_RETURN_ON_ERROR: Final = 0x8000
_PHONEME: Final = 7
_POSITION_CHARACTER, _UTF8, _RATE, _PITCH, _RANGE = 1, 1, 1, 3, 4


class _EventId(Union):
    _fields_ = (("number", c_int), ("name", c_char_p), ("string", c_char * 8))


class _Event(Structure):
    _fields_ = (
        ("type", c_int), ("unique_identifier", c_uint), ("text_position", c_int), ("length", c_int),
        ("audio_position", c_int), ("sample", c_int), ("user_data", c_void_p), ("id", _EventId),
    )  # fmt: skip


@dataclass(frozen=True)
class Speech:
    """A spoken sentence: `samples` (N,) int16 mono at `rate` per second, and its sounds in order."""

    samples: NDArray[np.int16]
    rate: int
    phonemes: tuple[Phoneme, ...]


def speak(text: str, voice: str, words_per_minute: int, pitch: int, pitch_range: int) -> Speech:
    """Synthesises a sentence.

    Args:
        text: what to say.
        voice: language and variant, such as "en-us+f3".
        words_per_minute: 80 to 450; pitch, pitch_range: 0 to 100.

    Raises:
        RuntimeError: eSpeak NG is not installed or has no such voice.
    """
    try:
        library: Any = ctypes.CDLL("libespeak-ng.so.1")
    except OSError:
        raise RuntimeError("eSpeak NG is not installed; on Debian and Ubuntu: apt-get install espeak-ng.") from None
    rate = library.espeak_Initialize(_SYNCHRONOUS, 0, None, _PHONEME_EVENTS | _RETURN_ON_ERROR)
    if rate <= 0 or library.espeak_SetVoiceByName(voice.encode()) != 0:
        raise RuntimeError(f"eSpeak NG has no voice '{voice}'; see espeak-ng --voices and --voices=variant.")
    blocks: list[NDArray[np.int16]] = []
    starts: list[tuple[str, float]] = []

    def collect(samples: Any, count: int, events: Any) -> int:
        if samples and count > 0:
            blocks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        index = 0
        while events[index].type:
            if events[index].type == _PHONEME:
                starts.append((events[index].id.string.decode(), events[index].sample / rate))
            index += 1
        return 0

    callback = CFUNCTYPE(c_int, POINTER(c_short), c_int, POINTER(_Event))(collect)
    library.espeak_SetSynthCallback(callback)
    for parameter, value in ((_RATE, words_per_minute), (_PITCH, pitch), (_RANGE, pitch_range)):
        library.espeak_SetParameter(parameter, value, 0)
    said = text.encode()
    library.espeak_Synth(
        said, c_size_t(len(said) + 1), c_uint(0), _POSITION_CHARACTER, c_uint(0), c_uint(_UTF8), None, None
    )
    library.espeak_Synchronize()
    library.espeak_Terminate()
    samples = np.concatenate(blocks)
    ends = [begin for _, begin in starts[1:]] + [len(samples) / rate]
    phonemes = (Phoneme(name, begin, end) for (name, begin), end in zip(starts, ends, strict=True))
    return Speech(samples, rate, tuple(phoneme for phoneme in phonemes if phoneme.name and phoneme.end > phoneme.begin))
