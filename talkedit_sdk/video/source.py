"""One way to read frames, wherever they come from."""

from __future__ import annotations

import itertools
import math
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from talkedit_sdk.errors import OptionError, UnreadableInputError
from talkedit_sdk.video.container import DEFAULT_FPS, check_input, check_size
from talkedit_sdk.video.decode import VideoFile
from talkedit_sdk.video.photo import PhotoSource, is_photo
from talkedit_sdk.video.types import Frame, FrameSource, VideoInfo

_MAX_FPS = 1000


def open_source(video: str | os.PathLike[str] | Iterable[NDArray[np.uint8]], fps: float | None = None) -> FrameSource:
    """Opens a video, a photo, or frames.

    video: a path, or (H, W, 3) uint8 RGB frames of one size. A sequence or a (T, H, W, 3) array is used where it lies;
    any other iterable is read once into a temporary file, losslessly, so that memory stays bounded.
    fps: of the frames, 25 if not given. A file brings its own.

    Raises:
        InputNotFoundError: there is no such file.
        UnreadableInputError: the file cannot be decoded, or the frames are no frames.
        OptionError: `fps` is out of range or was given for a file; `video` is of another type.
    """
    if isinstance(video, (str, os.PathLike)):
        if fps is not None:
            raise OptionError("fps belongs to frames and is not for files: leave it out, the file has its own timing.")
        path = check_input(video)
        return PhotoSource(path) if is_photo(path) else VideoFile(path)
    if not isinstance(video, Iterable) or isinstance(video, (bytes, bytearray)):
        raise OptionError(f"The video must be a path or frames, not {type(video).__name__}.")
    rate = checked_rate(fps)
    if isinstance(video, np.ndarray):
        if video.ndim != 4:
            raise UnreadableInputError(f"An array of frames must be (T, H, W, 3), not {video.shape}.")
        return FrameList(video, rate)
    if isinstance(video, (list, tuple)):
        return FrameList(video, rate)
    return SpooledFrames(video, rate)


class FrameList:
    """Frames that the caller holds in memory."""

    def __init__(self, frames: Sequence[NDArray[np.uint8]] | NDArray[np.uint8], fps: Fraction) -> None:
        shape = np.shape(frames[0]) if len(frames) else None
        for index, frame in enumerate(frames):
            _check_frame(frame, index, shape)
        self._frames = frames
        self._info = _frames_info(len(frames), shape, fps)

    @property
    def info(self) -> VideoInfo:
        return self._info

    def frames(self) -> Iterator[Frame]:
        for index, rgb in enumerate(self._frames):
            yield Frame(index, float(index / self._info.fps), np.ascontiguousarray(rgb))

    def close(self) -> None:
        """The frames stay the caller's."""


class SpooledFrames:
    """Frames of a one-shot iterable, kept in a temporary file (H.264 in RGB, lossless) until `close`, or until nobody
    holds this object."""

    def __init__(self, frames: Iterable[NDArray[np.uint8]], fps: Fraction) -> None:
        folder = tempfile.mkdtemp(prefix="talkedit-")
        self._remove = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self._file = Path(folder) / "frames.mkv"
        try:
            count, shape = _spool(frames, self._file)
            self._info = _frames_info(count, shape, fps)
        except BaseException:
            self.close()
            raise

    @property
    def info(self) -> VideoInfo:
        return self._info

    def frames(self) -> Iterator[Frame]:
        with av.open(str(self._file)) as container:
            container.streams.video[0].thread_type = "AUTO"
            for index, frame in enumerate(container.decode(video=0)):
                yield Frame(
                    index, float(index / self._info.fps), np.ascontiguousarray(frame.to_ndarray(format="rgb24"))
                )

    def close(self) -> None:
        self._remove()


def _spool(frames: Iterable[NDArray[np.uint8]], path: Path) -> tuple[int, tuple[int, ...] | None]:
    """Returns the number of frames and their shape, None if there are none."""
    iterator = iter(frames)
    first = next(iterator, None)
    if first is None:
        return 0, None
    _check_frame(first, 0, np.shape(first))
    shape, count = first.shape, 0
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264rgb", rate=25, options={"qp": "0", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = shape[1], shape[0], "rgb24"
        for count, rgb in enumerate(itertools.chain([first], iterator), start=1):
            _check_frame(rgb, count - 1, shape)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
            frame.pts = count - 1
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return count, shape


def _check_frame(frame: Any, index: int, shape: tuple[int, ...] | None) -> None:
    if not isinstance(frame, np.ndarray) or frame.ndim != 3 or frame.shape[2] != 3 or 0 in frame.shape:
        found = f"of shape {frame.shape}" if isinstance(frame, np.ndarray) else f"a {type(frame).__name__}"
        raise UnreadableInputError(f"Frame {index} is {found}: frames must be (H, W, 3) arrays of RGB.")
    if frame.dtype != np.uint8:
        raise UnreadableInputError(f"Frame {index} is {frame.dtype}: frames must be uint8 with values from 0 to 255.")
    if frame.shape != shape:
        raise UnreadableInputError(f"Frame {index} is {frame.shape}, but the first is {shape}: make them one size.")
    check_size(f"Frame {index}", frame.shape[1], frame.shape[0])


def _frames_info(count: int, shape: tuple[int, ...] | None, fps: Fraction) -> VideoInfo:
    if shape is None:
        raise UnreadableInputError("There are no frames: give at least one.")
    duration = float(count / fps)
    return VideoInfo(None, "frames", shape[1], shape[0], fps, frame_count=count, duration=duration)


def checked_rate(fps: float | None) -> Fraction:
    """Frames a second, 25 if not given.

    Raises:
        OptionError: out of range.
    """
    if fps is None:
        return DEFAULT_FPS
    if not math.isfinite(fps) or not 0 < fps <= _MAX_FPS:
        raise OptionError(f"fps must lie above 0 and at most at {_MAX_FPS}, not {fps}.")
    return Fraction(fps).limit_denominator(1001)
