"""The visible mark: "AI-edited" in that corner of the picture which is farthest from the faces, all through a clip."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from talkedit_sdk.face.track import FaceTrack, Tracking
from talkedit_sdk.video.types import VideoInfo

TEXT: Final = "AI-edited"

_MARGIN: Final = 0.05  # of each side: SMPTE ST 2046-1, the area that every screen shows
_SIZE: Final = 0.031  # of the shorter side, and at least so many pixels:
_SMALLEST: Final = 10
_HAIR: Final = 0.35  # how much higher than its landmarks a head is, of their height
_AS_FAR: Final = 0.06  # of the shorter side: corners that differ less are as far from the faces as each other
_FINE: Final = 4  # drawn so many times larger, for smooth edges

Corner = tuple[bool, bool]
_CORNERS: Final[tuple[Corner, ...]] = ((False, False), (False, True), (True, False), (True, True))
"""(top, left), the usual one first."""


class Badge:
    """The mark of one clip, to be drawn into its frames.

    Members:
        top: whether it is at the upper edge of the picture.
    """

    def __init__(self, info: VideoInfo, tracking: Tracking) -> None:
        size = max(_SMALLEST, round(_SIZE * min(info.width, info.height)))
        image = Image.fromarray(pill(TEXT, size, sparkle=True))
        inner = info.width * (1 - 2 * _MARGIN), info.height * (1 - 2 * _MARGIN)
        wide, high = image.width / float(info.pixel_aspect), float(image.height)
        scale = min(1.0, inner[0] / wide, inner[1] / high)
        shown = max(1, round(scale * wide)), max(1, round(scale * high))
        rgba = np.asarray(image if shown == image.size else image.resize(shown, Image.Resampling.LANCZOS), np.float32)
        self._share, self._colour = rgba[..., 3:] / 255, rgba[..., :3]
        low = {corner: _place(corner, (info.width, info.height), shown) for corner in _CORNERS}
        best = _best({corner: _room(low[corner], shown, tracking) for corner in _CORNERS}, min(info.width, info.height))
        self.top = best[0]
        left, top = low[best]
        self._area = slice(top, top + shown[1]), slice(left, left + shown[0])

    def draw(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A copy of a frame (H, W, 3) with the mark."""
        marked = rgb.copy()
        under = marked[self._area]
        under[:] = (under + self._share * (self._colour - under) + 0.5).astype(np.uint8)
        return marked


def pill(text: str, size: int, sparkle: bool = False) -> NDArray[np.uint8]:
    """(H, W, 4) RGBA: white words of `size` pixels on a dark, half transparent ground with round ends and a thin light
    edge, legible over anything; with a star of four points before them if wanted."""
    font = ImageFont.load_default(size * _FINE)
    left, _, right, _ = font.getbbox(text)
    _, top, _, bottom = font.getbbox("Ad")  # the same line for every text
    height, pad = round(size * 1.75), size * 0.62
    star = size * 0.95 if sparkle else 0.0
    width = round((right - left) / _FINE + star + 2 * pad)
    image = Image.new("RGBA", (width * _FINE, height * _FINE), (255, 255, 255, 0))
    draw = ImageDraw.Draw(image)
    box = (0, 0, image.width - 1, image.height - 1)
    draw.rounded_rectangle(box, image.height / 2, (18, 20, 24, 198), (255, 255, 255, 70), max(1, round(size / 14)) * 4)
    if sparkle:
        draw.polygon(_star((pad + size * 0.3) * _FINE, image.height / 2, size * 0.46 * _FINE), (255, 255, 255, 255))
    origin = ((pad + star) * _FINE - left, (image.height - (bottom - top)) / 2 - top)
    draw.text(origin, text, (255, 255, 255, 255), font)
    return np.asarray(image.resize((width, height), Image.Resampling.BOX))


def _star(x: float, y: float, radius: float) -> list[tuple[float, float]]:
    """Outline of a star of four points with hollow sides: an astroid."""
    angles = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    return [(x + radius * float(np.cos(a)) ** 3, y + radius * float(np.sin(a)) ** 3) for a in angles]


def _place(corner: Corner, frame: tuple[int, int], shown: tuple[int, int]) -> tuple[int, int]:
    """Left and top of the mark in a corner."""
    at_top, at_left = corner
    margin = round(_MARGIN * frame[0]), round(_MARGIN * frame[1])
    left = margin[0] if at_left else frame[0] - margin[0] - shown[0]
    top = margin[1] if at_top else frame[1] - margin[1] - shown[1]
    return max(0, left), max(0, top)


def _best(rooms: dict[Corner, tuple[float, float]], side: int) -> Corner:
    """The corner whose mark covers faces least, and then is farthest from them; of those about as far, the first."""
    least = min(covered for covered, _ in rooms.values())
    free = {corner: distance for corner, (covered, distance) in rooms.items() if covered <= least + 0.01}
    return next(corner for corner in free if free[corner] >= max(free.values()) - _AS_FAR * side)


def _room(low: tuple[int, int], shown: tuple[int, int], tracking: Tracking) -> tuple[float, float]:
    """The share of sights of a face that a mark would cover, and its mean distance from them in pixels."""
    gaps = [_gaps(low, shown, track) for track in tracking.faces if len(track.frames)]
    if not gaps:
        return 0.0, 0.0
    distances = np.concatenate(gaps)
    return float((distances == 0).mean()), float(distances.mean())


def _gaps(low: tuple[int, int], shown: tuple[int, int], track: FaceTrack) -> NDArray[np.float32]:
    """(T,) pixels between the mark and a head; 0 where they overlap."""
    points = track.landmarks[..., :2]
    begin, end = points.min(1), points.max(1)
    begin[:, 1] -= _HAIR * (end - begin)[:, 1]
    first, last = np.array(low, np.float32), np.array(low, np.float32) + shown
    apart = np.maximum(np.maximum(first - end, begin - last), 0)
    gaps: NDArray[np.float32] = np.hypot(apart[:, 0], apart[:, 1]).astype(np.float32)
    return gaps
