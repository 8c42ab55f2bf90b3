"""The beginning of a clip, at an even rate, in square pixels, no larger than a reel can show, and its sound."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from talkedit_sdk.errors import InputError
from talkedit_sdk.video.container import open_container, packets
from talkedit_sdk.video.decode import read_track
from talkedit_sdk.video.pipeline import prefetch
from talkedit_sdk.video.source import open_source
from talkedit_sdk.video.types import Frame

SHORTEST: Final = 1.0
"""Seconds; less shows no motion worth a film."""

SAMPLE_RATE: Final = 48000

_RATES: Final = (30, 25, 24)
_LONG_SIDE, _SHORT_SIDE = 1600, 900  # no tile is larger, and a grid has many clips in work at once


class Excerpt:
    """The first `seconds` of a video.

    Raises:
        InputNotFoundError, UnreadableInputError: see `open_source`.
        InputError: it is a photo, or too short.
    """

    def __init__(self, path: Path, seconds: float) -> None:
        self._source = open_source(path)
        self.info = info = self._source.info
        if info.kind == "photo":
            raise InputError(f"{path} is a photo: a reel shows a face in motion, give a video.")
        self._path = path
        self.check(info.duration or seconds)
        fps = float(info.fps)
        self.rate = min(_RATES, key=lambda rate: min(abs(fps - rate), abs(fps - 2 * rate)))
        """Frames a second: one that players like, and near that of the video or half of it."""
        self._count = round(seconds * self.rate)
        width, height = info.width * float(info.pixel_aspect), float(info.height)
        scale = min(1.0, _LONG_SIDE / max(width, height), _SHORT_SIDE / min(width, height))
        self._size = (max(2, round(width * scale)), max(2, round(height * scale)))

    def check(self, seconds: float) -> None:
        """Raises:
        InputError: a clip of this length is too short.
        """
        if seconds < SHORTEST:
            raise InputError(f"{self._path} lasts {seconds:.1f} s: a reel needs a clip of at least {SHORTEST:g} s.")

    def pictures(self) -> Iterator[NDArray[np.uint8]]:
        """(H, W, 3) frames, `rate` of them a second: of the source's the nearest in time."""
        tick, last = 0, None
        with closing(prefetch(self._source.frames())) as frames:
            for frame in frames:
                while last is not None and tick / self.rate < (last.time + frame.time) / 2:
                    if tick == self._count:
                        return
                    yield self._sized(last)
                    tick += 1
                last = frame
        while last is not None and tick < self._count and tick / self.rate < last.time + 0.5 / self.rate:
            yield self._sized(last)
            tick += 1

    def sound(self, seconds: float) -> NDArray[np.float32] | None:
        """(N, 2) samples of the first track, 48000 a second, from the first picture on; None if there is none."""
        track = read_track(self._path)
        zero = float((track.origin + track.start) * track.time_base)
        samples = np.zeros((round(seconds * SAMPLE_RATE), 2), np.float32)
        with open_container(self._path) as container:
            stream = next((s for s in container.streams.audio if s.codec_context is not None), None)
            if stream is None:
                return None
            resampler = av.AudioResampler(format="fltp", layout="stereo", rate=SAMPLE_RATE)
            for packet in packets(container, stream):
                with contextlib.suppress(av.error.FFmpegError):  # damaged: a short gap
                    for decoded in stream.decode(packet):
                        for part in resampler.resample(decoded):
                            if part.pts is None or part.time_base is None:
                                continue
                            begin = round((float(part.pts * part.time_base) - zero) * SAMPLE_RATE)
                            if begin >= len(samples):
                                return samples
                            values = part.to_ndarray().T[max(0, -begin) :]
                            place = samples[max(0, begin) : max(0, begin) + len(values)]
                            place[:] = values[: len(place)]
        return samples

    def _sized(self, frame: Frame) -> NDArray[np.uint8]:
        if frame.rgb.shape[1::-1] == self._size:
            return frame.rgb
        return np.asarray(cv2.resize(frame.rgb, self._size, interpolation=cv2.INTER_AREA), np.uint8)
