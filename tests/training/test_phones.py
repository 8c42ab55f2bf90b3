from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from talkedit_sdk.speech.types import RATE, Phone
from talkedit_sdk.training.phones import BILABIALS, CLASS, CLASSES, SILENCE, classes_of, rows_of, spans

LIPS = [Phone("_", 0, 0.2, 0), Phone("a", 0.2, 0.4, 2), Phone("p", 0.4, 0.46, 0), Phone("aI", 0.46, 0.7, 2),
        Phone("m", 0.7, 0.8, 0), Phone("_:", 0.8, 1.0, 0)]  # fmt: skip


@pytest.mark.parametrize(
    ("symbol", "names"),
    [
        ("_:", "pause"), ("_|", "pause"), ("b", "bilabial"), ("m", "bilabial"), ("B", "loose bilabial"),
        ("f", "labiodental"), ("tS", "postalveolar"), ("dZ", "postalveolar"), ("ts", "sibilant"), ("t#", "alveolar"),
        ("aI", "open,close"), ("aU@", "open,close rounded,schwa"), ("oU", "mid rounded,close rounded"),
        ("u:", "close rounded"), ("y:", "front rounded"), ("Y:", "front mid rounded"), ("3:", "rhotic vowel"),
        ("@L", "schwa,lateral"), ("i@3", "close,schwa"), ("e~", "mid"), ("**", "rhotic"),
        ("pF", "bilabial,labiodental"), ("%!", "glottal"),
    ],
)  # fmt: skip
def test_notations_of_many_languages(symbol, names):
    assert [CLASSES[kind] for kind in classes_of(symbol)] == names.split(",")


def test_lips_are_closed_before_a_stop_is_heard():
    found = spans(LIPS)
    assert [CLASSES[span.kind] for span in found] == [
        "pause", "open", "bilabial", "open", "close", "bilabial", "pause",
    ]  # fmt: skip
    assert all(one.end == pytest.approx(other.begin) for one, other in pairwise(found))
    assert (found[2].begin, found[2].end) == (pytest.approx(0.35), pytest.approx(0.412))
    assert found[3].end - found[3].begin == pytest.approx(found[4].end - found[4].begin)
    assert found[5].begin == 0.7
    assert found[1].stress == 2


def test_rows_tell_the_same_sequence_at_any_pace():
    sequences = []
    for pace in (0.15, 0.5, 1.0, 3.0):
        said = [Phone(p.symbol, p.begin * pace, p.end * pace, p.stress) for p in LIPS]
        rows = rows_of(spans(said), int(3.2 * RATE))
        kept = torch.cat([torch.tensor([True]), rows.diff() != 0])
        sequences.append(rows[kept].tolist())
        assert rows[-1] == SILENCE[0]
    assert all(sequence == sequences[0] for sequence in sequences)
    assert sequences[0].count(BILABIALS[0]) == 2
    assert rows_of([], 3).tolist() == [CLASS["pause"]] * 3
