"""A few frames of a clip that are kept, so that a preview need not decode."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from talkedit_sdk.clip import Clip
from talkedit_sdk.face.topology import INDEX
from talkedit_sdk.provenance import xmp_segment
from talkedit_sdk.video.types import Frame

COUNT: Final = 8
SHOWN_SIDE: Final = 1280
"""The longer side of a preview, pixels; the edit itself is drawn at native size."""

_THUMBNAIL: Final = 112

_ROOM: Final = 2.0
"""Height of a close-up, in sizes of the face."""

Window: TypeAlias = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels."""


@dataclass(frozen=True)
class KeyFrame:
    """A frame of a clip, kept as JPEG at native size. `thumbnail` is one too, 112 pixels high."""

    index: int
    time: float
    jpeg: bytes
    thumbnail: bytes

    def frame(self) -> Frame:
        """The frame, decoded."""
        with Image.open(io.BytesIO(self.jpeg)) as image:
            return Frame(self.index, self.time, np.array(image))


def choose(clip: Clip, count: int = COUNT) -> list[int]:
    """Frames spread over the clip, each the one of its part in which the first face is seen with its eyes most open;
    the middle of the part where there is no face. Ascending."""
    times = clip.tracking.times
    awake = np.full(len(times), -np.inf)
    if clip.tracking.faces:
        track, fit = clip.tracking.faces[0], clip.fits[0]
        blink = fit.coefficients[:, [INDEX["eyeBlinkLeft"], INDEX["eyeBlinkRight"]]].mean(1).cpu().numpy()
        awake[track.frames] = track.confidence - blink
    chosen = []
    for part in np.array_split(np.arange(len(times)), min(count, len(times))):
        seen = awake[part]
        chosen.append(int(part[seen.argmax()] if np.isfinite(seen).any() else part[len(part) // 2]))
    return chosen


def best(clip: Clip, indices: Sequence[int]) -> int:
    """The position in `indices` of the frame that shows the first face best: from the front, lips and eyes open."""
    if not clip.tracking.faces:
        return len(indices) // 2
    track, fit = clip.tracking.faces[0], clip.fits[0]
    beta = fit.coefficients.cpu().numpy()
    lids = beta[:, [INDEX["eyeBlinkLeft"], INDEX["eyeBlinkRight"]]].mean(1)
    frontal = fit.pose.rotation[:, 2, 2].cpu().numpy()
    score = dict(zip(track.frames.tolist(), frontal - lids - 0.3 * beta[:, INDEX["jawOpen"]], strict=True))
    return int(np.argmax([score.get(index, -np.inf) for index in indices]))


def read(clip: Clip, indices: Sequence[int]) -> tuple[KeyFrame, ...]:
    """Decodes the clip up to the last of those frames and keeps them."""
    wanted, kept = set(indices), []
    for frame in clip.source.frames():
        if frame.index in wanted:
            kept.append(KeyFrame(frame.index, frame.time, jpeg(frame.rgb, 95), jpeg(_small(frame.rgb), 85)))
        if len(kept) == len(wanted):
            break
    return tuple(kept)


def close_up(clip: Clip, face: str, index: int) -> Window | None:
    """Where a face is in a frame, with some room around it; None for everybody."""
    if face == "all":
        return None
    (chosen,) = clip.choose(face)
    track, (height, width) = clip.tracking.faces[chosen], clip.tracking.size
    points = track.landmarks[int(np.abs(track.frames - index).argmin()), :, :2]
    low, high = points.min(0), points.max(0)
    side = _ROOM * float((high - low).max())
    left, right = _span((low[0] + high[0]) / 2, 1.3 * side, width)
    top, bottom = _span((low[1] + high[1]) / 2, side, height)
    return left, top, right, bottom


def _span(centre: float, length: float, limit: int) -> tuple[int, int]:
    """Whole pixels of `length` around `centre`, moved and cut to lie from 0 to `limit`."""
    size = max(2, min(limit, round(length)))
    start = min(max(0, round(centre - size / 2)), limit - size)
    return start, start + size


def shown(rgb: NDArray[np.uint8], window: Window | None = None, metadata: Mapping[str, str] | None = None) -> bytes:
    """A preview, or the window of it, as JPEG; `metadata` is that of an edit, if it shows one."""
    image = Image.fromarray(rgb)
    if window is not None:
        image = image.crop(window)
    image.thumbnail((SHOWN_SIDE, SHOWN_SIDE), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return jpeg(np.asarray(image), 92, xmp_segment(metadata) if metadata else b"")


def jpeg(rgb: NDArray[np.uint8], quality: int, segments: bytes = b"") -> bytes:
    """A picture as JPEG without loss of colour resolution, with further segments of metadata."""
    encoded = io.BytesIO()
    Image.fromarray(rgb).save(encoded, "JPEG", quality=quality, subsampling=0, extra=segments)
    return encoded.getvalue()


def _small(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    image = Image.fromarray(rgb)
    image.thumbnail((4 * _THUMBNAIL, _THUMBNAIL), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return np.asarray(image)
