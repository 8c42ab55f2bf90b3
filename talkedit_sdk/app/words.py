"""Reports and errors in words for the page."""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from talkedit_sdk.app import texts
from talkedit_sdk.errors import Cancelled, TalkEditError
from talkedit_sdk.report import EditReport
from talkedit_sdk.terminal import one_line

_MOST: Final = 8


def report(result: EditReport) -> str:
    """HTML: how many frames were edited, which were not and why."""
    if result.frames == 1 and result.edited_frames == 1:
        summary = texts.ONE_EDITED
    elif result.edited_frames == result.frames:
        summary = texts.ALL_EDITED.format(frames=result.frames)
    elif result.edited_frames:
        summary = texts.SOME_EDITED.format(edited=result.edited_frames, frames=result.frames)
    else:
        summary = texts.NONE_EDITED
    skipped = result.skipped
    lines = [texts.STRETCH.format(begin=s.begin, end=s.end, reason=texts.REASONS[s.reason]) for s in skipped[:_MOST]]
    if len(skipped) > _MOST:
        lines.append(texts.MORE_STRETCHES.format(count=len(skipped) - _MOST))
    items = "".join(f"<li>{html.escape(line)}</li>" for line in [*lines, *result.notes])
    return f"<h3>{texts.REPORT}</h3><p>{html.escape(summary)}</p>" + (f"<ul>{items}</ul>" if items else "")


def apology(error: Exception, names: Mapping[Path, str]) -> str:
    """One sentence for whatever went wrong. `names` tells what the visitor calls the files of the server."""
    if not isinstance(error, TalkEditError):
        return texts.UNEXPECTED
    told = texts.CANCELLED if isinstance(error, Cancelled) else str(error)
    for path, name in names.items():
        told = told.replace(str(path), name)
    return one_line(told)
