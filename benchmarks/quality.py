"""Measures what edits keep and what they change, over a folder of clips. See README.md.

python benchmarks/quality.py --clips FOLDER --out build/quality [--judge FOLDER]
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final

import torch
from bench import Bench, Plan
from tables import Row, read_rows, report, write_rows

from talkedit_sdk import EMOTIONS, TalkEditError

VIDEOS: Final = {".mp4", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".ogv"}


def choose_clips(paths: Sequence[Path], index: Path | None, role: str | None, limit: int) -> list[Path]:
    """Files as given; of a folder its videos, or those that its index calls core videos, thinned out evenly to `limit`,
    one per person first."""
    chosen: list[Path] = []
    for path in paths:
        listed = index or path / "index.csv"
        if path.is_file():
            chosen.append(path)
        elif listed.is_file():
            chosen += _thinned(_indexed(path, listed, role), limit)
        else:
            found = sorted(p for p in path.rglob("*") if p.suffix.lower() in VIDEOS)
            chosen += _thinned([(p, p.name) for p in found], limit)
    return chosen


def _indexed(folder: Path, index: Path, role: str | None) -> Iterator[tuple[Path, str]]:
    with index.open(newline="", encoding="utf-8") as file:
        for line in csv.DictReader(file):
            path = folder / line["file"]
            core = line.get("tier", "core") == "core" and (role is None or line.get("role") == role)
            if core and path.suffix.lower() in VIDEOS:
                yield path, line.get("person", path.name)


def _thinned(clips: Iterable[tuple[Path, str]], limit: int) -> list[Path]:
    clips = list(clips)
    if limit == 0 or len(clips) <= limit:
        return [path for path, _ in clips]
    one_each = list({person: path for path, person in reversed(clips)}.values())[::-1]
    pool = one_each if len(one_each) >= limit else [path for path, _ in clips]
    return [pool[i * len(pool) // limit] for i in range(limit)]


_bench: Bench | None = None


def _start(plan: Plan) -> None:
    global _bench
    torch.set_num_threads(1)
    _bench = Bench(plan)


def _measure(path: Path) -> tuple[list[Row], str | None]:
    assert _bench is not None
    try:
        rows = _bench.measure(path)
    except TalkEditError as error:
        return [], f"{path.name}: {error}"
    return rows, None if rows else f"{path.name}: no face in these frames."


def main() -> None:
    arguments = _arguments()
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    rows_file = out / "rows.csv"
    rows = read_rows(rows_file) if arguments.resume and rows_file.exists() else []
    done = {row.clip for row in rows}
    clips = choose_clips(arguments.clips, arguments.index, arguments.role, arguments.limit)
    clips = [path for path in clips if path.stem not in done]
    plan = Plan(
        arguments.emotions, arguments.intensities, arguments.mouth_weights, arguments.frames, arguments.judge, out
    )
    notes: list[str] = []
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(arguments.jobs, mp_context=spawn, initializer=_start, initargs=(plan,)) as pool:
        for path, (found, note) in zip(clips, pool.map(_measure, clips), strict=True):
            print(note or f"{path.name}: {len(found)} rows", file=sys.stderr)
            rows += found
            notes += [note] if note else []
            write_rows(rows_file, rows)
    text = report(rows, notes)
    (out / "table.md").write_text(text, encoding="utf-8")
    print(text)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Measures what edits keep and what they change, over a folder of clips."
    )
    parser.add_argument("--clips", type=Path, nargs="+", required=True, help="folders of videos, or videos")
    parser.add_argument("--index", type=Path, help="CSV with columns file, role, tier, person (FOLDER/index.csv)")
    parser.add_argument("--role", help="only clips of this role in the index")
    parser.add_argument("--limit", type=int, default=8, help="clips of each folder, spread over it; 0 for all (8)")
    parser.add_argument("--frames", type=int, default=75, help="from the start of each clip (75)")
    parser.add_argument("--emotions", type=_names, default=EMOTIONS, help="comma-separated (all)")
    parser.add_argument("--intensities", type=_numbers, default=(0.5, 1.0), help="comma-separated, ascending (0.5,1)")
    parser.add_argument("--mouth-weights", type=_numbers, default=(0.0, 0.5, 1.0), help="comma-separated (0,0.5,1)")
    parser.add_argument("--judge", type=Path, help="folder with judge.py, an emotion classifier")
    parser.add_argument("--out", type=Path, default=Path("build/quality"), help="folder (build/quality)")
    parser.add_argument("--resume", action="store_true", help="keep the rows that are in OUT, skip their clips")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="clips measured at the same time (all cores)"
    )
    return parser.parse_args()


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in text.split(","))


if __name__ == "__main__":
    main()
