"""Line drawings of the emotions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

_HEAD: Final = '<circle cx="16" cy="16" r="13"/>'
_PEOPLE: Final = (
    '<circle cx="11" cy="11" r="4.5"/><path d="M3 26c0-5 3.5-8 8-8s8 3 8 8"/>'
    '<path d="M19.5 6.8a4.5 4.5 0 0 1 0 8.4M22.5 18.5c4 .8 6.5 3.6 6.5 7.5"/>'
)
_VOICE: Final = '<path d="M5 13v6M10.5 9v14M16 5v22M21.5 10v12M27 13.5v5"/>'
_FACES: Final[Mapping[str, str]] = {
    "neutral": '<path d="M9 11.5h4M19 11.5h4M11 15v.1M21 15v.1M11 21.5h10"/>',
    "happy": '<path d="M9 11c1-1.2 3-1.2 4 0M19 11c1-1.2 3-1.2 4 0M9.5 15c.8-.9 2.2-.9 3 0M19.5 15c.8-.9 2.2-.9 3 0'
    'M9.5 19c2.5 5 10.5 5 13 0"/>',
    "sad": '<path d="M9 12.5l4-1.6M23 12.5l-4-1.6M11 15.5v.1M21 15.5v.1M10.5 23c2.5-3.4 8.5-3.4 11 0"/>',
    "angry": '<path d="M9 10.5l4.5 2.5M23 10.5l-4.5 2.5M11.5 15.5v.1M20.5 15.5v.1M11 22.5c2.5-2.2 7.5-2.2 10 0"/>',
    "surprised": '<path d="M8.5 9.5c1-1.3 3.5-1.3 4.5 0M19 9.5c1-1.3 3.5-1.3 4.5 0"/>'
    '<circle cx="11" cy="14" r="1.4"/><circle cx="21" cy="14" r="1.4"/><ellipse cx="16" cy="21.5" rx="2.6" ry="3.4"/>',
    "fearful": '<path d="M8.5 11.5c1.2-1.6 3-2.2 4.5-2M23.5 11.5c-1.2-1.6-3-2.2-4.5-2M10 22c1.5-1.5 3 1 4.5-.5s3-1 '
    '4.5.2 2-.2 3-.7"/><circle cx="11" cy="14.5" r="1.5"/><circle cx="21" cy="14.5" r="1.5"/>',
    "disgusted": '<path d="M9 11.5l4 1.5M23 11.5l-4 1.5M9.5 15.5h3M19.5 15.5h3M14.5 17.5l1.5-1 1.5 1M10.5 22.5c2-2.6 '
    '4-2.2 5.5-.8s3.5 1 5.5-1.4"/>',
    "contempt": '<path d="M9 11.5h4M19 10.5c1-1 3-1 4 .2M11 15v.1M21 15v.1M10.5 21.5h6c2.5 0 4-.8 5-2.6"/>',
}  # fmt: skip


def glyph(emotion: str) -> str:
    """The face of an emotion as address of an SVG, to be used as a mask."""
    return _address(_HEAD + _FACES[emotion])


def everybody() -> str:
    """As `glyph`: several people."""
    return _address(_PEOPLE)


def voice() -> str:
    """As `glyph`: how something sounds."""
    return _address(_VOICE)


def _address(lines: str) -> str:
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" fill="none" stroke="#000" stroke-width="1.8" '
        f'stroke-linecap="round" stroke-linejoin="round">{lines}</svg>'
    )
    return f"data:image/svg+xml,{quote(svg)}"
