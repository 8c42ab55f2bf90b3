"""Results as tables, CSV, thumbnails and JSON, for the command line."""

from __future__ import annotations

import csv
import itertools
import json
import math
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from talkedit_sdk.errors import WeightsError
from talkedit_sdk.video.output import explaining, replacing

if TYPE_CHECKING:
    from rich.table import Table

    from talkedit_sdk.clip import Curves, Face
    from talkedit_sdk.report import EditReport
    from talkedit_sdk.video.types import VideoInfo

_MAX_FACTS_BYTES: Final = 2**20


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
    from talkedit_sdk.provenance import read_record

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
        "edited_with_talkedit": read_record(info),
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


def weights_json(folder: Path) -> dict[str, Any]:
    """What a folder of weights holds and was trained on, by its manifest and the `.json` beside each file of tensors.

    Raises:
        WeightsError: it has no manifest, or a file is missing or differs from it.
    """
    from talkedit_sdk.manifest import MANIFEST, Manifest

    manifest = Manifest.read(folder / MANIFEST, str(folder))
    manifest.check(folder, str(folder))
    files = {
        file.name: {"holds": file.holds, "bytes": file.size, "sha256": file.sha256, **_contents(folder / file.name)}
        for file in manifest.files
    }
    return {"folder": str(folder), "talkedit": f"{manifest.min_version} or newer", "checksums_ok": True, **files}


def _contents(path: Path) -> dict[str, Any]:
    """Numbers of tensors and parameters, or the plain facts of a JSON file."""
    from safetensors import SafetensorError, safe_open

    try:
        if path.suffix == ".safetensors":
            with safe_open(path, framework="numpy") as file:
                shapes = [file.get_slice(name).get_shape() for name in file.keys()]  # noqa: SIM118 - no mapping
            return {"tensors": len(shapes), "parameters": sum(map(math.prod, shapes))}
        with path.open("rb") as text:
            found = json.loads(text.read(_MAX_FACTS_BYTES))
    except (OSError, ValueError, RecursionError, SafetensorError) as error:
        raise WeightsError(f"{path} cannot be read ({error}); get these weights anew.") from None
    facts: dict[str, Any] = {}
    for name, value in found.items() if isinstance(found, dict) else ():
        if isinstance(value, dict):
            facts[name] = {key: entry for key, entry in value.items() if not isinstance(entry, (dict, list))}
        elif not isinstance(value, list):
            facts[name] = value
    return facts


def installation(weights: str | None, revision: str | None = None) -> dict[str, Any]:
    """Versions, device, and the weights with what their training measured.

    Raises:
        WeightsError: they cannot be used.
        OptionError: see `find_weights`.
    """
    import torch

    from talkedit_sdk.face.model import FaceModel
    from talkedit_sdk.hub import find_weights

    folder = find_weights(weights, revision)
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
