"""Measures how fast edits are, stage by stage, and how much memory they take. See README.md.

    python benchmarks/speed.py [--video FILE] [--sizes 512,720,1080] [--seconds 10] [--json FILE]
    python benchmarks/speed.py --minutes 10

Everything runs in fresh processes, and this one imports nothing heavy: it would show in their memory and import time.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import resource
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any, Final, TypeVar

EXAMPLE: Final = Path(__file__).parents[1] / "examples" / "talk.mp4"
SIZES: Final = {"512": (512, 512), "720": (1280, 720), "1080": (1920, 1080)}
STAGES: Final = ("decode", "track", "fit", "motion", "place", "rasterize", "sample", "render", "encode")

_STAGE_FRAMES: Final = 100  # held in memory
_REPEATS: Final = 3

Result = TypeVar("Result")


def in_child(function: Callable[..., Result], *arguments: object) -> Result:
    """Calls a function of this module in a fresh process."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        return pool.submit(function, *arguments).result()


def peak_memory() -> float:
    """MB that this process has held at most."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would count what the parent held before the process became this one
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 1024)


def start_up() -> dict[str, float]:
    """Seconds for the import and for `Editor.load`."""
    begin = perf_counter()
    import talkedit_sdk

    imported = perf_counter()
    talkedit_sdk.Editor.load()
    return {"import": imported - begin, "load": perf_counter() - imported}


def make_clip(source: Path, target: Path, size: tuple[int, int], frames: int) -> None:
    """Scales a video into a frame of `size`, pads the sides, and repeats it until there are enough frames."""
    import av
    import cv2
    import numpy as np

    width, height = size
    with av.open(str(source)) as given, av.open(str(target), "w") as made:
        video = given.streams.video[0]
        stream = made.add_stream("libx264", rate=video.average_rate or Fraction(25), options={"crf": "18"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        count = 0
        while count < frames:
            given.seek(0)
            for frame in islice(given.decode(video), frames - count):
                scale = min(width / frame.width, height / frame.height)
                inner = round(frame.width * scale), round(frame.height * scale)
                picture = cv2.resize(frame.to_ndarray(format="rgb24"), inner, interpolation=cv2.INTER_CUBIC)
                left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
                canvas = np.zeros((height, width, 3), np.uint8)
                canvas[top : top + inner[1], left : left + inner[0]] = picture
                made.mux(stream.encode(av.VideoFrame.from_ndarray(canvas, format="rgb24")))
                count += 1
        made.mux(stream.encode())


def transcode(source: Path, target: Path) -> float:
    """Seconds for a plain decode and encode with the product's encoder settings, no conversion of colours: the floor."""
    import av

    from talkedit_sdk.video.pipeline import Background, prefetch
    from talkedit_sdk.video.writer import ENCODER_OPTIONS

    begin = perf_counter()
    with av.open(str(source)) as given, av.open(str(target), "w") as made:
        video = given.streams.video[0]
        video.thread_type = "AUTO"
        stream = made.add_stream("libx264", rate=video.average_rate, options=ENCODER_OPTIONS)
        stream.width, stream.height, stream.pix_fmt = video.width, video.height, "yuv420p"
        with Background(lambda frame: made.mux(stream.encode(frame))) as encoder:
            for frame in prefetch(given.decode(video)):
                encoder.put(frame)
        made.mux(stream.encode())
    return perf_counter() - begin


def edit(source: Path, target: Path) -> dict[str, float]:
    """Seconds for the whole edit of a file into a file, once the editor is loaded; frames; MB."""
    from talkedit_sdk import Editor

    editor = Editor.load()
    begin = perf_counter()
    result = editor.edit(source, "happy", progress=False)
    result.save(target, progress=False)
    seconds = perf_counter() - begin
    return {
        "seconds": seconds,
        "frames": result.report.frames,
        "edited": result.report.edited_frames,
        "memory": peak_memory(),
    }


def stages(source: Path, target: Path) -> dict[str, float]:
    """Milliseconds a frame for each stage on its own, one after the other; `render` includes the three before it."""
    from talkedit_sdk import Clip
    from talkedit_sdk.editor import Editor
    from talkedit_sdk.face.fit import fit
    from talkedit_sdk.face.model import FaceModel
    from talkedit_sdk.face.tracker import FaceMeshTracker
    from talkedit_sdk.render import renderer
    from talkedit_sdk.render.raster_numba import NumbaRasterizer
    from talkedit_sdk.render.sheet import Sheet
    from talkedit_sdk.video.source import open_source
    from talkedit_sdk.video.writer import VideoWriter
