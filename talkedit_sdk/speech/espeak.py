"""Runs eSpeak NG's C library in a process of its own: a request as JSON on stdin, phonemes and sound on stdout.

The command-line program tells what it says but not when; the library calls back with blocks of samples and with events
that carry the sample at which each sound begins (`speak_lib.h`). `text.py` starts this file as a plain script, so that
whatever the library does, it does not do it to us; it needs nothing but the standard library.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import json
import sys
from contextlib import suppress
from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    Union,
    byref,
    c_char,
    c_char_p,
    c_int,
    c_short,
    c_size_t,
    c_ubyte,
    c_uint,
    c_void_p,
    string_at,
)
from typing import Any

NO_LIBRARY, NO_VOICE = 3, 4
"""Exit codes."""

_SYNCHRONOUS = 2  # AUDIO_OUTPUT_SYNCHRONOUS
_PHONEME_EVENTS, _RETURN_ON_ERROR = 0x0001, 0x8000
_PHONEME = 7
_CHARACTERS, _UTF8 = 1, 1
_PARAMETERS = {"rate": 1, "pitch": 3, "range": 4}
_NAMES = ("libespeak-ng.so.1", "libespeak-ng.dylib", "libespeak-ng.dll", "libespeak-ng.so")


class _EventId(Union):
    _fields_ = (("number", c_int), ("name", c_char_p), ("string", c_char * 8))


class _Event(Structure):
    _fields_ = (
        ("type", c_int), ("unique_identifier", c_uint), ("text_position", c_int), ("length", c_int),
        ("audio_position", c_int), ("sample", c_int), ("user_data", c_void_p), ("id", _EventId),
    )  # fmt: skip


class _Voice(Structure):
    _fields_ = (
        ("name", c_char_p), ("languages", c_char_p), ("identifier", c_char_p), ("gender", c_ubyte), ("age", c_ubyte),
        ("variant", c_ubyte), ("unused", c_ubyte), ("score", c_int), ("spare", c_void_p),
    )  # fmt: skip


def _library() -> Any:
    for name in (*_NAMES, ctypes.util.find_library("espeak-ng") or ""):
        with suppress(OSError):
            return ctypes.CDLL(name) if name else sys.exit(NO_LIBRARY)
    sys.exit(NO_LIBRARY)


def _voices(library: Any) -> list[str]:
    """Names by which languages can be chosen: the files that describe them."""
    library.espeak_ListVoices.restype = POINTER(POINTER(_Voice))
    found, index, names = library.espeak_ListVoices(None), 0, []
    while found[index]:
        names.append((found[index].contents.identifier or b"").decode("utf-8", "replace"))
        index += 1
    return sorted({name.rpartition("/")[2] for name in names if not name.startswith("mb/")})


def _transcription(library: Any, text: bytes) -> str:
    """Phonemes with marks of stress, which the events lack."""
    library.espeak_TextToPhonemes.restype = c_char_p
    rest, clauses = c_char_p(text), []
    while rest.value:
        clauses.append((library.espeak_TextToPhonemes(byref(rest), _UTF8, 0) or b"").decode("utf-8", "replace"))
    return " ".join(clauses)


def _spoken(library: Any, text: bytes, longest: int) -> tuple[list[tuple[str, int]], bytes]:
    blocks: list[bytes] = []
    phonemes: list[tuple[str, int]] = []

    def collect(samples: Any, count: int, events: Any) -> int:
        if samples and count > 0:
            blocks.append(string_at(samples, 2 * count))
        index = 0
        while events[index].type:
            if events[index].type == _PHONEME:
                phonemes.append((events[index].id.string.decode("utf-8", "replace"), events[index].sample))
            index += 1
        return int(sum(map(len, blocks)) > 2 * longest)

    callback = CFUNCTYPE(c_int, POINTER(c_short), c_int, POINTER(_Event))(collect)
    library.espeak_SetSynthCallback(callback)
    library.espeak_Synth(text, c_size_t(len(text) + 1), c_uint(0), _CHARACTERS, c_uint(0), c_uint(_UTF8), None, None)
    library.espeak_Synchronize()
    return phonemes, b"".join(blocks)


def main() -> None:
    request = json.load(sys.stdin)
    library = _library()
    rate = library.espeak_Initialize(_SYNCHRONOUS, 0, None, _PHONEME_EVENTS | _RETURN_ON_ERROR)
    if rate <= 0:
        sys.exit(NO_LIBRARY)
    head: dict[str, Any] = {"rate": rate}
    samples = b""
    if "text" in request:
        if library.espeak_SetVoiceByName(request["voice"].encode()) != 0:
            sys.exit(NO_VOICE)
        for name, number in _PARAMETERS.items():
            library.espeak_SetParameter(number, int(request[name]), 0)
        text = request["text"].encode()
        head["transcription"] = _transcription(library, text)
        head["phonemes"], samples = _spoken(library, text, request["longest"] * rate)
    else:
        head["voices"] = _voices(library)
    sys.stdout.buffer.write(json.dumps(head).encode() + b"\n" + samples)


if __name__ == "__main__":
    main()
