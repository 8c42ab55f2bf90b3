"""What a run of `quality.py` measured: one row per clip and setting, and the tables made of them."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final

import numpy as np

NAN: Final = float("nan")
CONTROL: Final = "(control)"
"""Emotion of the rows that measure the source against itself, resampled once: the best that an edit can reach."""


_TEXTS: Final = ("clip", "emotion")


@dataclass(frozen=True)
class Row:
    """One clip, edited in one way. Measures are NaN where the clip has nothing to measure; see README.md for each."""

    clip: str
    emotion: str
    mouth_weight: float
    intensity: float
    frames: float
    edited: float = NAN
    found: float = NAN
    mouth: float = NAN
    closures: float = NAN
    drift: float = NAN
    drift95: float = NAN
    jitter: float = NAN
    sharpness: float = NAN
    detail: float = NAN
    untouched: float = NAN
    linearity: float = NAN
    zero: float = NAN
    gain: float = NAN
    named: float = NAN
    named_source: float = NAN
    rose: float = NAN


@dataclass(frozen=True)
class Measure:
    """A column of the table: its name, its ideal value, and the range that is the target where there is one."""

    field: str
    title: str
    ideal: float
    low: float = -np.inf
    high: float = np.inf
    digits: int = 2

    def badness(self, row: Row) -> float:
        return abs(self.of(row) - self.ideal)

    def of(self, row: Row) -> float:
        return float(getattr(row, self.field))

    def reached(self, value: float) -> bool:
        return self.low <= value <= self.high

    def text(self, value: float) -> str:
        return f"{value:.{self.digits}f}"

    @property
    def target(self) -> str:
        """Empty where there is none."""
        low, high = np.isfinite(self.low), np.isfinite(self.high)
        if low and high:
            return f"{self.low:g} to {self.high:g}"
        return f"≥ {self.low:g}" if low else f"≤ {self.high:g}" if high else ""


MEASURES: Final = (
    Measure("mouth", "mouth corr", 1, low=0.97, digits=3),
    Measure("closures", "closures kept", 1, low=0.95),
    Measure("drift", "drift °", 0, high=1.0),
    Measure("drift95", "drift ° p95", 0),
    Measure("jitter", "jitter", 0, high=1.1),
    Measure("sharpness", "sharpness", 1, low=0.95, high=1.05),
    Measure("detail", "skin detail", 1, low=0.95, high=1.05),
    Measure("untouched", "untouched", 1, low=1.0, digits=4),
    Measure("linearity", "linearity", 1, low=0.95, digits=3),
    Measure("zero", "zero = input", 1, low=1.0),
    Measure("gain", "judge gain", 99),
    Measure("named", "named", 1),
    Measure("rose", "rose most", 1),
)


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)])
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


def read_rows(path: Path) -> list[Row]:
    with path.open(newline="", encoding="utf-8") as file:
        return [
            Row(**{name: value if name in _TEXTS else float(value) for name, value in line.items()})
            for line in csv.DictReader(file)
        ]


def markdown(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A Markdown table, the first column left-aligned."""
    rule = [":--", *["--:"] * (len(header) - 1)]
    return "\n".join("| " + " | ".join(line) + " |" for line in (header, rule, *lines))


def report(rows: Sequence[Row], notes: Sequence[str]) -> str:
    """The whole `table.md`."""
    clips = sorted({row.clip for row in rows})
    numbers = {clip: number for number, clip in enumerate(clips, start=1)}
    parts = ["# Quality", _by_setting(rows, numbers)]
    parts += ["Each cell: mean over the clips, in brackets the worst clip's value and number.", _targets(rows)]
    parts.append("\n".join(f"{number}. {clip}" for clip, number in numbers.items()))
    parts += ["\n".join(f"- {note}" for note in notes)] if notes else []
    return "\n\n".join(parts) + "\n"


def _by_setting(rows: Sequence[Row], numbers: dict[str, int]) -> str:
    settings: dict[tuple[str, float, float], list[Row]] = {}
    for row in rows:
        settings.setdefault((row.emotion, row.mouth_weight, row.intensity), []).append(row)
    shown = [measure for measure in MEASURES if _valid(measure, rows)]
    header = ["emotion", "mouth weight", "intensity", *(measure.title for measure in shown)]
    lines = []
    for (emotion, weight, intensity), group in settings.items():
        setting = ["", ""] if emotion == CONTROL else [f"{weight:g}", f"{intensity:g}"]
        lines.append([emotion, *setting, *(_cell(measure, group, numbers) for measure in shown)])
    return markdown(header, lines)


def _cell(measure: Measure, rows: Sequence[Row], numbers: dict[str, int]) -> str:
    valid = _valid(measure, rows)
    if not valid:
        return "–"
    mean, worst = measure.text(_mean(measure, valid)), max(valid, key=measure.badness)
    if all(measure.of(row) == measure.of(worst) for row in valid):
        return mean
    return f"{mean} ({measure.text(measure.of(worst))} #{numbers[worst.clip]})"


def _targets(rows: Sequence[Row]) -> str:
    """The summary at mouth weight 1 and intensity 1, against the targets."""
    full = [row for row in rows if row.mouth_weight == 1 and row.intensity == 1]
    if not full:
        return "No rows of mouth weight 1 and intensity 1, which the targets are about."
    controls = [row for row in rows if row.emotion == CONTROL]
    lines = []
    for measure in MEASURES:
        valid = _valid(measure, full)
        if not valid or not measure.target:
            continue
        by_emotion = {e: _mean(measure, [r for r in valid if r.emotion == e]) for e in {r.emotion for r in valid}}
        flawless = all(measure.badness(row) == 0 for row in valid)
        worst_emotion = max(by_emotion, key=lambda emotion: abs(by_emotion[emotion] - measure.ideal))
        worst = max(valid, key=measure.badness)
        control = _mean(measure, _valid(measure, controls))
        lines.append(
            [
                measure.title,
                measure.target,
                measure.text(_mean(measure, valid)),
                "–" if np.isnan(control) else measure.text(control),
                "yes" if all(measure.reached(value) for value in by_emotion.values()) else "**no**",
                f"{np.mean([measure.reached(measure.of(row)) for row in valid]):.0%}",
                "–" if flawless else f"{worst_emotion} {measure.text(by_emotion[worst_emotion])}",
                "–" if flawless else f"{worst.emotion} on {worst.clip} {measure.text(measure.of(worst))}",
            ]
        )
    header = ["at mouth weight 1, intensity 1", "target", "mean", "control", "every emotion reaches it", "rows that do"]
    return markdown([*header, "worst emotion", "worst row"], lines)


def _valid(measure: Measure, rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if np.isfinite(measure.of(row))]


def _mean(measure: Measure, rows: Sequence[Row]) -> float:
    return float(np.mean([measure.of(row) for row in rows])) if rows else float("nan")
