"""Named endpoints for programs, which are the tools of the MCP server too. Gradio shows their docstrings and types.

The annotations are evaluated (there is no `from __future__ import annotations` here): Gradio reads the type of what is
returned from them. It also reads no more than one line of each argument's description.
"""

import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import gradio as gr
import numpy as np
from gradio.events import api
from gradio.utils import get_upload_folder, is_in_or_equal

from talkedit_sdk.app import keyframes, texts, words
from talkedit_sdk.app.gpu import Renderer, Speaker
from talkedit_sdk.app.line import Line, read_out
from talkedit_sdk.app.studio import Studio, last
from talkedit_sdk.app.wish import FLAT, Wish
from talkedit_sdk.clip import Clip
from talkedit_sdk.emotion import DETAIL
from talkedit_sdk.errors import TalkEditError
from talkedit_sdk.speech.plan import AUTO
from talkedit_sdk.tables import face_json, report_json


class Endpoints:
    """`/edit`, `/speak`, `/preview` and `/faces`: one call each, nothing is remembered between them."""

    def __init__(self, studio: Studio, renderer: Renderer, speaker: Speaker) -> None:
        self._studio, self._renderer, self._speaker = studio, renderer, speaker

    def connect(self) -> None:
        """Adds the endpoints to the surrounding `Blocks`."""
        api(self.edit, api_name="edit", concurrency_limit=1, concurrency_id="render")
        api(self.speak, api_name="speak", concurrency_limit=1, concurrency_id="render")
        api(self.preview, api_name="preview", concurrency_limit=1, concurrency_id="watch")
        api(self.faces, api_name="faces", concurrency_limit=1, concurrency_id="watch")

    def edit(
        self,
        video: gr.FileData,
        emotion: str = "happy",
        intensity: float = 0.9,
        mouth_weight: float = 0.5,
        face: str = "largest",
        begin: float = 0.0,
        end: float | None = None,
        curve: list[list[float]] | None = None,
        badge: bool = True,
        detail: float = DETAIL,
    ) -> tuple[gr.FileData, dict[str, Any]]:
        """Change the emotion of a talking face in a video or photo; words, voice and person stay. Only for people who
        agreed to it: the result is synthetic media, is marked as such in its metadata, and must be published as such.

        Args:
            video: The video (mp4, mov, webm, mkv, ...) or photo (jpg, png, ...).
            emotion: neutral, happy, sad, angry, surprised, fearful, disgusted, contempt, or "happy:0.7,sad:0.3".
            intensity: How strongly: 0 changes nothing, 1 is natural, up to 1.5 exaggerates.
            mouth_weight: 1 keeps the lips as they speak, 0 lets the emotion shape the mouth too.
            face: "largest", "all", or a number that /faces lists.
            begin: Second at which the edit begins; before it the video stays as it is.
            end: Second at which it ends; the end of the video if left out.
            curve: Intensity over time as [place, share] from 0 to 1 each, such as [[0, 0], [0.5, 1], [1, 0]].
            badge: Draws "AI-edited" into the corner farthest from the faces.
            detail: How much of the folds and shading of the skin comes and goes with the expression, 0 (none) to 1.

        Returns:
            The edited file, and a report of how many frames were edited, which were not and why.
        """
        path = self._uploaded(video)
        with _told(path):
            wish = Wish.checked(emotion, intensity, mouth_weight, face, begin, end, curve or FLAT, badge, detail)
            clip = self._watch(path)
            suffix = ".png" if clip.source.info.kind == "photo" else ".mp4"
            target = self._folder() / f"{path.stem[:40]}.edited{suffix}"
            outcome = last(self._renderer(clip, wish, target, None))
            return _file(outcome.path), report_json(outcome.report)

    def speak(
        self,
        face: gr.FileData,
        audio: gr.FileData | None = None,
        text: str = "",
        voice: str = "en",
        emotion: str = AUTO,
        intensity: float = 1.0,
        head: float = 1.0,
        blinks: float = 15.0,
        badge: bool = True,
    ) -> tuple[gr.FileData, dict[str, Any]]:
        """Make the face in a photo or video say what is in a recording, or a text. Only for people who agreed to it:
        the result is synthetic media, is marked as such in its metadata, and must be published as such.

        Args:
            face: The photo (jpg, png, ...) or video whose face is to speak.
            audio: The recording (wav, mp3, ...), or a video whose sound it is; left out where there is a text.
            text: What to say instead, read by espeak-ng where this server has it.
            voice: espeak-ng voice that reads the text: en, de, fr, es, ...
            emotion: "auto" for that of the voice, or as for /edit.
            intensity: How strongly the face shows it, 0 to 1.5; 1 is natural.
            head: How much the head moves, 0 to 2; 1 is natural.
            blinks: How many a minute.
            badge: As for /edit.

        Returns:
            The video, as long as the sound, and a report of its frames.
        """
        path, folder = self._uploaded(face), self._folder()
        sound = self._uploaded(audio) if audio else None
        with _told(path, *([sound] if sound else [])):
            said = sound or read_out(text, voice, folder / "voice.wav")
            line = Line.checked(path, said, emotion, intensity, head, blinks, badge)
            line.check(self._studio.limits)
            outcome = last(self._speaker(line, folder / f"{path.stem[:40]}.talk.mp4", None))
            return _file(outcome.path), report_json(outcome.report)

    def preview(
        self,
        video: gr.FileData,
        emotion: str = "happy",
        intensity: float = 0.9,
        mouth_weight: float = 0.5,
        face: str = "largest",
        second: float | None = None,
        detail: float = DETAIL,
    ) -> gr.FileData:
        """One edited frame of a video, to try settings before /edit.

        Args:
            video: The video or photo.
            emotion: As for /edit.
            intensity: As for /edit.
            mouth_weight: As for /edit.
            face: "largest", "all", or a number that /faces lists.
            second: Which moment; one that shows the face well if left out.
            detail: As for /edit.

        Returns:
            The frame as jpg, at most 1280 pixels wide and high.
        """
        path = self._uploaded(video)
        with _told(path):
            wish = Wish.checked(emotion, intensity, mouth_weight, face, detail=detail)
            clip = self._watch(path)
            clip.choose(wish.face)
            (key,) = keyframes.read(clip, [_moment(clip, second)])
            target = self._folder() / f"{path.stem[:40]}.preview.jpg"
            target.write_bytes(self._studio.preview(clip, wish, key))
            return _file(target)

    def faces(self, video: gr.FileData) -> list[dict[str, Any]]:
        """Who is in a video or photo, largest first, with the numbers that /edit takes as `face`.

        Args:
            video: The video or photo.

        Returns:
            For each face its index, the share of frames that show it, its first and last second, and where it is
            largest: the second, and left, top, width and height in pixels.
        """
        path = self._uploaded(video)
        with _told(path):
            return [face_json(face) for face in self._watch(path).list_faces()]

    def _watch(self, path: Path) -> Clip:
        return last(self._studio.watch(path))

    def _folder(self) -> Path:
        """A folder whose files Gradio removes with its cache."""
        return Path(tempfile.mkdtemp(prefix="talkedit-", dir=get_upload_folder()))

    def _uploaded(self, video: Any) -> Path:
        """The file, which must be one that was sent here: nobody may name others on this machine."""
        path = video.get("path") if isinstance(video, dict) else getattr(video, "path", None)
        if not isinstance(path, str) or not is_in_or_equal(Path(path).resolve(), get_upload_folder()):
            raise gr.Error(texts.NOT_UPLOADED, print_exception=False)
        return Path(path)


def _moment(clip: Clip, second: float | None) -> int:
    if second is None or not math.isfinite(second):
        choice = keyframes.choose(clip)
        return choice[keyframes.best(clip, choice)]
    return int(np.abs(clip.tracking.times - second).argmin())


@contextmanager
def _told(*paths: Path) -> Iterator[None]:
    """Errors reach the caller as the one sentence that they are."""
    try:
        yield
    except TalkEditError as error:
        raise gr.Error(words.apology(error, {path: path.name for path in paths}), print_exception=False) from error


def _file(path: Path) -> gr.FileData:
    """As Gradio wants it: it finds files only in plain dictionaries."""
    return cast(gr.FileData, gr.FileData(path=str(path)).model_dump())
