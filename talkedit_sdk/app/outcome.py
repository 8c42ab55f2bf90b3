"""Files that go with a rendered edit: a table of its curves, and the source as a browser can play it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Final

from talkedit_sdk.app.studio import Outcome
from talkedit_sdk.tables import write_curves
from talkedit_sdk.video.pipeline import Background, prefetch
from talkedit_sdk.video.source import open_source
from talkedit_sdk.video.types import VideoInfo
from talkedit_sdk.video.writer import VideoWriter

_PLAYABLE: Final = {".mp4": ("h264", "av1"), ".m4v": ("h264",), ".mov": ("h264",), ".webm": ("vp8", "vp9", "av1")}


def write_table(outcome: Outcome) -> Path:
    """The coefficients of every edited face before and after, as `talkedit export-curves` writes them."""
    target = outcome.path.with_suffix(".csv")
    write_curves(target, outcome.curves, outcome.report.edited)
    return target


def playable(info: VideoInfo, folder: Path) -> Path:
    """The file itself where every browser plays its kind, else a copy in mp4, made once."""
    assert info.path is not None
    if info.codec in _PLAYABLE.get(info.path.suffix, ()) and info.pixel_format in ("yuv420p", "yuvj420p"):
        return info.path
    copy = folder / "source-playable.mp4"
    if not copy.exists():
        source = open_source(info.path)
        with (
            VideoWriter(copy, source) as writer,
            Background(writer.write) as encoder,
            closing(prefetch(source.frames())) as frames,
        ):
            for frame in frames:
                encoder.put(frame)
    return copy
