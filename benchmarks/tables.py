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
    detail: float = NAN
    sharp_eyes: float = NAN
    sharp_mouth: float = NAN
    sharp_cheeks: float = NAN
    sharp_forehead: float = NAN
    grain_eyes: float = NAN
    grain_mouth: float = NAN
    grain_cheeks: float = NAN
    grain_forehead: float = NAN
    warp: float = NAN
    warp95: float = NAN
    static: float = NAN
    untouched: float = NAN
    iris: float = NAN
    iris_tracked: float = NAN
    gaze: float = NAN
    blinks: float = NAN
    lip_upper: float = NAN
    lip_lower: float = NAN
    teeth_width: float = NAN
    teeth_upper: float = NAN
    teeth_lower: float = NAN
    identity: float = NAN
    skin: float = NAN
    covered: float = NAN
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


SPEECH: Final = (
    Measure("mouth", "mouth corr", 1, low=0.97, digits=3),
    Measure("closures", "closures kept", 1, low=0.95),
    Measure("drift", "drift °", 0, high=1.0),
    Measure("drift95", "drift ° p95", 0),
    Measure("jitter", "jitter", 0, high=1.1),
    Measure("untouched", "untouched", 1, low=1.0, digits=4),
    Measure("linearity", "linearity", 1, low=0.95, digits=3),
    Measure("zero", "zero = input", 1, low=1.0),
    Measure("gain", "judge gain", 99),
    Measure("named", "named", 1),
    Measure("rose", "rose most", 1),
)
TEXTURE: Final = (
    Measure("detail", "skin detail", 1, low=0.95, high=1.05),
    *(Measure(f"sharp_{region}", f"sharp {region}", 1) for region in ("eyes", "mouth", "cheeks", "forehead")),
    *(Measure(f"grain_{region}", f"grain {region}", 1) for region in ("eyes", "mouth", "cheeks", "forehead")),
    Measure("warp", "warping error", 0),
    Measure("warp95", "warping p95", 0),
    Measure("static", "at rest", 0),
)
ANATOMY: Final = (
    Measure("iris", "iris", 1),
    Measure("iris_tracked", "iris, tracked", 1),
    Measure("gaze", "gaze", 0),
    Measure("blinks", "blinks kept", 1),
    Measure("lip_upper", "upper lip", 1),
    Measure("lip_lower", "lower lip", 1),
    Measure("teeth_width", "teeth width", 1),
    Measure("teeth_upper", "upper teeth", 1),
    Measure("teeth_lower", "lower teeth", 1),
    Measure("identity", "identity %", 0),
    Measure("skin", "skin ΔE", 0),
)
TABLES: Final = {
    "Speech, head and emotion": SPEECH,
    "Sharpness, grain and flicker": TEXTURE,
    "Eyes, mouth and identity": ANATOMY,
}
MEASURES: Final = (*SPEECH, *TEXTURE, *ANATOMY)

FRAME_MEASURES: Final = tuple(
    measure
    for measure in MEASURES
    if measure.field.startswith(("sharp_", "grain_", "lip_", "teeth_")) or measure.field in ("warp", "iris", "gaze")
)
"""Those of which single frames can be the worst."""


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)])
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


def read_rows(path: Path) -> list[Row]:
    """Also those of an older run: columns that are not known any more are left out, new ones are NaN."""
    known = {field.name for field in fields(Row)}
    with path.open(newline="", encoding="utf-8") as file:
        return [
            Row(**{name: value if name in _TEXTS else float(value) for name, value in line.items() if name in known})
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
    parts = ["# Quality", "Each cell: mean over the clips, in brackets the worst clip's value and number."]
    for title, measures in TABLES.items():
        shown = [measure for measure in measures if _valid(measure, rows)]
        parts += [f"## {title}", _by_setting(rows, shown, numbers)] if shown else []
    parts.append(_targets(rows))
    parts.append(_by_clip(rows, numbers))
    parts += ["\n".join(f"- {note}" for note in notes)] if notes else []
    return "\n\n".join(parts) + "\n"


def comparison(before: Sequence[Row], after: Sequence[Row]) -> str:
    """Both runs side by side, over the clips and settings that both have."""
    settings = {_setting(row) for row in before} & {_setting(row) for row in after}
    runs = [[row for row in rows if _setting(row) in settings and row.emotion != CONTROL] for rows in (before, after)]
    lines = []
    for measure in MEASURES:
        both = [_valid(measure, rows) for rows in runs]
        if all(both):
            worst = [max(rows, key=measure.badness) for rows in both]
            lines.append(
                [
                    measure.title,
                    *(measure.text(_mean(measure, rows)) for rows in both),
                    *(f"{measure.text(measure.of(row))} {row.emotion} on {row.clip}" for row in worst),
                ]
            )
    count = len({clip for clip, *_ in settings})
    title = f"## Before and after ({count} clips, {len(runs[0])} rows)\n\n"
    return title + markdown(["measure", "before", "after", "worst row before", "worst row after"], lines)


def _by_clip(rows: Sequence[Row], numbers: dict[str, int]) -> str:
    lines = []
    for clip, number in numbers.items():
        edits = [row for row in rows if row.clip == clip and row.emotion != CONTROL]
        shares = [[getattr(row, name) for row in edits] for name in ("edited", "covered")]
        known = [[share for share in column if np.isfinite(share)] for column in shares]
        frames = next(row.frames for row in rows if row.clip == clip)
        lines.append([f"{number}. {clip}", f"{frames:g}", *(f"{np.mean(k):.0%}" if k else "–" for k in known)])
    return markdown(["clip", "frames", "edited in full", "face covered"], lines)


def _setting(row: Row) -> tuple[str, str, float, float]:
    return row.clip, row.emotion, row.mouth_weight, row.intensity


def _by_setting(rows: Sequence[Row], measures: Sequence[Measure], numbers: dict[str, int]) -> str:
    settings: dict[tuple[str, float, float], list[Row]] = {}
    for row in rows:
        settings.setdefault((row.emotion, row.mouth_weight, row.intensity), []).append(row)
    header = ["emotion", "mouth weight", "intensity", *(measure.title for measure in measures)]
    lines = []
    for (emotion, weight, intensity), group in settings.items():
        setting = ["", ""] if emotion == CONTROL else [f"{weight:g}", f"{intensity:g}"]
        lines.append([emotion, *setting, *(_cell(measure, group, numbers) for measure in measures)])
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
