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
from bench import Bench, Plan, Take
from tables import Row, comparison, read_rows, report, write_rows
from worst import Moment, read_moments, table, write_moments, write_sheets

from talkedit_sdk import EMOTIONS, TalkEditError
from talkedit_sdk.emotion import DETAIL

VIDEOS: Final = {".mp4", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".ogv"}


def choose_clips(given: Sequence[Take], index: Path | None, role: str | None, limit: int) -> list[Take]:
    """Files as given; of a folder its videos, or those that its index calls core videos, thinned out evenly to `limit`,
    one per person first."""
    chosen: list[Take] = []
    for take in given:
        path = take.path
        listed = index or path / "index.csv"
        if not path.is_dir():
            chosen.append(take)
        elif listed.is_file():
            chosen += [Take(p, take.start) for p in _thinned(_indexed(path, listed, role), limit)]
        else:
            found = sorted(p for p in path.rglob("*") if p.suffix.lower() in VIDEOS)
            chosen += [Take(p, take.start) for p in _thinned([(p, p.name) for p in found], limit)]
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


def _measure(take: Take) -> tuple[list[Row], list[Moment], str | None]:
    assert _bench is not None
    try:
        rows, moments = _bench.measure(take)
    except TalkEditError as error:
        return [], [], f"{take.name}: {error}"
    return rows, moments, None if rows else f"{take.name}: no face in these frames."


def main() -> None:
    arguments = _arguments()
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    rows_file, worst_file = out / "rows.csv", out / "worst.csv"
    resumed = arguments.resume and rows_file.exists() and worst_file.exists()
    rows, moments = (read_rows(rows_file), read_moments(worst_file)) if resumed else ([], [])
    done = {row.clip for row in rows}
    takes = choose_clips(arguments.clips, arguments.index, arguments.role, arguments.limit)
    takes = [take for take in takes if take.name not in done]
    plan = Plan(
        arguments.emotions,
        arguments.intensities,
        arguments.mouth_weights,
        arguments.frames,
        arguments.judge,
        out,
        arguments.detail,
    )
    notes: list[str] = []
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(arguments.jobs, mp_context=spawn, initializer=_start, initargs=(plan,)) as pool:
        for take, (found, worst, note) in zip(takes, pool.map(_measure, takes), strict=True):
            print(note or f"{take.name}: {len(found)} rows", file=sys.stderr)
            rows += found
            moments += worst
            notes += [note] if note else []
            write_rows(rows_file, rows)
            write_moments(worst_file, moments)
    parts = [report(rows, notes), table(moments)]
    if arguments.before:
        parts.append(comparison(read_rows(arguments.before), rows))
    text = "\n\n".join(parts) + "\n"
    (out / "table.md").write_text(text, encoding="utf-8")
    write_sheets(out, moments)
    print(text)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Measures what edits keep and what they change, over a folder of clips."
    )
    parser.add_argument(
        "--clips",
        type=_take,
        nargs="+",
        required=True,
        help="folders of videos, or videos; FILE@SECONDS to start there",
    )
    parser.add_argument("--index", type=Path, help="CSV with columns file, role, tier, person (FOLDER/index.csv)")
    parser.add_argument("--role", help="only clips of this role in the index")
    parser.add_argument("--limit", type=int, default=8, help="clips of each folder, spread over it; 0 for all (8)")
    parser.add_argument("--frames", type=int, default=75, help="from the start of each clip (75)")
    parser.add_argument("--emotions", type=_names, default=EMOTIONS, help="comma-separated (all)")
    parser.add_argument("--intensities", type=_numbers, default=(0.5, 1.0), help="comma-separated, ascending (0.5,1)")
    parser.add_argument("--mouth-weights", type=_numbers, default=(0.0, 0.5, 1.0), help="comma-separated (0,0.5,1)")
    parser.add_argument("--detail", type=float, default=DETAIL, help="of the skin, 0 to 1 (the default of edits)")
    parser.add_argument("--judge", type=Path, help="folder with judge.py, an emotion classifier")
    parser.add_argument("--out", type=Path, default=Path("build/quality"), help="folder (build/quality)")
    parser.add_argument("--before", type=Path, help="rows.csv of an earlier run, to compare with")
    parser.add_argument("--resume", action="store_true", help="keep the rows that are in OUT, skip their clips")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="clips measured at the same time (all cores)"
    )
    return parser.parse_args()


def _take(text: str) -> Take:
    path, _, start = text.rpartition("@")
    try:
        return Take(Path(path), float(start)) if path else Take(Path(text))
    except ValueError:
        return Take(Path(text))


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in text.split(","))


if __name__ == "__main__":
    main()
