"""The pictures of somebody who speaks: a photo or a video, as long as the speech."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from talkedit_sdk.face.store import RowStore
from talkedit_sdk.speech.head import HeadWarp
from talkedit_sdk.video.types import Frame, FrameSource, VideoInfo

MOST_PIXELS: Final = 1920 * 1080
"""Of a photo that talks; a larger one is scaled down."""

_TINY: Final = 1e-6  # seconds
_BRIEFEST: Final = 1e-3  # seconds that a frame stands when it comes again: a broken clock may not make millions
_SPOOLED: Final = 1 << 30  # bytes of frames that may be kept to be played back and forth


def still_size(width: int, height: int) -> tuple[int, int]:
    """Width and height, even, in which a photo of this size talks."""
    scale = min(1.0, (MOST_PIXELS / (width * height)) ** 0.5)
    return max(2, int(width * scale) // 2 * 2), max(2, int(height * scale) // 2 * 2)


def sized_still(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 3) photo in its `still_size`; an odd last row or column is left out."""
    width, height = still_size(rgb.shape[1], rgb.shape[0])
    if max(rgb.shape[1] - width, rgb.shape[0] - height) > 1:
        return np.asarray(cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    return np.ascontiguousarray(rgb[:height, :width])


class MovingPhoto:
    """A photo whose head moves.

    Args:
        rgb: (H, W, 3) uint8, of even sides.
        path: of the photo, None if it has none.
        fps: frames a second.
        warp: of its head.
        motion: (T, 6) rows of `sway`, one for each frame.
    """

    def __init__(
        self,
        rgb: NDArray[np.uint8],
        path: Path | None,
        fps: Fraction,
        warp: HeadWarp,
        motion: NDArray[np.float32],
    ) -> None:
        self._rgb, self._warp, self._motion = rgb, warp, motion
        duration = float(len(motion) / fps)
        self._info = VideoInfo(
            path, "frames", rgb.shape[1], rgb.shape[0], fps, frame_count=len(motion), duration=duration
        )

    @property
    def info(self) -> VideoInfo:
        return self._info

    def frames(self) -> Iterator[Frame]:
        for index, row in enumerate(self._motion):
            yield Frame(index, float(index / self._info.fps), self._warp.draw(self._rgb, row))

    def close(self) -> None:
        """Nothing is held open."""


class Beginning:
    """The frames of a video that begin before a time in seconds."""

    def __init__(self, source: FrameSource, seconds: float) -> None:
        self._source, self._seconds = source, seconds

    @property
    def info(self) -> VideoInfo:
        return self._source.info

    def frames(self) -> Iterator[Frame]:
        for frame in self._source.frames():
            if frame.index and frame.time >= self._seconds:
                return
            yield frame

    def close(self) -> None:
        self._source.close()


class Prolonged:
    """A video that goes on back and forth over its last stretch, or ends early.

    Args:
        source: the video.
        order: (T,) which of its frames is shown when: all in order, then some of the last again (`back_and_forth`).
        times: (T,) seconds.
    """

    def __init__(self, source: FrameSource, order: NDArray[np.int64], times: NDArray[np.float64]) -> None:
        self._source, self._order, self._times = source, order, times
        self._info = replace(source.info, frame_count=len(order), duration=float(times[-1]))

    @property
    def info(self) -> VideoInfo:
        return self._info

    def frames(self) -> Iterator[Frame]:
        count = int(self._order.max()) + 1
        again = self._order[count:]
        first = int(again.min()) if len(again) else count
        with RowStore((self._info.height, self._info.width, 3), np.uint8) as kept:
            for frame in self._source.frames():
                if frame.index >= count:
                    break
                if frame.index >= first:
                    kept.append(frame.rgb)
                yield replace(frame, time=float(self._times[frame.index]))
            if not len(again):
                return
            stored = kept.rows(np.arange(len(kept)))
            for index, place in enumerate(again, start=count):
                yield Frame(index, float(self._times[index]), np.array(stored[place - first]))

    def close(self) -> None:
        self._source.close()


def back_and_forth(
    times: NDArray[np.float64], cuts: NDArray[np.bool_], duration: float, size: tuple[int, int]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Which frames of a video to show, and when, so that it lasts at least `duration` seconds.

    What is longer ends with the speech. What is shorter goes on backwards from its end and forwards again, no further
    back than the last cut, and than what is kept of frames of a size (height, width) without filling the disk.

    Args:
        times: (N,) seconds of its frames; cuts: (N,) whether a new shot begins there.

    Returns:
        (T,) indices and (T,) seconds.
    """
    count = len(times)
    enough = duration - _TINY
    whole = int(np.searchsorted(times, enough))
    if whole < count:
        return np.arange(max(whole, 1)), times[: max(whole, 1)]
    usual = max(float(np.median(np.diff(times))), _BRIEFEST) if count > 1 else 0.04
    shot = int(np.flatnonzero(cuts)[-1]) if cuts.any() else 0
    first = max(shot, count - max(2, _SPOOLED // (3 * size[0] * size[1])))
    back = [*range(count - 2, first - 1, -1), *range(first + 1, count)] or [count - 1]
    order, clock = list(range(count)), list(times)
    while clock[-1] + usual < enough:
        place = back[(len(order) - count) % len(back)]
        gap = max(abs(float(times[place] - times[order[-1]])) or usual, _BRIEFEST)
        order.append(place)
        clock.append(clock[-1] + gap)
    return np.array(order), np.array(clock)
