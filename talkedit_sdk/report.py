"""What an edit did to each frame, and why it left some alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Reason: TypeAlias = Literal["edited", "no face", "intensity 0", "turned away", "fading"]
REASONS: Final[tuple[Reason, ...]] = ("edited", "no face", "intensity 0", "turned away", "fading")


@dataclass(frozen=True)
class Stretch:
    """Consecutive frames with the same reason; `stop` is the first frame after them, times are in seconds."""

    start: int
    stop: int
    begin: float
    end: float
    reason: Reason


@dataclass(frozen=True)
class EditReport:
    """What was edited frame by frame.

    Members:
        faces: how many people the clip shows; edited: which of them were edited.
        times: (T,) seconds of the frames.
        strength: (T,) intensity that each frame received, the highest of all edited faces.
        reasons: (T,) index into `REASONS`: whether a frame was edited, and if not in full, why.
        notes: anything else the caller should know, one sentence each.
        covered: (T,) share of the visible face that something is in front of, the highest of all edited faces; empty if
            nobody looked.
    """

    faces: int
    edited: tuple[int, ...]
    times: NDArray[np.float64]
    strength: NDArray[np.float32]
    reasons: NDArray[np.int8]
    notes: tuple[str, ...] = ()
    covered: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))

    @property
    def frames(self) -> int:
        """Frames of the clip."""
        return len(self.times)

    @property
    def edited_frames(self) -> int:
        """Frames with any change at all."""
        return int((self.strength > 0).sum())

    @property
    def stretches(self) -> tuple[Stretch, ...]:
        """The clip as runs of frames with the same reason."""
        starts = np.flatnonzero(np.diff(self.reasons, prepend=-1))
        stops = [*starts[1:].tolist(), self.frames]
        return tuple(
            Stretch(start, stop, float(self.times[start]), float(self.times[stop - 1]), REASONS[self.reasons[start]])
            for start, stop in zip(starts.tolist(), stops, strict=True)
        )

    @property
    def skipped(self) -> tuple[Stretch, ...]:
        """Runs of frames that were left alone or edited less than asked for."""
        return tuple(stretch for stretch in self.stretches if stretch.reason != "edited")

    def __str__(self) -> str:
        who = ", ".join(map(str, self.edited))
        lines = [f"{self.edited_frames} of {self.frames} frames edited (face {who}; the clip shows {self.faces})."]
        lines += [f"  {s.begin:.2f} to {s.end:.2f} s: {s.reason} ({s.stop - s.start} frames)" for s in self.skipped]
        return "\n".join([*lines, *self.notes])
