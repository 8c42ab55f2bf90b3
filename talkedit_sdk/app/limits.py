"""What a shared machine accepts, said kindly before any work begins."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

from talkedit_sdk.app import texts
from talkedit_sdk.errors import UnreadableInputError
from talkedit_sdk.video.types import VideoInfo

_FULL_HD: Final = 1920 * 1080
_USUAL_FPS: Final = 30


@dataclass(frozen=True)
class Limits:
    """Members can be set from the environment, as TALKEDIT_MAX_SECONDS and so on.

    Members:
        seconds: of video at up to 1920x1080 and 30 frames a second; larger or faster clips may be shorter by as much.
        megabytes: of an upload.
        megapixels: of a photo.
        queue: visitors that may wait.
        minutes: that a visitor's files are kept after the last use.
    """

    seconds: float = 60
    megabytes: float = 200
    megapixels: float = 24
    queue: int = 24
    minutes: float = 60

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Limits:
        """The defaults, overridden where a variable holds a positive number."""
        given: dict[str, float] = {}
        for field in fields(cls):
            text = environment.get(f"TALKEDIT_MAX_{field.name.upper()}", "")
            if text.replace(".", "", 1).isdigit() and float(text) > 0:
                given[field.name] = int(float(text)) if field.name == "queue" else float(text)
        return cls(**given)  # type: ignore[arg-type]

    def frames(self, info: VideoInfo) -> int:
        """How many frames of such a video are accepted."""
        return max(1, int(self.seconds * _USUAL_FPS * min(1.0, _FULL_HD / (info.width * info.height))))

    def check_size(self, path: Path) -> None:
        """
        Raises:
            UnreadableInputError: the file is too large.
        """
        megabytes = path.stat().st_size / 2**20
        if megabytes > self.megabytes:
            raise UnreadableInputError(texts.TOO_HEAVY.format(name=path.name, is_=megabytes, limit=self.megabytes))

    def check(self, info: VideoInfo) -> None:
        """What the file claims of itself; `check_frames` sees what it holds.

        Raises:
            UnreadableInputError: it is too long for its size, or a photo is too large.
        """
        if info.kind == "photo":
            megapixels = info.width * info.height / 1e6
            if megapixels > self.megapixels:
                raise UnreadableInputError(texts.PHOTO_TOO_LARGE.format(is_=megapixels, limit=self.megapixels))
            return
        claimed = info.frame_count or (info.duration or 0) * float(info.fps)
        self.check_frames(info, int(claimed))

    def check_voice(self, info: VideoInfo, seconds: float) -> None:
        """A voice that a face of such a picture is to speak with.

        Raises:
            UnreadableInputError: it lasts too long.
        """
        allowed = self.frames(info) / _USUAL_FPS
        if seconds > allowed:
            raise UnreadableInputError(texts.VOICE_TOO_LONG.format(is_=seconds, limit=allowed))

    def check_frames(self, info: VideoInfo, count: int) -> None:
        """
        Raises:
            UnreadableInputError: `count` frames are too many.
        """
        allowed = self.frames(info)
        if count > allowed:
            raise UnreadableInputError(
                texts.TOO_LONG.format(width=info.width, height=info.height, limit=allowed / float(info.fps))
            )
