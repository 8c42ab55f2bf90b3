"""How the command line talks: results on standard output, one line for every error, a bar for long work, Ctrl-C."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any, Final

import typer

from talkedit_sdk.errors import Cancelled, OptionError, TalkEditError
from talkedit_sdk.progress import Progress

FAILED: Final = 1
MISUSED: Final = 2
CANCELLED: Final = 130

_USAGE_ERROR: Final = typer.BadParameter.__bases__[0]
"""click's UsageError: newer versions of typer bring a click of their own, without naming it in public."""


@dataclass
class Session:
    """One run of `talkedit`: what was typed, and whether errors are told as JSON or with their traceback."""

    arguments: Sequence[str]
    as_json: bool
    debug: bool = False

    def fail(self, error: BaseException) -> int:
        """Tells an error in one line and returns the exit code."""
        code, message = self._explain(error)
        if self.debug:
            traceback.print_exception(error)
        if self.as_json:
            emit({"error": {"type": type(error).__name__, "message": message}})
        else:
            print(f"error: {message}", file=sys.stderr)
        return code

    def _explain(self, error: BaseException) -> tuple[int, str]:
        if isinstance(error, (KeyboardInterrupt, Cancelled, typer.Abort)):
            return CANCELLED, "Cancelled; no unfinished file was left behind."
        if isinstance(error, TalkEditError):
            return MISUSED if isinstance(error, OptionError) else FAILED, one_line(str(error))
        if isinstance(error, _USAGE_ERROR):
            context = getattr(error, "ctx", None)
            command = context.command_path if context else "talkedit"
            message = one_line(error.format_message()).removesuffix(".")  # type: ignore[attr-defined]
            return MISUSED, f"{message}; try `{command} --help`."
        what = one_line(f"{type(error).__name__} ({error})")
        again = one_line(shlex.join(["talkedit", "--debug", *self.arguments]))
        return FAILED, f"Unexpected {what}; this is a fault in talkedit, and `{again}` shows where."


def one_line(text: str) -> str:
    """Text on one line, without anything that a file name could use to control the terminal."""
    return "".join(sign if sign.isprintable() else "?" for sign in " ".join(text.split()))


def emit(result: Mapping[str, Any]) -> None:
    """Prints one JSON object."""
    print(json.dumps(result, indent=2))


def print_facts(facts: Mapping[str, Any], indent: str = "") -> None:
    """Prints one fact a line, nested ones indented."""
    for name, value in facts.items():
        if isinstance(value, dict):
            print(f"{indent}{one_line(name)}")
            print_facts(value, indent + "  ")
        else:
            print(f"{indent}{one_line(name):<24}{one_line(_in_words(value))}")


def _in_words(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "unknown" if value is None else str(value)


def drop_output() -> None:
    """Stops the interpreter from complaining at its end about a reader that has gone."""
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, sys.stdout.fileno())
    os.close(sink)


@contextmanager
def working(label: str, quiet: bool) -> Iterator[Callable[[Progress], bool]]:
    """Yields a progress callback that draws a bar on a terminal.

    Once frames are being worked on, the first Ctrl-C (or SIGTERM) ends the work after the current one, when no native
    code and no file is half done. Before that, and when pressed again, it interrupts at once.

    Raises:
        Cancelled: on leaving, when the work ended without having noticed.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    started = asked = False

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked or not started:
            raise KeyboardInterrupt
        asked = True

    console = Console(stderr=True)
    bar = Bar(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("frames"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=quiet or not console.is_terminal,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    task = bar.add_task(label, total=None)

    def advance(progress: Progress) -> bool:
        nonlocal started
        started = True
        total = progress.total if progress.total is None else max(progress.total, progress.done)
        bar.update(task, completed=progress.done, total=total)
        return not asked

    previous = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        bar.start()
        yield advance
        if asked:
            raise Cancelled("The work was stopped.")
    finally:
        bar.stop()
        for number, handler in previous.items():
            signal.signal(number, handler)
