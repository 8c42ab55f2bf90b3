"""Results as tables, CSV, thumbnails and JSON, for the command line."""

from __future__ import annotations

import csv
import itertools
import json
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from talkedit_sdk.video.output import explaining, replacing

if TYPE_CHECKING:
    from rich.table import Table

    from talkedit_sdk.clip import Curves, Face
    from talkedit_sdk.report import EditReport
    from talkedit_sdk.video.types import VideoInfo


def face_table(faces: Sequence[Face]) -> Table:
    """Who is in a clip."""
    from rich.table import Table

    table = Table("face", "in frames", "from", "to", "largest at", "left, top, width x height")
    for face in faces:
        left, top, width, height = face.box
        table.add_row(
            str(face.index),
            f"{face.share:.0%}",
            *(f"{seconds:.2f} s" for seconds in (face.begin, face.end, face.seconds)),
            f"{left}, {top}, {width} x {height}",
        )
    return table


def face_json(face: Face) -> dict[str, Any]:
    box = dict(zip(("left", "top", "width", "height"), face.box, strict=True))
    return {
        "index": face.index,
        "share": round(face.share, 4),
        "begin": round(face.begin, 6),
        "end": round(face.end, 6),
        "largest_at": round(face.seconds, 6),
        "box": box,
    }


def report_json(report: EditReport) -> dict[str, Any]:
    skipped = [
        {"reason": s.reason, "begin": round(s.begin, 6), "end": round(s.end, 6), "frames": s.stop - s.start}
        for s in report.skipped
    ]
    return {
        "frames": report.frames,
        "edited_frames": report.edited_frames,
        "faces": report.faces,
        "edited_faces": list(report.edited),
        "skipped": skipped,
        "notes": list(report.notes),
    }


def info_json(info: VideoInfo) -> dict[str, Any]:
    return {
        "path": str(info.path),
        "kind": info.kind,
        "width": info.width,
        "height": info.height,
        "fps": round(float(info.fps), 6),
        "frames": info.frame_count,
        "duration": info.duration,
        "rotation": info.rotation,
        "pixel_aspect": round(float(info.pixel_aspect), 6),
        "codec": info.codec,
        "pixel_format": info.pixel_format,
        "audio": list(info.audio_codecs),
        "hdr": info.hdr,
    }


def write_curves(target: Path, curves: Sequence[Curves], faces: Sequence[int]) -> int:
    """Writes a CSV with one row for each frame and face and returns the number of rows. Columns: face, frame, time in
    seconds, `before_<name>` and `after_<name>` for the 52 ARKit blendshapes.

    Raises:
        OutputError: the file cannot be written; what was there before is untouched.
    """
    names = curves[0].names
    header = ("face", "frame", "time", *(f"before_{name}" for name in names), *(f"after_{name}" for name in names))
    count = 0
    with replacing(target) as temporary, explaining(target), temporary.open("w", newline="", encoding="ascii") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for face, curve in zip(faces, curves, strict=True):
            for frame, time, *values in zip(curve.frames, curve.times, curve.before, curve.after, strict=True):
                numbers = (f"{value:.5f}" for value in itertools.chain(*values))
                writer.writerow((face, int(frame), f"{time:.6f}", *numbers))
                count += 1
    return count


def write_thumbnail(path: Path, face: Face) -> Path:
    """Writes the picture of a face as PNG, into a folder that is created if its parent exists.

    Raises:
        OutputError: the file cannot be written.
    """
    from PIL import Image

    with explaining(path):
        path.parent.mkdir(exist_ok=True)
    with replacing(path) as temporary, explaining(path):
        Image.fromarray(face.thumbnail).save(temporary, format="PNG")
    return path


def installation(weights: Path | None) -> dict[str, Any]:
    """Versions, device, and the weights with what their training measured.

    Raises:
        WeightsError: they cannot be used.
    """
    import torch

    from talkedit_sdk.editor import EMBEDDED
    from talkedit_sdk.face.model import FaceModel

    folder = weights or EMBEDDED
    FaceModel.load(folder)
    card = json.loads((folder / "face.json").read_text(encoding="utf-8"))
    names = ("torch", "av", "mediapipe", "numba", "opencv-contrib-python", "numpy")
    return {
        "talkedit": version("talkedit"),
        "python": platform.python_version(),
        **{name: version(name) for name in names},
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "threads": torch.get_num_threads(),
        "weights": {"folder": str(folder), **{key: card[key] for key in card if key != "blendshapes"}},
    }
