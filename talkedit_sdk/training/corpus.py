"""Who acts what: labelled and unlabelled footage for the motion editor, as coefficients over time.

Four layouts are read: a manifest (CSV with columns file, person, emotion, level), the folders of MEAD
(`M003/video/front/happy/level_2/001.mp4`), the file names of RAVDESS (`01-01-05-02-01-02-12.mp4`), and a folder with an
`index.csv` as `talkedit train face` takes it.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from talkedit_sdk.emotion import Emotion
from talkedit_sdk.errors import InputError, OptionError
from talkedit_sdk.face.fit import fit
from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.face.topology import BLENDSHAPES, LIP_PAIRS, VERTICES
from talkedit_sdk.face.track import FaceTrack, Tracker
from talkedit_sdk.motion.fade import visibility
from talkedit_sdk.motion.mouth import lip_gaps
from talkedit_sdk.motion.windows import even_times, interpolate
from talkedit_sdk.training.dataset import SUFFIXES, measured
from talkedit_sdk.video.source import open_source

_MAX_MANIFEST: Final = 64 * 2**20
_SEEN: Final = 0.5  # visibility above which a frame is learned from
_MEAD: Final = re.compile(r"level_([123])")
_RAVDESS: Final = re.compile(r"\d\d-\d\d-(0[1-8])-(0[12])-\d\d-\d\d-(\d\d)")
_RAVDESS_EMOTIONS: Final = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
_STRONGEST: Final = 3.0


@dataclass(frozen=True)
class Take:
    """One file: `emotion` is None where nobody said what it shows, `strength` is 1 for a full expression."""

    path: Path
    person: str
    role: str
    emotion: Emotion | None
    strength: float


@dataclass(frozen=True)
class Performance:
    """One uninterrupted stretch of a take at `windows.RATE`: coefficients (T, 52), inner-lip gaps (T, 5)."""

    take: Take
    coefficients: Tensor
    gaps: Tensor


@dataclass(frozen=True)
class Stretch:
    """One uninterrupted stretch of a take as it was filmed: coefficients (T, 52), inner-lip gaps (T, 5), and seconds
    from the first picture (T,)."""

    take: Take
    coefficients: Tensor
    gaps: Tensor
    times: Tensor


def strength_of(level: float) -> float:
    """MEAD's levels 1 (weak), 2 and 3 (strong) -> share of a full expression."""
    return 0.1 + 0.3 * level


def list_takes(data: Path) -> list[Take]:
    """Takes of a manifest, a MEAD or RAVDESS folder, or a folder with an index.

    Raises:
        OptionError: there is nothing to learn from, or a row of the manifest makes no sense.
    """
    if data.is_file():
        takes = _manifest(data)
    elif (data / "index.csv").is_file():
        takes = _index(data)
    else:
        takes = _folders(data)
    if not takes:
        raise OptionError(
            f"Nothing to learn from in {data}; give a CSV with columns file, person, emotion, level, or a folder of "
            "videos laid out as in MEAD."
        )
    return takes


def _rows(path: Path) -> list[dict[str, str]]:
    if path.stat().st_size > _MAX_MANIFEST:
        raise OptionError(f"{path} is larger than a list of files can be; give another one.")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return [
                {k: (v or "").strip() for k, v in row.items() if isinstance(k, str)} for row in csv.DictReader(file)
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise OptionError(f"{path} cannot be read as CSV ({error}); save it as UTF-8 with commas.") from None


def _manifest(path: Path) -> list[Take]:
    takes = []
    for number, row in enumerate(_rows(path), start=2):
        if not row.get("file"):
            raise OptionError(f"Line {number} of {path} names no file; the columns are file, person, emotion, level.")
        try:
            level = float(row.get("level") or _STRONGEST)
        except ValueError:
            level = float("nan")
        if not 0 <= level <= _STRONGEST:
            raise OptionError(f"The level in line {number} of {path} is '{row['level']}'; give 1 (weak) to 3 (strong).")
        emotion = Emotion.parse(row["emotion"]) if row.get("emotion") else None
        file = path.parent / row["file"]
        takes.append(
            Take(file, row.get("person") or file.stem, row.get("role") or "train", emotion, strength_of(level))
        )
    return takes


def _index(folder: Path) -> list[Take]:
    return [
        Take(
            folder / row["file"],
            row.get("person") or row["file"],
            row.get("role") or "train",
            named_emotion(row.get("expression", "")),
            strength_of(_STRONGEST),
        )
        for row in _rows(folder / "index.csv")
        if row.get("file") and row.get("tier", "core") == "core"
    ]


def _folders(folder: Path) -> list[Take]:
    takes = []
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES):
        named = _RAVDESS.fullmatch(path.stem)
        if named:
            acted = Emotion.parse(_RAVDESS_EMOTIONS[int(named[1]) - 1])
            takes.append(Take(path, f"Actor_{named[3]}", "train", acted, strength_of(1 + float(named[2]))))
            continue
        parts = path.relative_to(folder).parts
        level = _MEAD.fullmatch(parts[-2]) if len(parts) > 3 else None
        emotion = Emotion.parse(parts[-3]) if level else None
        takes.append(Take(path, parts[0], "train", emotion, strength_of(float(level[1]) if level else _STRONGEST)))
    return takes


def named_emotion(words: str) -> Emotion | None:
    """`joy/talking` -> happy; equal shares of the emotions among the words, None where there is none."""
    shares: dict[str, float] = {}
    for word in words.split("/"):
        with suppress(OptionError):  # talking, wink, grimace
            shares[Emotion.parse(word).label] = 1.0
    return Emotion.parse(shares) if shares else None


def read_performances(takes: list[Take], model: FaceModel, tracker: Tracker, cache: Path) -> Iterator[Performance]:
    """What `read_stretches` finds, at `windows.RATE`."""
    for stretch in read_stretches(takes, model, tracker, cache):
        even = even_times(stretch.times)
        beta, gaps = (interpolate(values, stretch.times, even) for values in (stretch.coefficients, stretch.gaps))
        yield Performance(stretch.take, beta, gaps)


def read_stretches(takes: list[Take], model: FaceModel, tracker: Tracker, cache: Path) -> Iterator[Stretch]:
    """Tracks and fits the largest face of every take; what was done before is read from `cache`."""
    cache.mkdir(parents=True, exist_ok=True)
    version = hashlib.sha256(model.expression.numpy().tobytes()).hexdigest()
    for take in tqdm(takes, desc="Coefficients", unit="file", disable=None):
        if not take.path.is_file():
            tqdm.write(f"skipped {take.path.name}: there is no such file")
            continue
        arrays = measured(take.path, cache, lambda path: _measure(path, model, tracker), f"{version}:")
        beta, gaps, times, segments = (torch.from_numpy(arrays[n]) for n in ("beta", "gaps", "times", "segments"))
        for label in sorted(set(segments.tolist())):
            rows = segments == label
            yield Stretch(take, beta[rows], gaps[rows], times[rows])


def _measure(path: Path, model: FaceModel, tracker: Tracker) -> dict[str, NDArray[Any]]:
    nothing: dict[str, NDArray[Any]] = {
        "beta": np.zeros((0, len(BLENDSHAPES)), np.float32),
        "gaps": np.zeros((0, len(LIP_PAIRS)), np.float32),
        "times": np.zeros(0),
        "segments": np.zeros(0, np.int64),
    }
    try:
        source = open_source(path)
    except InputError as error:
        tqdm.write(f"skipped {path.name}: {error}")
        return nothing
    try:
        tracking = tracker.track(source.frames())
    except InputError as error:
        tqdm.write(f"skipped {path.name}: {error}")
        return nothing
    finally:
        source.close()
    if not tracking.faces:
        return nothing
    return _fitted(tracking.faces[0], tracking.times[tracking.faces[0].frames], model)


def _fitted(track: FaceTrack, times: NDArray[np.float64], model: FaceModel) -> dict[str, NDArray[Any]]:
    found = fit(model, track, times)
    seen = visibility(found, times, track.segments) > _SEEN
    breaks = np.concatenate([[False], (np.diff(track.segments) != 0) | (seen[1:] != seen[:-1])])
    gaps = lip_gaps(found.pose.to_model(torch.from_numpy(np.array(track.landmarks[:, :VERTICES], np.float32))))
    columns = {"beta": found.coefficients.numpy(), "gaps": gaps.numpy(), "times": times, "segments": breaks.cumsum()}
    return {name: column[seen] for name, column in columns.items()}
