"""From a folder of videos and photos to landmarks and teacher scores, cached per file."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from talkedit_sdk.errors import InputError, OptionError
from talkedit_sdk.face.graph import silence
from talkedit_sdk.face.topology import INDEX, VERTICES
from talkedit_sdk.face.track import Tracker
from talkedit_sdk.training.basis import Recording
from talkedit_sdk.video.source import open_source

SUFFIXES: Final = frozenset({".mp4", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".ogv", ".jpg", ".jpeg", ".png", ".webp"})
_MARGIN: Final = 0.9  # half side of the crop that the teacher sees, in longest sides of the landmark box

Arrays: TypeAlias = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Item:
    """One file to learn from. `person` groups files, `role` says whether weights may be trained on it (`train`),
    `expression` what it shows, in words, if anybody said so."""

    path: Path
    person: str
    role: str = "train"
    expression: str = ""


def list_items(data: Path) -> list[Item]:
    """Files of a folder. An `index.csv` in it with columns file, person, role (and tier, where rows that are not `core`
    are left out) says who is who; without one every file is a person of their own.

    Raises:
        OptionError: the folder holds nothing to learn from.
    """
    index = data / "index.csv"
    if index.is_file():
        with index.open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if row.get("file") and row.get("tier", "core") == "core"]
        items = [
            Item(data / r["file"], r.get("person") or r["file"], r.get("role") or "train", r.get("expression") or "")
            for r in rows
        ]
    else:
        paths = sorted(path for path in data.rglob("*") if path.suffix.lower() in SUFFIXES)
        items = [Item(path, path.stem) for path in paths]
    if not items:
        raise OptionError(f"There are no videos or photos in {data}; name a folder that holds some.")
    return items


class Teacher:
    """Google's MediaPipe Face Landmarker, for its 52 blendshape scores. Used in training only."""

    def __init__(self, bundle: Path) -> None:
        import mediapipe as mp

        if not bundle.is_file():
            raise OptionError(
                f"There is no teacher model at {bundle}; pass --teacher with the path of face_landmarker.task."
            )
        vision = mp.tasks.vision
        options = vision.FaceLandmarkerOptions(
            base_options=mp.tasks.BaseOptions(model_asset_path=str(bundle)),
            output_face_blendshapes=True,
            min_face_detection_confidence=0.3,
            min_face_presence_confidence=0.3,
        )
        with silence():
            self._landmarker: Any = vision.FaceLandmarker.create_from_options(options)
        self._mp = mp

    def scores(self, rgb: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """(52,) scores of the face at `landmarks`, None where the teacher does not see it."""
        low, high = landmarks[:, :2].min(0), landmarks[:, :2].max(0)
        centre, half = (low + high) / 2, _MARGIN * float((high - low).max())
        limits = rgb.shape[1::-1]
        x0, y0 = (max(int(centre[i] - half), 0) for i in (0, 1))
        x1, y1 = (min(int(centre[i] + half), limits[i]) for i in (0, 1))
        crop = np.ascontiguousarray(rgb[y0:y1, x0:x1])
        if min(crop.shape[:2]) < 16:
            return None
        if max(crop.shape[:2]) < 256:
            crop = cv2.resize(crop, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
        found = self._landmarker.detect(
            self._mp.Image(image_format=self._mp.ImageFormat.SRGB, data=crop)
        ).face_blendshapes
        if not found:
            return None
        scores = np.zeros(len(INDEX), np.float32)
        for category in found[0]:
            if category.category_name in INDEX:
                scores[INDEX[category.category_name]] = category.score
        return scores


def recordings(items: list[Item], tracker: Tracker, teacher: Teacher, cache: Path) -> Iterator[tuple[Item, Recording]]:
    """Tracks and scores the largest face of every file; what was done before is read from `cache`."""
    cache.mkdir(parents=True, exist_ok=True)
    for item in tqdm(items, desc="Landmarks and scores", unit="file", disable=None):
        if not item.path.is_file():
            tqdm.write(f"skipped {item.path.name}: there is no such file")
            continue
        arrays = measured(item.path, cache, lambda path: _measure(path, tracker, teacher))
        vertices, scores = arrays["vertices"], arrays["scores"]
        if len(vertices):
            yield item, Recording(item.path.name, item.person, torch.from_numpy(vertices), torch.from_numpy(scores))


def measured(path: Path, cache: Path, measure: Callable[[Path], Arrays], version: str = "") -> Arrays:
    """What `measure` says of a file; of the same file and version it is asked once, and its answer kept in `cache`."""
    key = hashlib.sha256(f"{version}{path.resolve()}:{path.stat().st_size}".encode()).hexdigest()[:24]
    stored = cache / f"{key}.npz"
    if not stored.exists():
        partial = stored.with_suffix(".partial.npz")
        np.savez_compressed(partial, **measure(path))
        partial.replace(stored)
    with np.load(stored, allow_pickle=False) as arrays:
        return dict(arrays)


def _measure(path: Path, tracker: Tracker, teacher: Teacher) -> Arrays:
    nothing = {"vertices": np.zeros((0, VERTICES, 3), np.float32), "scores": np.zeros((0, len(INDEX)), np.float32)}
    try:
        source = open_source(path)
    except InputError as error:
        tqdm.write(f"skipped {path.name}: {error}")
        return nothing
    try:
        faces = tracker.track(source.frames()).faces
        if not faces:
            return nothing
        where = dict(zip(faces[0].frames.tolist(), faces[0].landmarks, strict=True))
        pairs = [(where[f.index], teacher.scores(f.rgb, where[f.index])) for f in source.frames() if f.index in where]
    finally:
        source.close()
    kept = [(landmarks[:VERTICES], scores) for landmarks, scores in pairs if scores is not None]
    if not kept:
        return nothing
    return {"vertices": np.stack([v for v, _ in kept]).astype(np.float32), "scores": np.stack([s for _, s in kept])}
