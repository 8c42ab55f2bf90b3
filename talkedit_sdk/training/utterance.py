"""What speech is learned from, whoever spoke."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor


@dataclass(frozen=True)
class Utterance:
    """Something said, and the face that says it, row for row at `speech.types.RATE`.

    Members:
        features: (T, FEATURES) of the voice.
        coefficients: (T, 52). Of real people as tracked; of spoken ones relative to a face at rest whose lips touch.
        phones: (T,) int64, number in `phones.CLASSES`, -1 where nobody knows.
        emotion: (T, 8) shares in order `EMOTIONS`; all 0 where nobody said.
        strength: (T,) share of a full expression; 0 where nobody said.
        kind: a recording of somebody, or made from text.
        person: who; role: `train` or `eval`.
    """

    features: Tensor
    coefficients: Tensor
    phones: Tensor
    emotion: Tensor
    strength: Tensor
    kind: Literal["real", "spoken"]
    person: str
    role: str
