"""Decoding a video file: every frame upright, in RGB, with its own time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from talkedit_sdk.errors import UnreadableInputError
from talkedit_sdk.video.colour import Colour, RgbReader, colour_of
from talkedit_sdk.video.container import (
    MAX_SIDE,
    check_size,
    codec_name,
    frame_rate,
    open_container,
    packets,
    picture_stream,
)
from talkedit_sdk.video.types import Frame, VideoInfo

_DISCONTINUITY = 1.0
"""Seconds by which time must jump back to count as a new time line, not as jitter."""


@dataclass(frozen=True)
class Orientation:
    """How the stored picture is turned to stand upright: transposed, then mirrored left-right and top-bottom."""

    transpose: bool = False
    mirror_x: bool = False
    mirror_y: bool = False

    @property
    def rotation(self) -> int:
        """Degrees clockwise; what a mirrored picture needs on top is not part of it."""
        if self.transpose:
            return 90 if self.mirror_x else 270
        return 180 if self.mirror_y else 0

    def apply(self, picture: NDArray[np.generic]) -> NDArray[np.generic]:
        """(H, W, 3) stored -> (H, W, 3) or (W, H, 3) upright, contiguous."""
        if self.transpose:
            picture = picture.transpose(1, 0, 2)
        return np.ascontiguousarray(picture[:: -1 if self.mirror_y else 1, :: -1 if self.mirror_x else 1])


@dataclass(frozen=True)
class PictureTrack:
    """What the first decoded frame tells of a video file. Times are ticks of `time_base`.

    `width` and `height` are of the stored picture. `origin` is where the file's time starts, pictures or sound; `start`
    is the first frame's time after that, `end` where the track claims to end, None where it claims nothing.
    """

    info: VideoInfo
    width: int
    height: int
    orientation: Orientation
    colour: Colour
    time_base: Fraction
    origin: int
    start: int
    end: int | None


class VideoFile:
    """The frames of a video file.

    Damaged packets are skipped, timestamps are those of the file (repaired where missing or not increasing). HDR (PQ
    and HLG) is tone-mapped to BT.709.

    Raises:
        UnreadableInputError: the file has no frame that can be decoded, or lies outside the supported limits.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._track = read_track(path)

    @property
    def info(self) -> VideoInfo:
        return self._track.info

    def frames(self) -> Iterator[Frame]:
        track = self._track
        reader = RgbReader(track.colour, track.width, track.height)
        with open_container(self._path) as container:
            stream = picture_stream(container, self._path)
            clock = _Clock(track.time_base, frame_rate(stream))
            first = None
            for index, frame in enumerate(_decoded(container, stream)):
                ticks = clock.tick(frame.pts)
                first = ticks if first is None else first
                picture = reader.read(frame)
                if track.colour.hdr:
                    from talkedit_sdk.video.tonemap import tone_map  # compiled code: loaded only where it is needed

                    picture = tone_map(picture, track.colour)
                rgb = track.orientation.apply(picture).astype(np.uint8, copy=False)
                yield Frame(index, float((ticks - first) * track.time_base), rgb)

    def close(self) -> None:
        """Nothing is held open between readings."""


def read_track(path: Path) -> PictureTrack:
    """Opens the file and decodes its first frame.

    Raises:
        UnreadableInputError: see `VideoFile`.
    """
    with open_container(path) as container:
        stream = picture_stream(container, path)
        frame = next(_decoded(container, stream), None)
        if frame is None:
            raise UnreadableInputError(
                f"{path} holds no frame that can be decoded: it is damaged or more than {MAX_SIDE} pixels a side."
            )
        check_size(path, frame.width, frame.height)
        context = stream.codec_context
        colour = colour_of(frame, int(context.color_trc), int(context.color_primaries))
        orientation = _orientation(frame)
        time_base = stream.time_base or 1 / frame_rate(stream)
        origin = math.floor(Fraction(container.start_time or 0, av.time_base) / time_base)
        start = max(0, (frame.pts or 0) - origin)
        end = None
        if stream.duration and stream.start_time is not None:
            end = stream.start_time + stream.duration - origin
        aspect = stream.sample_aspect_ratio or Fraction(1)
        size = (frame.height, frame.width) if orientation.transpose else (frame.width, frame.height)
        info = VideoInfo(
            path=path,
            kind="video",
            width=size[0],
            height=size[1],
            fps=frame_rate(stream),
            frame_count=stream.frames or None,
            duration=_duration(container, stream),
            rotation=orientation.rotation,
            pixel_aspect=1 / aspect if orientation.transpose else aspect,
            codec=codec_name(context),
            pixel_format=frame.format.name,
            audio_codecs=tuple(codec_name(s.codec_context) for s in container.streams.audio if s.codec_context),
            hdr=colour.hdr,
        )
        return PictureTrack(info, frame.width, frame.height, orientation, colour, time_base, origin, start, end)


def _decoded(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """All frames in order of presentation; what cannot be decoded is left out."""
    for packet in packets(container, stream):
        try:
            yield from stream.decode(packet)
        except av.error.FFmpegError:  # noqa: PERF203 - what else is a damaged packet
            continue


def _duration(container: InputContainer, stream: VideoStream) -> float | None:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration and container.duration > 0 else None


def _orientation(frame: VideoFrame) -> Orientation:
    """From the display matrix: (x, y) of the stored picture is shown at (a x + c y, b x + d y)."""
    side_data: Any = frame.side_data  # PyAV's stubs know only motion vectors
    data = next((bytes(side) for side in side_data if side.type.name == "DISPLAYMATRIX"), b"")
    if len(data) != 36:
        return Orientation()
    matrix = np.frombuffer(data, np.int32)
    a, b, c, d = (int(matrix[i]) for i in (0, 1, 3, 4))
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Orientation(False, a < 0, d < 0)
    return Orientation(True, c < 0, b < 0)


class _Clock:
    """Makes timestamps strictly increasing, changing only those that are missing or wrong."""

    def __init__(self, time_base: Fraction, fps: Fraction) -> None:
        self._step = max(1, round(1 / (fps * time_base)))
        self._discontinuity = round(_DISCONTINUITY / time_base)
        self._offset = 0
        self._last: int | None = None

    def tick(self, pts: int | None) -> int:
        if self._last is None:
            ticks = pts or 0
        elif pts is None:
            ticks = self._last + self._step
        else:
            ticks = pts + self._offset
            if ticks <= self._last - self._discontinuity:
                self._offset += self._last + self._step - ticks
                ticks = self._last + self._step
            elif ticks <= self._last:  # half a frame, so that the next good timestamp is still ahead
                ticks = self._last + max(1, self._step // 2)
        self._last = ticks
        return ticks
