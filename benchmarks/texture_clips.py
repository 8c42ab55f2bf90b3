"""Edits of clips without and with detail: judged, measured, and laid side by side at full size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from bench import Bench, Plan, Take
from PIL import Image
from sheets import Picture, titled
from tables import CONTROL, Row

from talkedit_sdk import Editor
from talkedit_sdk.emotion import DETAIL
from talkedit_sdk.face.topology import OVAL

_AROUND: Final = 0.06  # of the face's size
_INTENSITY, _MOUTH_WEIGHT = 1.0, 0.5


def compare_details(
    clips: Sequence[Path], judge: Path | None, emotions: tuple[str, ...], frames: int, out: Path
) -> str:
    """A report of edits of clips at detail 0 and at the default one; writes a picture of each face and emotion."""
    rows: dict[float, list[Row]] = {}
    for detail in (0.0, DETAIL):
        plan = Plan(emotions, (_INTENSITY,), (_MOUTH_WEIGHT,), frames, judge, out / f"detail{detail:g}", detail)
        plan.out.mkdir(parents=True, exist_ok=True)
        bench = Bench(plan)
        rows[detail] = [row for clip in clips for row in bench.measure(Take(clip))[0] if row.emotion != CONTROL]
    for clip in clips:
        write_crops(clip, emotions, out)
    return table(rows, emotions)


def table(rows: dict[float, list[Row]], emotions: Sequence[str]) -> str:
    """Markdown: a row for each emotion, without and with detail in each cell."""
    measures = {"judge gain": "gain", "named": "named", "rose most": "rose", "identity %": "identity"}
    lines = [f"| emotion | clips | {' | '.join(measures)} |", "| --- " * (len(measures) + 2) + "|"]
    for emotion in emotions:
        pairs = [[row for row in found if row.emotion == emotion] for found in rows.values()]
        cells = [
            " → ".join(_mean([getattr(row, field) for row in found]) for found in pairs) for field in measures.values()
        ]
        lines.append(f"| {emotion} | {len(pairs[0])} | {' | '.join(cells)} |")
    return "At detail {} → {}:\n\n".format(*(f"{detail:g}" for detail in rows)) + "\n".join(lines) + "\n"


def _mean(values: Sequence[float]) -> str:
    seen = [value for value in values if np.isfinite(value)]
    return f"{np.mean(seen):.2f}" if seen else "–"


def write_crops(path: Path, emotions: Sequence[str], out: Path) -> None:
    """For each emotion a picture of the face at 100 %, in the middle of the clip: as it is, without and with detail."""
    editor = Editor.load()
    clip = editor.watch(path, progress=False)
    if not clip.tracking.faces:
        return
    track = clip.tracking.faces[0]
    row = len(track.frames) // 2
    index, outline = int(track.frames[row]), track.landmarks[row, list(OVAL), :2]
    low, high = outline.min(0), outline.max(0)
    margin = _AROUND * (high - low)
    left, top = np.maximum(low - margin, 0).astype(int)
    right, bottom = (high + margin).astype(int)
    source = next(frame.rgb for frame in clip.source.frames() if frame.index == index)
    for emotion in emotions:
        shown: dict[str, Picture] = {"source": source}
        for detail in (0.0, DETAIL):
            result = editor.edit(clip, emotion, _INTENSITY, _MOUTH_WEIGHT, progress=False, detail=detail)
            shown[f"{emotion}, detail {detail:g}"] = result.frame(index).rgb
        crops = [titled(name, rgb[top:bottom, left:right]) for name, rgb in shown.items()]
        Image.fromarray(np.hstack(crops)).save(out / f"{path.stem}.{emotion}.png")
