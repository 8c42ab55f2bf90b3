"""How a reel looks: pages of one dark ground, one typeface, and tiles as large as fit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from talkedit_sdk.errors import OptionError

Picture: TypeAlias = NDArray[np.uint8]
Colour: TypeAlias = tuple[int, int, int]

GROUND: Final[Colour] = (20, 20, 20)
"""Grey to the point: in the colours of video a tinted black turns olive."""

INK: Final[Colour] = (251, 250, 248)
QUIET: Final[Colour] = (164, 158, 147)
ACCENT: Final[Colour] = (251, 128, 91)
_RAIL: Final[Colour] = (69, 65, 57)

_HEAD: Final = 136
FOOTER: Final = "Synthetic media, edited with talkedit"


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels."""

    left: int
    top: int
    width: int
    height: int

    @property
    def size(self) -> tuple[int, int]:
        return self.width, self.height

    @property
    def corner(self) -> tuple[int, int]:
        return self.left, self.top

    @property
    def slices(self) -> tuple[slice, slice]:
        """Its rows and columns in a picture."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)


@dataclass(frozen=True)
class Page:
    """The measures of a film of `size` (width, height) pixels."""

    size: tuple[int, int]

    @property
    def margin(self) -> int:
        return min(self.size) // 15

    @property
    def gap(self) -> int:
        return min(self.size) // 45

    @property
    def caption(self) -> int:
        """Height of the line under a tile and of the gap below it."""
        return self.unit(60)

    @property
    def body(self) -> Box:
        """What is left between headline and footer."""
        width, height = self.size
        top, bottom = self.margin - self.unit(12) + self.unit(_HEAD), self.unit(80)
        if self.upright:  # players on phones put their buttons at both ends
            top, bottom = top + self.unit(40), bottom + self.unit(40)
        return Box(self.margin, top, width - 2 * self.margin, height - top - bottom)

    @property
    def upright(self) -> bool:
        return self.size[1] > self.size[0]

    def unit(self, parts: float) -> int:
        """Pixels of `parts` of 1080 of the short side; more on an upright page, which is read on a phone."""
        return max(1, round(parts * min(self.size) * (1.2 if self.upright else 1) / 1080))

    def tiles(self, count: int, narrowest: float, widest: float, below: int = 0) -> list[Box]:
        """The largest equal boxes in the body of an aspect (width / height) between the two given, captions under them,
        `below` pixels left free under all."""
        body, options = self.body, []
        for columns in range(1, count + 1):
            rows = math.ceil(count / columns)
            width = (body.width - self.gap * (columns - 1)) / columns
            height = (body.height - below) / rows - self.caption
            if height <= 0:
                continue
            width, height = min(width, height * widest), min(height, width / narrowest)
            full = math.sqrt(count / (rows * columns))  # a last row with holes looks poor
            options.append((width * height * full, rows, columns, _even(width), _even(height)))
        _, rows, columns, width, height = max(options)
        return [self._cell(index, count, columns, rows, (width, height), below) for index in range(count)]

    def _cell(self, index: int, count: int, columns: int, rows: int, size: tuple[int, int], below: int) -> Box:
        body, (row, column) = self.body, divmod(index, columns)
        here = min(columns, count - row * columns)
        left = body.left + (body.width - here * size[0] - (here - 1) * self.gap) // 2
        pitch = size[1] + self.caption
        top = body.top + (body.height - below - rows * pitch) // 2
        return Box(left + column * (size[0] + self.gap), top + row * pitch, *size)

    def sheet(self, headline: str, line: str, tiles: Sequence[tuple[Box, str, bool]]) -> Picture:
        """A page with headline, a quiet line under it, and captions under the tiles, the chosen ones in full white."""
        image, draw = self._blank()
        top = self.body.top - self.unit(_HEAD)
        draw.rectangle((self.margin, top + self.unit(4), self.margin + self.unit(6), top + self.unit(100)), ACCENT)
        left = self.margin + self.unit(28)
        room = self.size[0] - self.margin - left
        self._write(draw, (left, top), headline, 50, INK, room)
        self._write(draw, (left, top + self.unit(68)), line, 28, QUIET, room)
        for box, text, strong in tiles:
            place = (box.left + self.unit(4), box.top + box.height + self.unit(10))
            self._write(draw, place, text, 28, INK if strong else QUIET, box.width - self.unit(8))
        self._write(draw, (self.margin, self._foot), FOOTER, 20, QUIET, self.size[0] - 2 * self.margin)
        return np.asarray(image)

    def card(self, headline: str, line: str) -> Picture:
        """A page with nothing but words, in the middle of its height."""
        image, draw = self._blank()
        room = self.size[0] - 2 * self.margin
        big, small = self.unit(84), self.unit(36)
        lines, notes = _wrap(headline, big, room)[:3], _wrap(line, small, room)[:3]
        top = (self.size[1] - self.unit(64) - len(lines) * self.unit(104) - len(notes) * self.unit(52)) // 2
        draw.rectangle((self.margin, top, self.margin + self.unit(96), top + self.unit(8)), ACCENT)
        top += self.unit(44)
        for text in lines:
            self._write(draw, (self.margin, top), text, 84, INK, room)
            top += self.unit(104)
        for text in notes:
            self._write(draw, (self.margin, top + self.unit(20)), text, 36, QUIET, room)
            top += self.unit(52)
        return np.asarray(image)

    def slider(self, size: tuple[int, int], value: float) -> Picture:
        """A rail with a knob at `value` from 0 to 1, and the value."""
        image = Image.new("RGB", (4 * size[0], 4 * size[1]), GROUND)  # drawn large and shrunk: round edges
        draw, middle, radius = ImageDraw.Draw(image), 2 * size[1], self.unit(15) * 4
        thick, begin, end = self.unit(3) * 4, radius, 4 * (size[0] - self.unit(84)) - radius
        place = begin + value * (end - begin)
        draw.rounded_rectangle((begin, middle - thick, end, middle + thick), thick, _RAIL)
        draw.rounded_rectangle((begin, middle - thick, max(place, begin + 2 * thick), middle + thick), thick, ACCENT)
        draw.ellipse((place - radius, middle - radius, place + radius, middle + radius), INK)
        image = image.resize(size, Image.Resampling.BOX)
        font = _font(self.unit(30))
        text = f"{value:.2f}"
        ImageDraw.Draw(image).text((size[0] - self.unit(4), size[1] / 2), text, INK, font, anchor="rm")
        return np.asarray(image)

    @property
    def _foot(self) -> int:
        body = self.body
        return body.top + body.height + self.unit(20)

    def _blank(self) -> tuple[Image.Image, ImageDraw.ImageDraw]:
        image = Image.new("RGB", self.size, GROUND)
        return image, ImageDraw.Draw(image)

    def _write(
        self, draw: ImageDraw.ImageDraw, place: tuple[int, int], text: str, size: float, colour: Colour, room: int
    ) -> None:
        """One line, smaller where it is long, cut where it is too long."""
        font = _face_of(text, self.unit(size))
        if font.getlength(text) > room:
            font = _face_of(text, max(self.unit(0.65 * size), round(self.unit(size) * room / font.getlength(text)) - 1))
        while font.getlength(text) > room and len(text) > 1:
            text = text[:-2].rstrip() + "…"
        draw.text(place, text, colour, font)


def round_corners(picture: Picture, radius: int) -> Picture:
    """The picture, its corners turned into ground."""
    rounded, share = picture.copy(), _corner(radius)
    for rows, step in ((slice(None, radius), 1), (slice(-radius, None), -1)):
        for columns, stride in ((slice(None, radius), 1), (slice(-radius, None), -1)):
            part = rounded[rows, columns]
            part[:] = (np.array(GROUND) + share[::step, ::stride] * (part.astype(np.float32) - GROUND) + 0.5).astype(
                np.uint8
            )
    return rounded


@lru_cache(maxsize=4)
def _corner(radius: int) -> NDArray[np.float32]:
    """(radius, radius, 1) how much of the upper left corner is seen."""
    mask = Image.new("L", (4 * radius, 4 * radius))
    ImageDraw.Draw(mask).ellipse((0, 0, 8 * radius - 1, 8 * radius - 1), 255)
    return np.asarray(mask.resize((radius, radius), Image.Resampling.BOX), np.float32)[..., None] / 255


@lru_cache(maxsize=64)
def _font(size: int, plain: bool = True) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own typeface knows ASCII; for the rest of Latin, Greek and Cyrillic that of matplotlib stands in."""
    return ImageFont.load_default(size) if plain else ImageFont.truetype(_many_letters(), round(0.9 * size))


def _many_letters() -> str:
    import matplotlib  # only for titles that need it: it loads slowly

    return str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf")


def _face_of(text: str, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return _font(size, text.replace("…", "").isascii())


def check_text(text: str) -> None:
    """Whether there are letters for all of it.

    Raises:
        OptionError: there are none for some, or a sign cannot be printed.
    """
    if text.isascii() and text.isprintable():
        return
    from matplotlib.ft2font import FT2Font

    known = FT2Font(_many_letters()).get_charmap()
    missing = "".join(dict.fromkeys(sign for sign in text if ord(sign) not in known or not sign.isprintable()))
    if missing:
        raise OptionError(
            f"The title cannot show {missing!r}: the typeface has no such letters, write it without them."
        )


def _wrap(text: str, size: int, room: int) -> list[str]:
    font, lines = _face_of(text, size), [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > room:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _even(pixels: float) -> int:
    return max(2, int(pixels) // 2 * 2)
