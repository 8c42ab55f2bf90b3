"""Telling a caller how far long work is, and stopping it on request."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, TypeAlias

from tqdm import tqdm

from talkedit_sdk.errors import Cancelled

Stage: TypeAlias = Literal["track", "render"]


@dataclass(frozen=True)
class Progress:
    """How far a stage is. `total` is the container's claim of its frames, None where it claims nothing."""

    stage: Stage
    done: int
    total: int | None


ProgressLike: TypeAlias = "Callable[[Progress], object] | bool | None"
"""A callback (returning False cancels), True for a bar, False for silence, None for a bar on a terminal only."""

_LABELS: dict[Stage, str] = {"track": "Finding faces", "render": "Editing"}


@contextmanager
def reporting(progress: ProgressLike, stage: Stage, total: int | None) -> Iterator[Callable[[int], None]]:
    """Yields a function to call with the number of frames done.

    Raises:
        Cancelled: from that function, when the callback returned False.
    """
    if callable(progress):
        callback = progress

        def call(done: int) -> None:
            if callback(Progress(stage, done, total)) is False:
                raise Cancelled("The edit was cancelled; nothing was written.")

        yield call
        return
    hidden = not sys.stderr.isatty() if progress is None else not progress
    with tqdm(desc=_LABELS[stage], total=total, unit="frame", disable=hidden, leave=False) as bar:
        yield lambda done: _advance(bar, done)


def _advance(bar: tqdm[object], done: int) -> None:
    if bar.total is not None and done > bar.total:
        bar.total = None
    bar.update(done - bar.n)
