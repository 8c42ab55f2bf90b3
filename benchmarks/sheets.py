"""Contact sheets: the same face in the same frames, as it is and as each emotion makes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Picture = NDArray[Any]

_TITLE = 22


def crop(rgb: Picture, landmarks: NDArray[Any], side: int, around: float = 1.5) -> Picture:
    """(H, W, 3) and (N, 3) -> (side, side, 3): the head, half as large again as the face; black outside the frame."""
    low, high = landmarks[:, :2].min(0), landmarks[:, :2].max(0)
    scale = side / (around * float((high - low).max()))
    shift = side / 2 - scale * (low + high) / 2
    if scale < 0.5:  # averaged down first, or the sheet would show aliasing that is not in the video
        rgb, shrink = cv2.resize(rgb, None, fx=2 * scale, fy=2 * scale, interpolation=cv2.INTER_AREA), 2 * scale
    else:
        shrink = 1.0
    matrix = np.array([[scale / shrink, 0, shift[0]], [0, scale / shrink, shift[1]]])
    return np.asarray(cv2.warpAffine(rgb, matrix, (side, side), flags=cv2.INTER_CUBIC), np.uint8)


def write_by_column(path: Path, columns: Mapping[str, Sequence[Picture]]) -> None:
    """A sheet with a titled column for each emotion, one row per frame."""
    parts = [titled(name, np.vstack(list(pictures))) for name, pictures in columns.items()]
    Image.fromarray(np.hstack(parts)).save(path)


def write_by_row(path: Path, rows: Mapping[str, Sequence[Picture]]) -> None:
    """A sheet with a titled row for each emotion, consecutive frames side by side."""
    parts = [titled(name, np.hstack(list(pictures))) for name, pictures in rows.items()]
    Image.fromarray(np.vstack(parts)).save(path)


def titled(text: str, picture: Picture) -> Picture:
    """With a line of text above."""
    return np.vstack([_title(text, picture.shape[1]), picture])


def _title(text: str, width: int) -> Picture:
    image = Image.new("RGB", (width, _TITLE), "white")
    ImageDraw.Draw(image).text((4, 2), text, fill="black", font=ImageFont.load_default(16))
    return np.asarray(image)
