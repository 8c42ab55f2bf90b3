"""Edits a clip in every way asked for, tracks the edited face anew, and measures it against the source."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

import metrics
import numpy as np
import sheets
import torch
from comparison import Pictures, Speaker, changes, frame_measures, static_ratio, textures
from judge import Judge
from numpy.typing import NDArray
from pixels import untouched_share
from tables import CONTROL, NAN, Row
from worst import Moment, WorstFrames

from talkedit_sdk import Editor, EditResult
from talkedit_sdk.emotion import DETAIL
from talkedit_sdk.face.fit import fit_neutral
from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.face.topology import VERTICES
from talkedit_sdk.face.tracker import FaceMeshTracker
from talkedit_sdk.hub import EMBEDDED
from talkedit_sdk.render.sampling import sample
from talkedit_sdk.video.source import open_source
from talkedit_sdk.video.types import Frame

Array = NDArray[Any]

_LINEAR: Final = (0.25, 0.5, 0.75, 1.0)
_LINEAR_FRAMES: Final = 6
_UNTOUCHED_EVERY: Final = 3  # frames
_SHEET_ROWS, _SHEET_SIDE = 4, 300
_STRIP_FRAMES, _STRIP_SIDE = 8, 200
_CONTROL_SHIFT: Final = 0.37  # pixels
_NEUTRAL_FRAMES: Final = 40


@dataclass(frozen=True)
class Take:
    """A part of a file: from `start` seconds on."""

    path: Path
    start: float = 0.0

    @property
    def name(self) -> str:
        return f"{self.path.stem}@{self.start:g}" if self.start else self.path.stem


@dataclass(frozen=True)
class Plan:
    """What to measure of each clip, and where the sheets go."""

    emotions: tuple[str, ...]
    intensities: tuple[float, ...]
    mouth_weights: tuple[float, ...]
    frames: int
    judge: Path | None
    out: Path
    detail: float = DETAIL


@dataclass(frozen=True)
class _Found:
    """The speaker in edited pictures: rows of the source's track, and of the same frames what the edit shows."""

    mine: Array
    landmarks: Array


class Bench:
    """Measures clips one after the other."""

    def __init__(self, plan: Plan) -> None:
        self._plan, self._judge = plan, Judge(plan.judge)
        self._editor, self._tracker, self._model = Editor.load(), FaceMeshTracker(), FaceModel.load(EMBEDDED)

    def measure(self, take: Take) -> tuple[list[Row], list[Moment]]:
        """All rows of a clip and its worst frames, none if it shows no face. Writes its pictures.

        Raises:
            TalkEditError: the clip cannot be read.
        """
        speaker = self._watch(take)
        if speaker is None:
            return [], []
        worst = WorstFrames(speaker)
        rows = [self._row(speaker, CONTROL, 0.0, 0.0, _resampled(speaker), None)]
        original = _Crops.of(speaker, speaker.pictures)
        for weight in self._plan.mouth_weights:
            crops = {"original": original}
            for emotion in self._plan.emotions:
                for intensity in self._plan.intensities:
                    result = self._edit(speaker, emotion, intensity, weight)
                    pictures = [frame.rgb for frame in result.frames()]
                    row = self._row(speaker, emotion, weight, intensity, pictures, worst)
                    rows.append(replace(row, **_reported(speaker, result, intensity)))
                crops[emotion] = _Crops.of(speaker, pictures)
                if weight == self._plan.mouth_weights[-1]:
                    rows[-1] = replace(rows[-1], **self._over_intensity(speaker, emotion, weight))
            name = f"{speaker.name}_mouth{weight:g}"
            sheets.write_by_column(self._plan.out / f"{name}.png", {e: c.sheet for e, c in crops.items()})
            sheets.write_by_row(self._plan.out / f"{name}_strip.png", {e: c.strip for e, c in crops.items()})
        return rows, worst.write(self._plan.out)

    def _watch(self, take: Take) -> Speaker | None:
        source = open_source(take.path)
        fps = float(source.info.fps)
        first = round(take.start * fps)
        pictures = [frame.rgb for frame in islice(source.frames(), first, first + self._plan.frames)]
        if not pictures:
            return None
        clip = self._editor.watch(pictures, fps=fps, progress=False)
        if not clip.tracking.faces:
            return None
        track = clip.tracking.faces[0]
        rest = metrics.rest_shape(track.landmarks)
        return Speaker(
            name=take.name,
            pictures=pictures,
            fps=fps,
            clip=clip,
            track=track,
            rest=rest,
            shapes=metrics.in_model_space(track.landmarks, rest),
            opening=metrics.mouth_opening(track.landmarks),
            textures=textures(pictures, track.frames, track.landmarks),
            changes=changes(pictures, track.frames, track.landmarks),
            probabilities=self._judge.probabilities(pictures, track.frames, track.landmarks),
            neutral=self._neutral(track.landmarks),
        )

    def _edit(self, speaker: Speaker, emotion: str, intensity: float, mouth_weight: float) -> EditResult:
        detail = self._plan.detail
        return self._editor.edit(speaker.clip, emotion, intensity, mouth_weight, progress=False, detail=detail)

    def _row(
        self,
        speaker: Speaker,
        emotion: str,
        weight: float,
        intensity: float,
        pictures: Pictures,
        worst: WorstFrames | None,
    ) -> Row:
        row = Row(speaker.name, emotion, weight, intensity, len(pictures))
        found = self._follow(speaker, pictures)
        if found is None:
            return replace(row, found=0.0)
        mine, after = found.mine, found.landmarks
        before, frames = speaker.track.landmarks[mine], speaker.track.frames[mine]
        opening = metrics.mouth_opening(after)
        drift = metrics.pose_drift(before, after, speaker.rest)
        # The source's landmarks for both: the same part of the picture.
        moved = changes(pictures, frames, before)
        measures = frame_measures(speaker, mine, pictures, after, moved)
        if worst is not None:
            worst.look(row, measures, mine, pictures)
        untouched = [
            untouched_share(speaker.pictures[frame], pictures[frame], before[row])
            for row, frame in enumerate(frames)
            if frame % _UNTOUCHED_EVERY == 0 and emotion != CONTROL
        ]
        probabilities = self._judge.probabilities(pictures, frames, after)
        fields: dict[str, Any] = {name: _mean(values) for name, values in measures.items()}
        fields |= self._judge.verdict(emotion, speaker.probabilities[mine], probabilities)
        return replace(
            row,
            found=len(mine) / len(speaker.track.frames),
            mouth=metrics.mouth_correlation(speaker.opening[mine], opening),
            closures=metrics.closure_recall(speaker.opening[mine], opening, frames),
            drift=float(drift.mean()),
            drift95=float(np.percentile(drift, 95)),
            jitter=metrics.jitter_ratio(speaker.shapes[mine], metrics.in_model_space(after, speaker.rest), frames),
            untouched=_mean(np.array(untouched)),
            warp95=float(np.nanpercentile(measures["warp"], 95)) if np.isfinite(measures["warp"]).any() else NAN,
            static=static_ratio([speaker.changes[int(mine[row])] for row in moved], list(moved.values())),
            blinks=metrics.blinks_kept(metrics.eye_opening(before), metrics.eye_opening(after), frames),
            identity=100 * float(np.linalg.norm(self._neutral(after) - speaker.neutral, axis=-1).mean()),
            **fields,
        )

    def _follow(self, speaker: Speaker, pictures: Pictures) -> _Found | None:
        """The speaker, watched anew, by whichever face is nearest."""
        frames = (Frame(index, index / speaker.fps, rgb) for index, rgb in enumerate(pictures))
        best, nearest = None, float("inf")
        for track in self._tracker.track(frames).faces:
            _, mine, theirs = np.intersect1d(speaker.track.frames, track.frames, return_indices=True)
            if len(mine):
                apart = np.abs(speaker.track.landmarks[mine, :, :2] - track.landmarks[theirs, :, :2]).mean()
                if apart < nearest:
                    nearest, best = float(apart), _Found(mine, track.landmarks[theirs])
        return best

    def _neutral(self, landmarks: Array) -> Array:
        """(T, 478, 3) -> (468, 3) the face at rest, as the model fits it."""
        spread = landmarks[:: max(1, len(landmarks) // _NEUTRAL_FRAMES), :VERTICES]
        return np.asarray(fit_neutral(self._model, torch.from_numpy(np.array(spread, np.float32))).numpy())

    def _over_intensity(self, speaker: Speaker, emotion: str, weight: float) -> dict[str, Any]:
        """Fields of `Row` that compare intensities: over a few frames, except that 0 has to be the source in all."""
        stop = int(speaker.track.frames[0]) + _LINEAR_FRAMES
        shapes = []
        for intensity in _LINEAR:
            frames = islice(self._edit(speaker, emotion, intensity, weight).frames(), stop)
            found = self._follow(speaker, [frame.rgb for frame in frames])
            if found is not None:
                shape = metrics.in_model_space(found.landmarks, speaker.rest)
                shapes.append((shape - speaker.shapes[found.mine]).mean(0))
        nothing = self._edit(speaker, emotion, 0.0, weight).frames()
        same = [np.array_equal(f.rgb, rgb) for f, rgb in zip(nothing, speaker.pictures, strict=True)]
        complete = len(shapes) == len(_LINEAR)
        return {
            "linearity": metrics.linearity(shapes, _LINEAR) if complete else NAN,
            "zero": float(np.mean(same)),
        }


def _reported(speaker: Speaker, result: EditResult, intensity: float) -> dict[str, Any]:
    """Fields of `Row` that the edit itself reports."""
    report, frames = result.report, speaker.track.frames
    return {
        "edited": float((report.strength[frames] >= 0.98 * intensity).mean()),
        "covered": _mean(report.covered[frames]) if len(report.covered) else NAN,
    }


def _mean(values: Array) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else NAN


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
