"""What the stages of speech hand each other. Time along speech runs at one rate, whatever the rate of the pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

RATE: Final = 50
"""Rows a second of everything along speech; row t is the moment t / RATE."""

SAMPLE_RATE: Final = 16_000
"""Samples a second of every `Voice`."""


@dataclass(frozen=True)
class Voice:
    """Sound: (N,) float32 mono samples in about [-1, 1]."""

    samples: NDArray[np.float32]
    rate: int = SAMPLE_RATE

    @property
    def duration(self) -> float:
        """Seconds."""
        return len(self.samples) / self.rate

    @property
    def rows(self) -> int:
        """How many moments at `RATE` it covers."""
        return -(-len(self.samples) * RATE // self.rate)


@dataclass(frozen=True)
class Phone:
    """A speech sound: `symbol` in eSpeak's notation ("_" and what begins so is silence), `begin` and `end` in seconds,
    `stress` 2 in the vowel of a syllable with primary stress, 1 with secondary, else 0."""

    symbol: str
    begin: float
    end: float
    stress: int
