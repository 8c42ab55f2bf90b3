"""Measures what a voice makes of a face, on real speakers that nobody learned from. See README.md.

python benchmarks/speech.py --clips FOLDER                                       # lips against those of the speaker
python benchmarks/speech.py --clips FOLDER --faces a.jpg b.mp4 --judge FOLDER    # and the emotion that shows, speed
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from lips import LAGS, Lips, compare
from numpy.typing import NDArray
from people import by_person, interval
from speech_baselines import LoudnessJaw, PhoneRules
from speech_faces import heard_emotions, judged_emotions, speed
from tables import markdown
from torch import Tensor

from talkedit_sdk import Editor
from talkedit_sdk.emotion import EMOTIONS
from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.face.topology import OVAL
from talkedit_sdk.face.tracker import FaceMeshTracker
from talkedit_sdk.hub import EMBEDDED
from talkedit_sdk.speech.driver import SpeechDriver
from talkedit_sdk.speech.types import RATE
from talkedit_sdk.training.corpus import list_takes
from talkedit_sdk.training.facs import contacts
from talkedit_sdk.training.motion import held_out
from talkedit_sdk.training.speech import drive_features
from talkedit_sdk.training.speech_material import prepare
from talkedit_sdk.training.speech_trainer import mouth_opening
from talkedit_sdk.training.speeches import Clip, judged, read_clips
from talkedit_sdk.training.utterance import Utterance
from talkedit_sdk.training.voices import speak_utterances

_SHORTEST: Final = RATE  # rows


@dataclass(frozen=True)
class Subject:
    """A stretch of somebody's own speech, row for row at `RATE`: features of the voice (T, F), coefficients (T, 52) and
    lips as tracked, whose closure is 1 where they touch in speech."""

    name: str
    person: str
    learned: bool
    voice: Tensor
    coefficients: Tensor
    lips: Lips


def read_subjects(clips: Path, model: FaceModel, cache: Path) -> list[Subject]:
    """All stretches of at least a second in which the face says what is heard."""
    found = list(read_clips(list_takes(clips), model, FaceMeshTracker(), cache))
    width = float(np.ptp(model.mean[list(OVAL), 0].numpy()))
    subjects = [
        _subject(clip, match.late, width) for clip, match in zip(found, judged(found), strict=True) if match.own
    ]
    return [subject for subject in subjects if len(subject.voice) >= _SHORTEST]


def _subject(clip: Clip, late: int, width: float) -> Subject:
    """The clip with its picture moved by `late` rows to an earlier time, as in training."""
    count = len(clip.features) - abs(late)
    seen = slice(max(late, 0), max(late, 0) + count)
    gaps = clip.gaps[seen]
    return Subject(
        clip.take.path.stem, clip.take.person, clip.take.role == "train" and not held_out(clip.take.person),
        clip.features[max(-late, 0) :][:count], clip.coefficients[seen],
        Lips((gaps[:, 1:4].mean(1) / width).numpy(), contacts(gaps[None])[0, :, 0].numpy()),
    )  # fmt: skip


def drive(driver: SpeechDriver, model: FaceModel, subject: Subject, opening: Tensor) -> Lips:
    """The learned driver, which sees the person at rest and hears the voice; `opening` (52,) is lip gap per unit of
    each coefficient, in widths of the face."""
    count = len(subject.voice)
    said = Utterance(
        subject.voice, subject.coefficients, torch.full((count,), -1), torch.zeros(count, len(EMOTIONS)),
        torch.zeros(count), "real", subject.person, "eval",
    )  # fmt: skip
    (speaker,) = prepare([said], mouth_opening(model))
    found = drive_features(driver, speaker)
    return Lips((found.coefficients @ opening).numpy(), found.closures.numpy())


def lips_report(measured: Mapping[str, dict[str, NDArray[Any]]], subjects: Sequence[Subject]) -> str:
    """Markdown: a row for each way, and how much better the first is than the others."""
    people = [subject.person for subject in subjects]
    lines = []
    for name, found in measured.items():
        mean = found["course"].mean(0)
        lines.append([
            name, *(interval(by_person(found[key], people)) for key in ("correlation", "best")),
            f"{1000 / RATE * LAGS[int(mean.argmax())]:+.0f}",
            *(interval(by_person(found[key], people)) for key in ("recall", "precision", "error")),
        ])  # fmt: skip
    header = ["lips", "correlation, lag 0", "at best lag", "lag ms", "closures kept", "precision", "error %"]
    first, *others = measured
    better = {other: measured[first]["correlation"] - measured[other]["correlation"] for other in others}
    gains = [f"{first} over {other}: {interval(by_person(values, people))}" for other, values in better.items()]
    seconds = sum(len(subject.voice) for subject in subjects) / RATE
    total = f"{len(set(people))} people, {len(subjects)} stretches, {seconds:.0f} s."
    return "\n\n".join([total, markdown(header, lines), "Correlation, " + "; ".join(gains) + "."])


def measure_lips(arguments: argparse.Namespace, model: FaceModel, driver: SpeechDriver) -> str:
    width = float(np.ptp(model.mean[list(OVAL), 0].numpy()))
    raw = mouth_opening(model)
    opening = raw / width
    subjects = read_subjects(arguments.clips, model, arguments.cache)
    learned = [subject for subject in subjects if subject.learned]
    others = [subject for subject in subjects if not subject.learned]
    true = [subject.lips for subject in others]
    loudness = LoudnessJaw(opening)
    loudness.fit([s.voice for s in learned], [torch.from_numpy(s.lips.over_rest) for s in learned])
    rules = PhoneRules(raw, width)
    right = rules.fit(list(speak_utterances(arguments.spoken, 0, arguments.cache)))
    measured = {
        "learned": compare([drive(driver, model, s, opening) for s in others], true),
        "phones and rules": compare([rules(s.voice) for s in others], true),
        "loudness": compare([loudness(s.voice) for s in others], true),
    }
    names = "\n".join(
        f"- {s.name}: " + ", ".join(f"{name} {found['correlation'][n]:.2f}" for name, found in measured.items())
        for n, s in enumerate(others)
    )
    told = f"The classifier names {right:.0%} of the rows of other synthetic speech right."
    return "\n\n".join([lips_report(measured, others), told, names])


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(1)
    arguments.out.mkdir(parents=True, exist_ok=True)
    model, driver = FaceModel.load(EMBEDDED), SpeechDriver.load(arguments.weights)
    parts = [measure_lips(arguments, model, driver)]
    parts.append(heard_emotions(driver, arguments.clips, model, arguments.cache))
    if arguments.faces:
        editor = Editor.load(arguments.weights)
        parts.append(judged_emotions(editor, arguments.faces, arguments.voice, arguments.judge, arguments.out))
        parts.append(speed(editor, arguments.faces[0], arguments.voice))
    text = "\n\n".join(parts) + "\n"
    (arguments.out / "speech.md").write_text(text, encoding="utf-8")
    print(text)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measures what a voice makes of a face.")
    parser.add_argument("--clips", type=Path, required=True, help="folder, manifest, MEAD or RAVDESS folder")
    parser.add_argument("--weights", type=Path, default=EMBEDDED, help="folder of the speech driver (embedded)")
    parser.add_argument("--spoken", type=int, default=240, help="sentences to learn phones from, by espeak-ng (240)")
    parser.add_argument("--cache", type=Path, default=Path("build/speech-cache"), help="of what was tracked and spoken")
    parser.add_argument("--faces", type=Path, nargs="*", default=[], help="photos or videos that are to speak")
    parser.add_argument("--voice", type=Path, default=_VOICE, help="what they say (the sound of examples/talk.mp4)")
    parser.add_argument("--judge", type=Path, help="folder with judge.py, an emotion classifier")
    parser.add_argument("--out", type=Path, default=Path("build/speech"), help="folder (build/speech)")
    return parser.parse_args()


_VOICE: Final = Path(__file__).parents[1] / "examples" / "talk.mp4"

if __name__ == "__main__":
    main()
