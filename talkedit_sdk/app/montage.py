"""Source and edit in one video: side by side, or with a line that wipes from one to the other."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from talkedit_sdk.app import texts
from talkedit_sdk.app.studio import Outcome, Step, Watcher, in_steps
from talkedit_sdk.badge import pill
from talkedit_sdk.progress import reporting
from talkedit_sdk.video.pipeline import Background, prefetch
from talkedit_sdk.video.source import open_source
from talkedit_sdk.video.types import Frame, FrameSource, VideoInfo
from talkedit_sdk.video.writer import VideoWriter

Kind: TypeAlias = Literal["side", "wipe"]
Picture: TypeAlias = NDArray[np.uint8]

_WIDEST: Final = 1920
"""Pixels of two pictures side by side."""

_SWEEP: Final = 4.0
"""Seconds in which the line of a wipe goes to one side and back."""


def steps(source: Path, edited: Outcome, target: Path, kind: Kind, stop_file: Path) -> Iterator[Step | Path]:
    """Writes source and edit, which have the same frames, into one video with the sound of the source: steps, then the
    file.

    Raises:
        OutputError: `target` cannot be written.
        Cancelled: the file `stop_file` has appeared; nothing was written.
    """
    return in_steps(lambda watcher: _write(source, edited, target, kind, watcher), stop_file)


def _write(source: Path, edited: Outcome, target: Path, kind: Kind, watcher: Watcher) -> Path:
    before, after = open_source(source), open_source(edited.path)
    layout = _Side(before.info) if kind == "side" else _Wipe(before.info)
    labels = _Labels(layout.info.height, on_top=not edited.badge_on_top)
    with (
        reporting(watcher, "render", before.info.frame_count) as advance,
        VideoWriter(target, _Shaped(before, layout.info), edited.metadata) as writer,
        Background(writer.write) as encoder,
        closing(prefetch(before.frames())) as befores,
        closing(prefetch(after.frames())) as afters,
    ):
        for old, new in zip(befores, afters, strict=True):
            height, width = old.rgb.shape[:2]  # the edit has a row or a column more where they are odd
            picture = layout.join(old.rgb, new.rgb[:height, :width], old.time)
            encoder.put(replace(old, rgb=labels.draw(picture)))
            advance(old.index + 1)
    return target


class _Side:
    """Left the source, right the edit, scaled to fit."""

    def __init__(self, info: VideoInfo) -> None:
        scale = min(1.0, _WIDEST / 2 / info.width)
        self._size = (max(2, round(info.width * scale)), max(2, round(info.height * scale)))
        self.info = replace(info, width=2 * self._size[0], height=self._size[1])

    def join(self, old: Picture, new: Picture, time: float) -> Picture:
        return np.ascontiguousarray(np.hstack([self._scaled(old), self._scaled(new)]))

    def _scaled(self, picture: Picture) -> Picture:
        if picture.shape[1::-1] == self._size:
            return picture
        return np.asarray(cv2.resize(picture, self._size, interpolation=cv2.INTER_AREA), np.uint8)


class _Wipe:
    """Left of a moving line the source, right of it the edit."""

    def __init__(self, info: VideoInfo) -> None:
        self.info = info
        self._line = max(1, round(info.width / 400))

    def join(self, old: Picture, new: Picture, time: float) -> Picture:
        width = old.shape[1]
        place = round(width * (0.5 - 0.42 * math.cos(2 * math.pi * time / _SWEEP)))
        picture = new.copy()
        picture[:, :place] = old[:, :place]
        picture[:, place : place + self._line] = 255
        return picture


class _Labels:
    """Says in the picture which half is which, where the badge of the edit is not."""

    def __init__(self, height: int, on_top: bool) -> None:
        self._on_top = on_top
        self._left, self._right = (pill(text, max(11, round(height / 30))) for text in (texts.BEFORE, texts.AFTER))

    def draw(self, picture: Picture) -> Picture:
        height, width = picture.shape[:2]
        for label, right in ((self._left, False), (self._right, True)):
            rows, columns = label.shape[:2]
            gap = rows // 2
            left = width - columns - gap if right else gap
            top = gap if self._on_top else height - rows - gap
            area = picture[top : top + rows, max(left, 0) : max(left, 0) + columns]
            if area.shape[:2] != (rows, columns):
                continue  # a picture too small for words
            share = label[..., 3:].astype(np.float32) / 255
            area[:] = (area + share * (label[..., :3].astype(np.float32) - area) + 0.5).astype(np.uint8)
        return picture


class _Shaped:
    """A source whose frames will have another size."""

    def __init__(self, source: FrameSource, info: VideoInfo) -> None:
        self._source, self.info = source, info

    def frames(self) -> Iterator[Frame]:
        return self._source.frames()

    def close(self) -> None:
        self._source.close()
