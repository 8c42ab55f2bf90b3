"""One inventory of speech sounds for all languages: what lips and jaw do for them, rather than what the tongue does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from talkedit_sdk.speech.types import RATE, Phone

CLASSES: Final = (
    "pause", "bilabial", "loose bilabial", "labiodental", "dental", "alveolar", "lateral", "sibilant", "postalveolar",
    "palatal", "velar", "glottal", "rhotic", "glide", "open", "half open", "central", "mid", "close", "schwa",
    "open rounded", "mid rounded", "close rounded", "front rounded", "front mid rounded", "rhotic vowel",
)  # fmt: skip
CLASS: Final[dict[str, int]] = {name: number for number, name in enumerate(CLASSES)}

SILENCE: Final = (CLASS["pause"],)
BILABIALS: Final = (CLASS["bilabial"],)
VOWELS: Final = tuple(range(CLASS["open"], len(CLASSES)))

_LETTERS: Final[dict[str, str]] = {
    "bilabial": "pbmM", "loose bilabial": "B", "labiodental": "fvFP", "dental": "TD", "alveolar": "tdn",
    "lateral": "lL", "sibilant": "sz", "postalveolar": "SZ", "palatal": "jCJ", "velar": "kgxNXQqcG", "glottal": "hH?",
    "rhotic": "rR*", "glide": "w", "open": "aA&", "half open": "E", "central": "V6", "mid": "e", "close": "iI1",
    "schwa": "@8", "open rounded": "0O", "mid rounded": "o", "close rounded": "uU", "front rounded": "y",
    "front mid rounded": "YW",
    "rhotic vowel": "3",
}  # fmt: skip
_CLASS_OF: Final = {letter: CLASS[name] for name, letters in _LETTERS.items() for letter in letters}
"""The first letters of eSpeak's mnemonics, which follow Kirshenbaum's ASCII-IPA (1992) in most languages."""

_BURST: Final = {"p": (-0.050, 0.012), "b": (-0.035, 0.028)}
"""Where lips are closed, seconds from the time that eSpeak gives for a stop, which is that of its burst: measured on
the sound, which is silent or low from the first on."""


@dataclass(frozen=True)
class Span:
    """A stretch in which the mouth does one thing: `kind` is a number in `CLASSES`, seconds, stress as in `Phone`."""

    kind: int
    begin: float
    end: float
    stress: int


def classes_of(symbol: str) -> tuple[int, ...]:
    """What a sound in eSpeak's notation is made of, in order: one class, two or three for diphthongs and affricates."""
    if symbol.startswith("_"):
        return SILENCE
    found = [_CLASS_OF[letter] for letter in symbol.rstrip("0123456789") or symbol if letter in _CLASS_OF]
    found = [kind for number, kind in enumerate(found) if kind not in found[number + 1 : number + 2]]
    narrow = {CLASS["sibilant"], CLASS["postalveolar"]}
    if len(found) > 1 and found[0] == CLASS["alveolar"] and found[1] in narrow:
        found = found[1:]
    return tuple(found[:3]) or (CLASS["glottal"],)


def spans(phones: Sequence[Phone]) -> tuple[Span, ...]:
    """Stretches of one class each, without holes. Diphthongs are cut in half, and stops of the lips last as long as the
    lips are closed, from before their burst."""
    edges = [phone.begin for phone in phones] + [phones[-1].end if phones else 0.0]
    for number, phone in enumerate(phones):
        before, after = _BURST.get(phone.symbol[:1], (0.0, None)) if len(phone.symbol) == 1 else (0.0, None)
        low = edges[number - 1] + 0.2 * (edges[number] - edges[number - 1]) if number else edges[0]
        edges[number] = max(edges[number] + before, low)
        if after is not None and number + 1 < len(phones):
            edges[number + 1] = min(edges[number + 1], phone.begin + after)
    found = []
    for phone, begin, end in zip(phones, edges, edges[1:], strict=False):
        kinds = classes_of(phone.symbol)
        length = (end - begin) / len(kinds)
        found += [
            Span(kind, begin + n * length, begin + (n + 1) * length, phone.stress) for n, kind in enumerate(kinds)
        ]
    return tuple(found)


def rows_of(found: Sequence[Span], count: int) -> Tensor:
    """(count,) int64 class of every moment at `RATE`. Every span has a row, so that the same words give the same
    sequence however fast they are said; pauses before and after go on."""
    rows = torch.full((count,), CLASS["pause"])
    begin = 0
    for span in found:
        begin = max(begin, round(span.begin * RATE))
        end = max(begin + 1, round(span.end * RATE))
        rows[begin:end] = span.kind
        rows[end:] = CLASS["pause"]
        begin += 1
    return rows
