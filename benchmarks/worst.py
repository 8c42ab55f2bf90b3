"""The frames that a run of `quality.py` scored worst, by name and as pictures: source beside edit."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final

import numpy as np
import sheets
from comparison import Pictures, Speaker
from numpy.typing import NDArray
from PIL import Image
from sheets import Picture
from tables import FRAME_MEASURES, Measure, Row, markdown

from talkedit_sdk.face.topology import EYE_LEFT, EYE_RIGHT, LIPS_OUTER

SHOWN: Final = 4
_SIDE: Final = 480
_FOLDER: Final = "worst"
_EYES: Final = (*EYE_RIGHT, *EYE_LEFT)
_PARTS: Final = {"eyes": _EYES, "iris": _EYES, "gaze": _EYES, **dict.fromkeys(("mouth", "lip", "teeth"), LIPS_OUTER)}


@dataclass(frozen=True)
class Moment:
    """The frame of a clip that is worst by one measure, over all its edits."""

    field: str
    clip: str
    emotion: str
    mouth_weight: float
    intensity: float
    frame: int
    value: float

    def __str__(self) -> str:
        return f"{self.value:.2f} {self.clip} {self.emotion} mouth {self.mouth_weight:g} frame {self.frame}"


class WorstFrames:
    """Keeps the worst frame of each measure while the edits of one clip pass by."""

    def __init__(self, speaker: Speaker) -> None:
        self._speaker = speaker
        self._found: dict[str, tuple[Moment, Picture]] = {}

    def look(
        self, row: Row, values: dict[str, NDArray[np.float64]], rows: NDArray[np.int64], pictures: Pictures
    ) -> None:
        """values: (T,) of each measure by frame; rows: (T,) of the speaker's track."""
        for measure in FRAME_MEASURES:
            badness = np.abs(values[measure.field] - measure.ideal)
            if not np.isfinite(badness).any():
                continue
            worst = int(np.nanargmax(badness))
            known = self._found.get(measure.field)
            if known is None or badness[worst] > abs(known[0].value - measure.ideal):
                frame = int(self._speaker.track.frames[rows[worst]])
                value = float(values[measure.field][worst])
                moment = Moment(measure.field, row.clip, row.emotion, row.mouth_weight, row.intensity, frame, value)
                both = self._speaker.pictures[frame], pictures[frame]
                self._found[measure.field] = moment, _shown(measure, both, self._speaker.track.landmarks[rows[worst]])

    def write(self, out: Path) -> list[Moment]:
        """Writes a picture of each into `out`."""
        for moment, pair in self._found.values():
            path = _picture(out, moment)
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(sheets.titled(str(moment), pair)).save(path, compress_level=1)
        return [moment for moment, _ in self._found.values()]


def write_sheets(out: Path, moments: Sequence[Moment]) -> None:
    """One sheet for each measure, `worst_FIELD.png`: the worst clips' worst frames."""
    for measure in FRAME_MEASURES:
        chosen = _worst(moments, measure)
        if chosen:
            pictures = [np.asarray(Image.open(_picture(out, moment))) for moment in chosen]
            Image.fromarray(np.vstack(pictures)).save(out / f"worst_{measure.field}.png", compress_level=1)


def table(moments: Sequence[Moment]) -> str:
    """A Markdown table that names them."""
    lines = [[m.title, *(str(w) for w in _worst(moments, m)[:3])] for m in FRAME_MEASURES]
    lines = [[*line, *[""] * (4 - len(line))] for line in lines if len(line) > 1]
    return "## Worst frames\n\n" + markdown(["measure", "worst", "second clip", "third clip"], lines)


def write_moments(path: Path, moments: Iterable[Moment]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Moment)])
        writer.writeheader()
        writer.writerows(asdict(moment) for moment in moments)


def read_moments(path: Path) -> list[Moment]:
    with path.open(newline="", encoding="utf-8") as file:
        return [
            Moment(
                line["field"], line["clip"], line["emotion"], float(line["mouth_weight"]), float(line["intensity"]),
                int(line["frame"]), float(line["value"]),
            )
            for line in csv.DictReader(file)
        ]  # fmt: skip


def _shown(measure: Measure, pictures: Sequence[NDArray[np.uint8]], landmarks: NDArray[np.float32]) -> Picture:
    """Source and edit: the face, and from near the part that the measure is about."""
    face = [sheets.crop(picture, landmarks, _SIDE, 1.15) for picture in pictures]
    part = next((part for name, part in _PARTS.items() if name in measure.field), None)
    if part is not None:
        face += [sheets.crop(picture, landmarks[list(part)], _SIDE, 1.15) for picture in pictures]
    return np.hstack(face)


def _worst(moments: Sequence[Moment], measure: Measure) -> list[Moment]:
    those = [moment for moment in moments if moment.field == measure.field]
    return sorted(those, key=lambda moment: -abs(moment.value - measure.ideal))[:SHOWN]


def _picture(out: Path, moment: Moment) -> Path:
    return out / _FOLDER / moment.field / f"{moment.clip}.png"
