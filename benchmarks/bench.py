"""Edits a clip in every way asked for, tracks the edited face anew, and measures it against the source."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

import metrics
import numpy as np
import sheets
from numpy.typing import NDArray
from tables import CONTROL, NAN, Row

from talkedit_sdk import Clip, Editor, EditResult
from talkedit_sdk.face.track import FaceTrack
from talkedit_sdk.face.tracker import FaceMeshTracker
from talkedit_sdk.render.sampling import sample
from talkedit_sdk.video.source import open_source
from talkedit_sdk.video.types import Frame

_LINEAR: Final = (0.25, 0.5, 0.75, 1.0)
_LINEAR_FRAMES: Final = 6
_PIXELS_EVERY: Final = 3  # frames; pixel measures hardly differ between neighbours
_JUDGE_EVERY: Final = 6
_SHEET_ROWS, _SHEET_SIDE = 4, 300
_STRIP_FRAMES, _STRIP_SIDE = 8, 200
_CONTROL_SHIFT: Final = 0.37  # pixels

Pictures = list[NDArray[np.uint8]]


@dataclass(frozen=True)
class Plan:
    """What to measure of each clip, and where the sheets go."""

    emotions: tuple[str, ...]
    intensities: tuple[float, ...]
    mouth_weights: tuple[float, ...]
    frames: int
    judge: Path | None
    out: Path


@dataclass(frozen=True)
class Speaker:
    """The largest face of a clip, and what its edits are compared with.

    Members:
        track: the face in `pictures`; opening, shapes, energy and odds have a row for each of its N frames.
        rest: (468, 3) mean face, the origin of `shapes` (N, 468, 3).
        opening: (N,) of the mouth.
        energy: (N, 2) sharpness and skin detail, NaN in the frames that pixel measures leave out.
        probabilities: (N, 7) of the judge, NaN in the frames that it does not see.
    """

    name: str
    pictures: Pictures
    fps: float
    clip: Clip
    track: FaceTrack
    rest: NDArray[Any]
    shapes: NDArray[Any]
    opening: NDArray[Any]
    energy: NDArray[Any]
    probabilities: NDArray[Any]


class Judge:
    """An emotion classifier from outside the repository, see README.md."""

    def __init__(self, folder: Path | None) -> None:
        self.labels: tuple[str, ...] = ()
        if folder is not None:
            spec = importlib.util.spec_from_file_location("judge", folder / "judge.py")
            if spec is None or spec.loader is None:
                raise SystemExit(f"There is no judge.py in {folder}.")
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            self.labels, self._network = tuple(module.LABELS), module.MiniXception()

    def probabilities(self, pictures: Pictures, frames: NDArray[Any], landmarks: NDArray[Any]) -> NDArray[Any]:
        """(N, labels): NaN except in every `_JUDGE_EVERY`-th frame of the clip."""
        found = np.full((len(frames), max(len(self.labels), 1)), np.nan)
        if self.labels:
            for row in np.flatnonzero(frames % _JUDGE_EVERY == 0):
                found[row] = self._network.judge(pictures[frames[row]], landmarks[row])
        return found

    def verdict(self, emotion: str, source: NDArray[Any], edited: NDArray[Any]) -> dict[str, float]:
        """Fields of `Row`. `rose` leaves neutral out unless it is the target: every emotion makes a face less
        neutral.
        """
        seen = np.isfinite(source[:, 0]) & np.isfinite(edited[:, 0])
        if emotion not in self.labels or not seen.any():
            return {}
        target = self.labels.index(emotion)
        gains = (metrics.log_odds(edited[seen]) - metrics.log_odds(source[seen])).mean(0)
        rivals = [i for i, label in enumerate(self.labels) if label != "neutral" or i == target]
        return {
            "gain": float(gains[target]),
            "named": float((edited[seen].argmax(1) == target).mean()),
            "named_source": float((source[seen].argmax(1) == target).mean()),
            "rose": float(max(rivals, key=lambda i: gains[i]) == target),
        }


class Bench:
    """Measures clips one after the other."""

    def __init__(self, plan: Plan) -> None:
        self._plan, self._judge = plan, Judge(plan.judge)
        self._editor, self._tracker = Editor.load(), FaceMeshTracker()

    def measure(self, path: Path) -> list[Row]:
        """All rows of a clip, none if it shows no face. Writes its contact sheets.

        Raises:
            TalkEditError: the clip cannot be read.
        """
        speaker = self._watch(path)
        if speaker is None:
            return []
        rows = [self._row(speaker, CONTROL, 0.0, 0.0, _resampled(speaker))]
        original = _Crops.of(speaker, speaker.pictures)
        for weight in self._plan.mouth_weights:
            crops = {"original": original}
            for emotion in self._plan.emotions:
                for intensity in self._plan.intensities:
                    result = self._edit(speaker, emotion, intensity, weight)
                    pictures = [frame.rgb for frame in result.frames()]
                    row = self._row(speaker, emotion, weight, intensity, pictures)
                    full = result.report.strength[speaker.track.frames] >= 0.98 * intensity
                    rows.append(replace(row, edited=float(full.mean())))
                crops[emotion] = _Crops.of(speaker, pictures)
                rows[-1] = replace(rows[-1], **self._over_intensity(speaker, emotion, weight))
            name = f"{speaker.name}_mouth{weight:g}"
            sheets.write_by_column(self._plan.out / f"{name}.png", {e: c.sheet for e, c in crops.items()})
            sheets.write_by_row(self._plan.out / f"{name}_strip.png", {e: c.strip for e, c in crops.items()})
        return rows

    def _watch(self, path: Path) -> Speaker | None:
        source = open_source(path)
        fps = float(source.info.fps)
        pictures = [frame.rgb for frame in islice(source.frames(), self._plan.frames)]
        clip = self._editor.watch(pictures, fps=fps, progress=False)
        if not clip.tracking.faces:
            return None
        track = clip.tracking.faces[0]
        rest = metrics.rest_shape(track.landmarks)
        return Speaker(
            name=path.stem,
            pictures=pictures,
            fps=fps,
            clip=clip,
            track=track,
            rest=rest,
            shapes=metrics.in_model_space(track.landmarks, rest),
            opening=metrics.mouth_opening(track.landmarks),
            energy=_energy(pictures, track.frames, track.landmarks),
            probabilities=self._judge.probabilities(pictures, track.frames, track.landmarks),
        )

    def _edit(self, speaker: Speaker, emotion: str, intensity: float, mouth_weight: float) -> EditResult:
        return self._editor.edit(speaker.clip, emotion, intensity, mouth_weight, progress=False)

    def _row(self, speaker: Speaker, emotion: str, weight: float, intensity: float, pictures: Pictures) -> Row:
        mine, theirs, track = self._follow(speaker, pictures)
        if track is None:
            return Row(speaker.name, emotion, weight, intensity, len(pictures), found=0.0)
        before, after, frames = speaker.track.landmarks[mine], track.landmarks[theirs], track.frames[theirs]
        opening = metrics.mouth_opening(after)
        drift = metrics.pose_drift(before, after, speaker.rest)
        # The source's hull for both: the sharpness of the same part of the picture.
        energy = np.nanmean(_energy(pictures, frames, before) / speaker.energy[mine], axis=0)
        untouched = (
            [
                metrics.untouched_share(speaker.pictures[frame], pictures[frame], before[row])
                for row, frame in enumerate(frames)
                if frame % _PIXELS_EVERY == 0
            ]
            if emotion != CONTROL
            else [NAN]
        )
        probabilities = self._judge.probabilities(pictures, frames, after)
        return Row(
            clip=speaker.name,
            emotion=emotion,
            mouth_weight=weight,
            intensity=intensity,
            frames=len(pictures),
            found=len(mine) / len(speaker.track.frames),
            mouth=metrics.mouth_correlation(speaker.opening[mine], opening),
            closures=metrics.closure_recall(speaker.opening[mine], opening, frames),
            drift=float(drift.mean()),
            drift95=float(np.percentile(drift, 95)),
            jitter=metrics.jitter_ratio(speaker.shapes[mine], metrics.in_model_space(after, speaker.rest), frames),
            sharpness=float(energy[0]),
            detail=float(energy[1]),
            untouched=float(np.mean(untouched)),
            **self._judge.verdict(emotion, speaker.probabilities[mine], probabilities),
        )

    def _follow(
        self, speaker: Speaker, pictures: Iterable[NDArray[np.uint8]]
    ) -> tuple[NDArray[Any], NDArray[Any], FaceTrack | None]:
        """The speaker tracked anew: rows of the source's track, the same frames' rows of the new one, and that one."""
        frames = (Frame(index, index / speaker.fps, rgb) for index, rgb in enumerate(pictures))
        best: tuple[NDArray[Any], NDArray[Any], FaceTrack | None] = (np.empty(0, int), np.empty(0, int), None)
        nearest = float("inf")
        for track in self._tracker.track(frames).faces:
            _, mine, theirs = np.intersect1d(speaker.track.frames, track.frames, return_indices=True)
            if len(mine):
                apart = np.abs(speaker.track.landmarks[mine, :, :2] - track.landmarks[theirs, :, :2]).mean()
                if apart < nearest:
                    nearest, best = float(apart), (mine, theirs, track)
        return best

    def _over_intensity(self, speaker: Speaker, emotion: str, weight: float) -> dict[str, float]:
        """Fields of `Row` that compare intensities: over a few frames, except that 0 has to be the source in all."""
        stop = int(speaker.track.frames[0]) + _LINEAR_FRAMES
        shapes = []
        for intensity in _LINEAR:
            frames = islice(self._edit(speaker, emotion, intensity, weight).frames(), stop)
            mine, theirs, track = self._follow(speaker, [frame.rgb for frame in frames])
            if track is not None:
                shape = metrics.in_model_space(track.landmarks[theirs], speaker.rest)
                shapes.append((shape - speaker.shapes[mine]).mean(0))
        nothing = self._edit(speaker, emotion, 0.0, weight).frames()
        same = [np.array_equal(f.rgb, rgb) for f, rgb in zip(nothing, speaker.pictures, strict=True)]
        complete = len(shapes) == len(_LINEAR)
        return {
            "linearity": metrics.linearity(shapes, _LINEAR) if complete else NAN,
            "zero": float(np.mean(same)),
        }


@dataclass(frozen=True)
class _Crops:
    """Heads for the sheets: a few frames over the clip, and consecutive ones where the mouth moves most."""

    sheet: Pictures
    strip: Pictures

    @classmethod
    def of(cls, speaker: Speaker, pictures: Pictures) -> _Crops:
        count = len(speaker.track.frames)
        spread = [round((i + 0.5) * count / _SHEET_ROWS - 0.5) for i in range(_SHEET_ROWS)]
        windows = range(max(1, count - _STRIP_FRAMES + 1))
        first = max(windows, key=lambda i: np.ptp(speaker.opening[i : i + _STRIP_FRAMES]))
        return cls(
            [cls._crop(speaker, pictures, row, _SHEET_SIDE) for row in spread],
            [cls._crop(speaker, pictures, r, _STRIP_SIDE) for r in range(first, min(first + _STRIP_FRAMES, count))],
        )

    @staticmethod
    def _crop(speaker: Speaker, pictures: Pictures, row: int, side: int) -> NDArray[np.uint8]:
        return sheets.crop(pictures[speaker.track.frames[row]], speaker.track.landmarks[row], side)


def _energy(pictures: Pictures, frames: NDArray[Any], landmarks: NDArray[Any]) -> NDArray[Any]:
    energy = np.full((len(frames), 2), np.nan)
    for row in np.flatnonzero(frames % _PIXELS_EVERY == 0):
        rgb = pictures[frames[row]]
        energy[row] = metrics.sharpness(rgb, landmarks[row]), metrics.skin_detail(rgb, landmarks[row])
    return energy


def _resampled(speaker: Speaker) -> Pictures:
    """The source with the surroundings of the face moved by part of a pixel: what any rendering has to cost."""
    pictures = list(speaker.pictures)
    for frame, landmarks in zip(speaker.track.frames, speaker.track.landmarks, strict=True):
        rgb = pictures[frame]
        low, high = landmarks[:, :2].min(0), landmarks[:, :2].max(0)
        margin = 0.3 * (high - low)
        left, top = np.maximum(low - margin, 0).astype(int)
        right, bottom = np.minimum(high + margin, rgb.shape[1::-1]).astype(int)
        rows, columns = np.mgrid[top:bottom, left:right].astype(np.float32) + _CONTROL_SHIFT
        pictures[frame] = rgb.copy()
        pictures[frame][top:bottom, left:right] = sample(rgb, np.stack([columns, rows], -1))
    return pictures
