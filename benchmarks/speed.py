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
import resource
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
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
    """Seconds for a plain decode and encode with the product's encoder settings and no change of colours: the floor."""
    import av

    from talkedit_sdk.video.pipeline import Background, prefetch
    from talkedit_sdk.video.writer import ENCODER_OPTIONS

    begin = perf_counter()
    with av.open(str(source)) as given, av.open(str(target), "w") as made:
        video = given.streams.video[0]
        video.thread_type = "AUTO"
        stream = made.add_stream("libx264", rate=video.average_rate, options=ENCODER_OPTIONS)
        stream.width, stream.height, stream.pix_fmt = video.width, video.height, "yuv420p"
        encoder: Background[av.VideoFrame] = Background(lambda frame: made.mux(stream.encode(frame)))
        with encoder:
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


class Stopwatch:
    """Milliseconds that named stages have taken."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        begin = perf_counter()
        yield
        self.spent[name] = self.spent.get(name, 0.0) + 1e3 * (perf_counter() - begin)

    def watch(self, owner: object, attribute: str, name: str) -> None:
        """Counts all calls of a function from now on, wherever it is called by this name."""
        function = getattr(owner, attribute)

        def timed(*arguments: Any, **options: Any) -> Any:
            with self.stage(name):
                return function(*arguments, **options)

        setattr(owner, attribute, timed)


def stages(source: Path, target: Path) -> dict[str, float]:
    """Milliseconds a frame for each stage on its own, one after the other. `render` holds place, rasterize, sample."""
    from talkedit_sdk import Editor, editor
    from talkedit_sdk.render import canvas, renderer
    from talkedit_sdk.render.rasterizer import make_rasterizer
    from talkedit_sdk.video.source import open_source
    from talkedit_sdk.video.writer import VideoWriter

    watch, tool, video = Stopwatch(), Editor.load(device="cpu"), open_source(source)
    with watch.stage("decode"):
        decoded = list(islice(video.frames(), _STAGE_FRAMES))
    frames = [frame.rgb for frame in decoded]
    for _ in tool.edit(frames[:8], "happy", progress=False).frames():
        pass  # compiles the loops, or loads them
    watch.watch(editor, "fit", "fit")
    watch.watch(renderer.Renderer, "place", "place")
    watch.watch(type(make_rasterizer("cpu")), "map", "rasterize")
    watch.watch(canvas, "sample", "sample")
    with watch.stage("track"):
        clip = tool.watch(frames, fps=float(video.info.fps), progress=False)
    watch.spent["track"] -= watch.spent["fit"]
    with watch.stage("motion"):
        result = tool.edit(clip, "happy", progress=False)
    with watch.stage("render"):
        edited = list(result.frames())
    with watch.stage("encode"), VideoWriter(target, video) as writer:
        for frame in edited:
            writer.write(frame)
    return {name: watch.spent[name] / len(frames) for name in STAGES}


def measure(source: Path, size: str, seconds: float, folder: Path) -> dict[str, Any]:
    """Everything about one frame size. The floor and the edit take turns, so that a busy moment hits both."""
    clip, made = folder / f"{size}.mp4", folder / f"{size}-made.mp4"
    in_child(make_clip, source, clip, SIZES[size], round(25 * seconds))
    in_child(edit, clip, made)  # compiles what is not compiled yet
    floors, edits = [], []
    for _ in range(_REPEATS):
        floors.append(in_child(transcode, clip, made))
        edits.append(in_child(edit, clip, made))
    frames = edits[0]["frames"]
    taken, floor = (statistics.median(times) for times in ([e["seconds"] for e in edits], floors))
    return {
        "size": "x".join(map(str, SIZES[size])),
        "frames": frames,
        "edited": edits[0]["edited"],
        "floor_fps": frames / floor,
        "fps": frames / taken,
        "ratio": taken / floor,
        "memory": max(e["memory"] for e in edits),
        "stages": in_child(stages, clip, made),
    }


def measure_memory(source: Path, minutes: float, folder: Path) -> dict[str, Any]:
    """Peak memory of a long edit at 720p."""
    clip = folder / "long.mp4"
    in_child(make_clip, source, clip, SIZES["720"], round(25 * 60 * minutes))
    found = in_child(edit, clip, folder / "long-made.mp4")
    return {"minutes": minutes, **found, "fps": found["frames"] / found["seconds"]}


def table(header: Iterable[str], lines: Iterable[Iterable[str]]) -> str:
    """Markdown."""
    names = list(header)
    rows = [names, [":--", *["--:"] * (len(names) - 1)], *map(list, lines)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def report(found: dict[str, Any]) -> str:
    machine = found["machine"]
    parts = [f"{machine['cores']} cores, load {machine['load']:.1f} at the start."]
    if "long" in found:
        long = found["long"]
        parts.append(
            f"{long['minutes']:g} minutes of 720p ({long['frames']} frames): peak {long['memory']:.0f} MB, "
            f"{long['fps']:.1f} frames a second."
        )
        return "\n\n".join(parts)
    sizes = found["sizes"]
    columns = {
        "size": "{size}",
        "frames": "{frames}",
        "edited": "{edited}",
        "floor, fps": "{floor_fps:.1f}",
        "edit, fps": "{fps:.1f}",
        "times the floor": "{ratio:.2f}",
        "peak MB": "{memory:.0f}",
    }
    parts.append(table(columns, ([cell.format(**size) for cell in columns.values()] for size in sizes)))
    parts.append(
        table(
            ["ms a frame", *(s["size"] for s in sizes)],
            ([name, *(f"{s['stages'][name]:.2f}" for s in sizes)] for name in STAGES),
        )
    )
    start = found["start_up"]
    parts.append(f"import {start['import']:.2f} s, Editor.load {start['load']:.2f} s (medians of fresh processes)")
    return "\n\n".join(parts)


def main() -> None:
    arguments = _arguments()
    found: dict[str, Any] = {"machine": {"cores": os.cpu_count(), "load": os.getloadavg()[0]}}
    with tempfile.TemporaryDirectory(prefix="talkedit-speed-") as name:
        folder = Path(name)
        if arguments.minutes is not None:
            found["long"] = measure_memory(arguments.video, arguments.minutes, folder)
        else:
            starts = [in_child(start_up) for _ in range(_REPEATS)]
            found["start_up"] = {key: statistics.median(start[key] for start in starts) for key in starts[0]}
            found["sizes"] = [measure(arguments.video, s, arguments.seconds, folder) for s in arguments.sizes]
    print(report(found))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measures the speed and the memory of edits.")
    parser.add_argument("--video", type=Path, default=EXAMPLE, help="made into clips of each size (examples/talk.mp4)")
    parser.add_argument("--sizes", type=_sizes, default=tuple(SIZES), help="comma-separated (512,720,1080)")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of the clips (10)")
    parser.add_argument("--minutes", type=float, help="measure only the memory of one edit of this length at 720p")
    parser.add_argument("--json", type=Path, help="file for the same numbers")
    return parser.parse_args()


def _sizes(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if not set(names) <= set(SIZES):
        raise argparse.ArgumentTypeError(f"choose from {', '.join(SIZES)}")
    return names


if __name__ == "__main__":
    main()
