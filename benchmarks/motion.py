"""Compares motion editors on the geometry of faces, without rendering: seconds a clip. See README.md.

python benchmarks/motion.py --clips FOLDER [--role eval] [--out build/motion.md]
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path
from typing import Any, Final

import metrics
import numpy as np
import torch
from baseline import PrototypeEditor
from numpy.typing import NDArray
from torch import Tensor

from talkedit_sdk.emotion import EMOTIONS, Emotion
from talkedit_sdk.errors import InputError
from talkedit_sdk.face.fit import FaceFit, fit, fit_frames
from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.face.topology import MIRRORED, VERTICES
from talkedit_sdk.face.track import Tracker
from talkedit_sdk.face.tracker import FaceMeshTracker
from talkedit_sdk.hub import EMBEDDED
from talkedit_sdk.motion.learned import LearnedEditor
from talkedit_sdk.motion.mouth import LipGuard, lip_gaps
from talkedit_sdk.motion.types import MotionEditor, MotionRequest
from talkedit_sdk.training.corpus import list_takes, read_performances
from talkedit_sdk.training.critics import EmotionClassifier
from talkedit_sdk.training.motion import held_out
from talkedit_sdk.video.source import open_source

MOUTH_WEIGHTS: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
INTENSITIES: Final = (0.25, 0.5, 0.75, 1.0)
_SCORED: Final = 4  # every so many frames are fitted again and scored
_BLINK: Final = 0.35  # of the person's usual lid gap, under which an eye counts as shut
_LIDS: Final = ((159, 145), (386, 374))


@dataclass(frozen=True)
class Subject:
    """The largest face of a clip: fit, its vertices in model space (T, 468, 3), and frames' times and numbers."""

    name: str
    fit: FaceFit
    vertices: Tensor
    times: Tensor
    segments: Tensor
    frames: NDArray[Any]


def watch(path: Path, model: FaceModel, tracker: Tracker, frames: int) -> Subject | None:
    """Tracks the first `frames` frames of a clip."""
    try:
        tracking = tracker.track(islice(open_source(path).frames(), frames))
    except InputError:
        return None
    if not tracking.faces or len(tracking.faces[0].frames) < 50:
        return None
    track = tracking.faces[0]
    times = tracking.times[track.frames]
    found = fit(model, track, times)
    vertices = found.pose.to_model(torch.from_numpy(np.array(track.landmarks[:, :VERTICES], np.float32)))
    return Subject(
        path.stem, found, vertices, torch.from_numpy(times), torch.from_numpy(np.array(track.segments)), track.frames
    )


class Scorer:
    """Independent of the editors' training: names emotions after labelled photos only, by the shape of the face."""

    def __init__(self, model: FaceModel, frames: Tensor, labels: Tensor) -> None:
        both = torch.cat([frames, frames[:, list(MIRRORED)]])
        torch.manual_seed(0)
        self._shapes = EmotionClassifier(model, both)
        self._seen = self._features(both)
        targets = labels.repeat(2, 1)
        self._layer = torch.nn.Linear(self._seen.shape[1], labels.shape[1])
        rarity = targets @ (1 / (targets.sum(0) + 2))
        optimiser = torch.optim.LBFGS(self._layer.parameters(), max_iter=200)

        def closure() -> Tensor:
            optimiser.zero_grad()
            each = -(targets * self._layer(self._seen).log_softmax(-1)).sum(-1)
            loss = (each * rarity).sum() / rarity.sum() + 0.02 * self._layer.weight.square().sum()
            torch.autograd.backward(loss)
            return loss

        optimiser.step(closure)

    def log_odds(self, coefficients: Tensor) -> Tensor:
        """(T, 52) -> (T, 8)."""
        with torch.no_grad():
            return self._layer(self._features(coefficients)).log_softmax(-1).exp().clamp(1e-4, 1 - 1e-4).logit()

    def strangeness(self, coefficients: Tensor) -> Tensor:
        """(T,) distance from the nearest real face, relative to the usual size of such shapes."""
        seen = self._features(coefficients)
        return torch.cdist(seen, self.known).amin(1) / seen.shape[1] ** 0.5

    def know(self, real: Tensor) -> None:
        """Real faces (N, 52) for `strangeness`."""
        self.known = self._features(real)

    def _features(self, coefficients: Tensor) -> Tensor:
        return coefficients @ self._shapes.shapes - self._shapes.origin


@dataclass(frozen=True)
class Outcome:
    """Means over the frames of one edit of one clip."""

    clip: str
    emotion: str
    mouth_weight: float
    correlation: float
    closures: float
    blinks: float
    gain: float
    named: float
    jitter: float
    strange: float
    brows: float


_COLUMNS: Final = tuple(field.name for field in fields(Outcome))[3:]


class Stage:
    """Edits subjects and looks at the outcome."""

    def __init__(self, model: FaceModel, scorer: Scorer) -> None:
        self._model, self._scorer, self._guard = model, scorer, LipGuard(model.mean)

    def play(
        self, subject: Subject, editor: MotionEditor, emotion: str, intensity: float, mouth_weight: float
    ) -> tuple[Tensor, Tensor]:
        """Edited coefficients (T, 52) and vertices (T, 468, 3) in model space."""
        before = subject.fit.coefficients
        strength = torch.full((len(before),), intensity)
        shares = torch.tensor(Emotion.parse(emotion).shares).expand(len(before), -1)
        request = MotionRequest(
            before, subject.times, subject.segments, shares, strength, mouth_weight,
            lip_gaps(subject.vertices),
        )  # fmt: skip
        edit = editor.edit(request)
        offsets = self._model.motion(edit.coefficients - before)
        return edit.coefficients, subject.vertices + self._guard(offsets, subject.vertices, edit.lip_hold)

    def measure(
        self, subject: Subject, editor: MotionEditor, emotion: str, mouth_weight: float, intensity: float = 1.0
    ) -> Outcome:
        coefficients, vertices = self.play(subject, editor, emotion, intensity, mouth_weight)
        before = subject.vertices
        opening, opened = (metrics.mouth_opening(v.numpy()) for v in (before, vertices))
        rows = slice(None, None, _SCORED)
        target = EMOTIONS.index(emotion)
        source, edited = (self._seen(subject, v, rows) for v in (before, vertices))
        odds, was = self._scorer.log_odds(edited), self._scorer.log_odds(source)
        jitter = [np.abs(np.diff(c.numpy(), 2, axis=0)).mean() for c in (subject.fit.coefficients, coefficients)]
        brows = [v[:, [105, 334], 1].std(0).mean() for v in (before, vertices)]
        return Outcome(
            subject.name, emotion, mouth_weight,
            correlation=metrics.mouth_correlation(opening, opened),
            closures=metrics.closure_recall(opening, opened, subject.frames),
            blinks=_kept_blinks(before, vertices),
            gain=float((odds - was)[:, target].mean()),
            named=float((odds.argmax(1) == target).float().mean()),
            jitter=float(jitter[1] / jitter[0]),
            strange=float(self._scorer.strangeness(edited).mean() / self._scorer.strangeness(source).mean()),
            brows=float(brows[1] / brows[0]),
        )  # fmt: skip

    def linearity(self, subject: Subject, editor: MotionEditor, emotion: str) -> float:
        """Pearson correlation of intensity and displacement."""
        moved = [
            (self.play(subject, editor, emotion, s, 0.5)[1] - subject.vertices).mean(0).numpy() for s in INTENSITIES
        ]
        return metrics.linearity(moved, INTENSITIES)

    def _seen(self, subject: Subject, vertices: Tensor, rows: slice) -> Tensor:
        """Coefficients as a tracker would find them in the edited face."""
        pose = subject.fit.pose[rows]
        return fit_frames(self._model, subject.fit.neutral, pose.to_picture(vertices[rows]))[1]


def _kept_blinks(before: Tensor, after: Tensor) -> float:
    """Share of the source's frames with shut eyes in which they are shut in the edit."""
    gaps = [torch.stack([v[:, low, 1] - v[:, high, 1] for high, low in _LIDS], 1) for v in (before, after)]
    usual = gaps[0].quantile(0.75, 0)
    shut = gaps[0] < _BLINK * usual
    return float((gaps[1] < 1.2 * _BLINK * usual)[shut].float().mean()) if bool(shut.any()) else float("nan")


def mean(outcomes: Iterable[Outcome], name: str) -> float:
    values = np.array([getattr(o, name) for o in outcomes])
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(1)
    model = FaceModel.load(EMBEDDED)
    tracker = FaceMeshTracker()
    takes = list_takes(arguments.clips)
    pictures = {".jpg", ".jpeg", ".png", ".webp"}
    labelled = [t for t in takes if t.path.suffix.lower() in pictures and t.emotion is not None and t.role == "train"]
    photos = [p for p in read_performances(labelled, model, tracker, arguments.cache) if len(p.coefficients) == 1]
    if not photos:
        sys.exit(f"There are no labelled photos in {arguments.clips} to score emotions by; see benchmarks/README.md.")
    shown = torch.cat([p.coefficients for p in photos])
    scorer = Scorer(model, shown, torch.tensor([p.take.emotion.shares for p in photos if p.take.emotion]))
    scorer.know(shown)
    stage = Stage(model, scorer)
    editors: dict[str, MotionEditor] = {
        "hand-set": PrototypeEditor(model),
        "learned": LearnedEditor.load(arguments.weights, model),
    }
    videos = [t for t in takes if t.path.suffix.lower() not in pictures and t.role == arguments.role]
    unseen = [t for t in videos if t.role != "train" or held_out(t.person)]
    found = {name: list[Outcome]() for name in editors}
    linear = {name: list[tuple[str, float]]() for name in editors}
    for take in unseen:
        subject = watch(take.path, model, tracker, arguments.frames)
        if subject is None:
            print(f"{take.path.name}: no face for long enough", file=sys.stderr)
            continue
        print(subject.name, file=sys.stderr)
        for name, editor in editors.items():
            linear[name] += [(emotion, stage.linearity(subject, editor, emotion)) for emotion in EMOTIONS]
            found[name] += [
                stage.measure(subject, editor, emotion, weight) for emotion in EMOTIONS for weight in MOUTH_WEIGHTS
            ]
    text = report(found, linear)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(text, encoding="utf-8")
    print(text)


def report(found: Mapping[str, list[Outcome]], linear: Mapping[str, list[tuple[str, float]]]) -> str:
    """Markdown: one table by mouth weight, one by emotion at mouth weights 0.5 and 1."""
    head = ["editor", *_COLUMNS]
    clips = len({o.clip for outcomes in found.values() for o in outcomes})
    parts = [f"{clips} clips, intensity 1, means over clips and emotions.\n"]
    lines = [
        [f"{name}, mouth weight {weight:g}", *_cells([o for o in outcomes if o.mouth_weight == weight])]
        for weight in MOUTH_WEIGHTS
        for name, outcomes in found.items()
    ]
    parts.append(_markdown(head, lines))
    lines = []
    for emotion, weight in itertools.product(EMOTIONS, (0.5, 1.0)):
        for name, outcomes in found.items():
            rows = [o for o in outcomes if o.emotion == emotion and o.mouth_weight == weight]
            straight = np.nanmean([value for named, value in linear[name] if named == emotion])
            lines.append([f"{emotion}, {weight:g}, {name}", *_cells(rows), f"{straight:.3f}"])
    parts.append(_markdown([*head, "linearity"], lines))
    return "\n".join(parts)


def _cells(outcomes: list[Outcome]) -> list[str]:
    return [f"{mean(outcomes, name):.3f}" for name in _COLUMNS]


def _markdown(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compares motion editors by geometry, on people unseen in training.")
    parser.add_argument("--clips", type=Path, required=True, help="folder with index.csv, videos and labelled photos")
    parser.add_argument("--role", default="train", help="of the videos; of role train only people held out (train)")
    parser.add_argument("--weights", type=Path, default=EMBEDDED, help="folder of the learned editor (embedded)")
    parser.add_argument("--frames", type=int, default=160, help="from the start of each clip (160)")
    parser.add_argument("--cache", type=Path, default=Path("build/coefficients"), help="of the photos")
    parser.add_argument("--out", type=Path, default=Path("build/motion.md"), help="file (build/motion.md)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
