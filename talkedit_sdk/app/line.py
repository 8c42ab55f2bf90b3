"""What a face should say, and how: the wish of the tab that makes faces talk, and the work on it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from talkedit_sdk.app import texts
from talkedit_sdk.app.limits import Limits
from talkedit_sdk.app.studio import Outcome, Step, Watcher, in_steps, saved
from talkedit_sdk.editor import Editor
from talkedit_sdk.emotion import Emotion, Intensity
from talkedit_sdk.errors import OptionError
from talkedit_sdk.result import EditResult
from talkedit_sdk.speech.audio import read_voice, write_voice
from talkedit_sdk.speech.eyes import EyeControl
from talkedit_sdk.speech.plan import AUTO
from talkedit_sdk.speech.text import say
from talkedit_sdk.video.probe import probe

MAX_TEXT: Final = 1000
"""Characters: a good minute."""


@dataclass(frozen=True)
class Line:
    """What is said by whom, and how.

    Members:
        face: photo or video; voice: a file with sound.
        emotion: None for that of the voice.
        intensity: 0 to 1.5.
        head: how much the head moves, 1 is natural.
        eyes: how they blink and where they look.
        badge: whether the picture says that it was made.
    """

    face: Path
    voice: Path
    emotion: Emotion | None = None
    intensity: float = 1.0
    head: float = 1.0
    eyes: EyeControl = field(default_factory=EyeControl)
    badge: bool = True

    @classmethod
    def checked(
        cls, face: Path, voice: Path, emotion: str, intensity: float, head: float, blinks: float, badge: bool
    ) -> Line:
        """
        Raises:
            OptionError: a value is unknown or out of range.
        """
        (point,) = Intensity.parse(intensity).points
        shown = None if emotion == AUTO else Emotion.parse(emotion)
        return cls(face, voice, shown, point[1], float(head), EyeControl(blink_rate=blinks), bool(badge))

    def check(self, limits: Limits) -> None:
        """
        Raises:
            InputError: a file cannot be read, or lies beyond the limits.
        """
        for path in (self.face, self.voice):
            limits.check_size(path)
        info = probe(self.face)
        limits.check(info)
        limits.check_voice(info, read_voice(self.voice).duration)


def perform(
    editor: Editor,
    line: Line,
    target: Path,
    stop_file: Path | None = None,
    alone: threading.Lock | None = None,
) -> Iterator[Step | Outcome]:
    """Steps, then the face as it says the line, saved as `target`. `alone` is held while faces are followed.

    Raises:
        Cancelled: the file `stop_file` has appeared; nothing was written.
        TalkEditError: see `Editor.speak` and `EditResult.save`.
    """

    def plan(watcher: Watcher) -> EditResult:
        with alone or contextlib.nullcontext():
            return editor.speak(
                line.face,
                line.voice,
                line.emotion or AUTO,
                line.intensity,
                eyes=line.eyes,
                head=line.head,
                progress=watcher,
            )

    for step in in_steps(plan, stop_file):
        if isinstance(step, Step):
            yield Step(None, step.done, None)  # of the whole, nobody knows yet
        else:
            yield from saved(step, target, line.badge, stop_file)


def read_out(text: str, voice: str, target: Path) -> Path:
    """Has espeak-ng read a text, into a WAV file.

    Raises:
        OptionError: there is no text or too much of it, no such voice, or no espeak-ng.
    """
    if not text.strip():
        raise OptionError(texts.NO_TEXT)
    if len(text) > MAX_TEXT:
        raise OptionError(texts.TOO_MUCH_TEXT.format(is_=len(text), limit=MAX_TEXT))
    return write_voice(target, say(text, voice)[0])
