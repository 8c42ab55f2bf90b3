"""Faces that speak: what an outsider sees of a given emotion, what is heard of one, and how long it takes."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import cv2
import metrics
import numpy as np
import sheets
from judge import Judge
from numpy.typing import NDArray
from PIL import Image
from tables import markdown

from talkedit_sdk import Editor
from talkedit_sdk.emotion import EMOTIONS
from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.face.track import FaceTrack
from talkedit_sdk.face.tracker import FaceMeshTracker
from talkedit_sdk.result import EditResult
from talkedit_sdk.speech.audio import read_voice
from talkedit_sdk.speech.driver import SpeechDriver
from talkedit_sdk.training.motion import held_out
from talkedit_sdk.training.speech import drive_features
from talkedit_sdk.training.speech_material import prepare
from talkedit_sdk.training.speech_trainer import mouth_opening
from talkedit_sdk.training.speeches import read_speeches
from talkedit_sdk.video.source import open_source
from talkedit_sdk.video.types import Frame

_JUDGED: Final = ("angry", "disgusted", "fearful", "happy", "sad", "surprised")
_SIDE: Final = 512
_SHEET_SIDE: Final = 260
_NEUTRAL: Final = EMOTIONS.index("neutral")


def heard_emotions(driver: SpeechDriver, clips: Path, model: FaceModel, cache: Path) -> str:
    """Markdown: of each labelled clip with its speaker's voice what the driver hears, and how often it hears the label
    in clips of people that it did not learn from."""
    labelled = [
        each for each in read_speeches(clips, model, FaceMeshTracker(), cache) if bool((each.emotion > 0).any())
    ]
    lines: list[list[str]] = []
    hits, levels, truths = [], [], []  # of strangers
    for speaker in prepare(labelled, mouth_opening(model)):
        said = speaker.utterance
        found = drive_features(driver, speaker)
        heard, strength = found.emotion.mean(0), float(found.strength.mean())
        wanted = said.emotion.mean(0)
        stranger = said.role != "train" or held_out(said.person)
        if stranger:
            hits.append(float(wanted[int(heard.argmax())] > 0))
            truths.append(float(said.strength.mean() * (1 - wanted[_NEUTRAL])))
            levels.append(strength * float(1 - heard[_NEUTRAL]))
        label = " + ".join(name for name, share in zip(EMOTIONS, wanted, strict=True) if share > 0)
        lines.append([
            said.person, "" if stranger else "yes", label,
            ", ".join(f"{EMOTIONS[n]} {float(heard[n]):.2f}" for n in heard.argsort(descending=True)[:2].tolist()),
            f"{strength:.2f}",
        ])  # fmt: skip
    if not lines:
        return "No labelled clip carries its speaker's voice."
    agreement = f"Of {len(hits)} labelled clips of strangers the label is heard in {int(sum(hits))} (chance 1 in 8)"
    arousal = metrics.pearson(np.array(truths), np.array(levels)) if len(hits) > 2 else float("nan")
    table = markdown(["person", "learned from", "label", "heard", "strength"], lines)
    return f"{agreement}; correlation of arousal with that of the label: {arousal:.2f}.\n\n{table}"


def judged_emotions(editor: Editor, faces: Sequence[Path], voice: Path, judge: Path | None, out: Path) -> str:
    """Markdown: how far the judge's opinion moves towards a given emotion, against the same words said neutrally, over
    faces. Writes a sheet of each face."""
    outsider = Judge(judge)
    verdicts: dict[str, list[dict[str, float]]] = {emotion: [] for emotion in _JUDGED}
    for face in faces:
        spoken = {e: _Shown(editor.speak(face, voice, e, progress=False), outsider) for e in ("neutral", *_JUDGED)}
        for emotion in _JUDGED:
            seen = [spoken[name].probabilities for name in ("neutral", emotion)]
            count = min(map(len, seen))
            verdicts[emotion].append(outsider.verdict(emotion, seen[0][:count], seen[1][:count]))
        sheets.write_by_row(out / f"{face.stem}.png", {name: each.crops for name, each in spoken.items()})
    lines = [
        [emotion, *(_mean(found, key) for key in ("gain", "named_source", "named", "rose"))]
        for emotion, found in verdicts.items()
    ]
    header = ["emotion", "judge gain", "named when neutral", "named", "rose most"]
    return f"{len(faces)} faces say {voice.stem} with given emotions:\n\n{markdown(header, lines)}"


class _Shown:
    """A result as the judge sees it: probabilities (N, labels) of its frames, and a row of heads."""

    def __init__(self, result: EditResult, judge: Judge) -> None:
        pictures = [frame.rgb for frame in result.frames()]
        track = _followed(pictures)
        self.probabilities: NDArray[Any] = judge.probabilities(pictures, track.frames, track.landmarks)
        rows = np.linspace(0, len(track.frames) - 1, 6).round().astype(int)
        self.crops = [sheets.crop(pictures[track.frames[n]], track.landmarks[n], _SHEET_SIDE) for n in rows]


def _followed(pictures: Sequence[NDArray[np.uint8]]) -> FaceTrack:
    return FaceMeshTracker().track(Frame(n, n / 25, rgb) for n, rgb in enumerate(pictures)).faces[0]


def _mean(found: Sequence[dict[str, float]], key: str) -> str:
    values = [each[key] for each in found if key in each]
    return f"{np.mean(values):.2f}" if values else "–"


def speed(editor: Editor, face: Path, voice: Path) -> str:
    """How long a face of 512x512 takes from two files to a third, over what it lasts."""
    rgb = next(open_source(face).frames()).rgb
    seconds = read_voice(voice).duration
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / "face.png"
        Image.fromarray(np.asarray(cv2.resize(_square(rgb), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA))).save(photo)
        spent = []
        for _ in range(2):  # the first time compiles
            began = time.perf_counter()
            editor.speak(photo, voice, progress=False).save(Path(folder) / "said.mp4", progress=False)
            spent.append(time.perf_counter() - began)
    fastest = min(spent)
    return f"{_SIDE}x{_SIDE}: {seconds / fastest:.2f} times real time ({seconds:.1f} s of speech in {fastest:.1f} s)."


def _square(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = rgb.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return rgb[top : top + side, left : left + side]
