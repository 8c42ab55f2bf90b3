"""Draws `docs/emotions.jpg`, the picture in the README, from the example clip.

python docs/make_picture.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from talkedit_sdk import Editor

ROOT = Path(__file__).parents[1]
FRAME, CELL, GAP, LABEL = 115, 232, 6, 30
EMOTIONS = ("happy", "sad", "angry", "surprised", "fearful", "disgusted", "contempt")
SWEEP = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5)


def main() -> None:
    editor = Editor.load()
    clip = editor.watch(ROOT / "examples" / "talk.mp4")
    landmarks = clip.tracking.faces[0].landmarks[FRAME]
    low, high = landmarks[:, :2].min(0), landmarks[:, :2].max(0)
    centre, half = (low + high) / 2, 0.66 * float((high - low).max())
    box = tuple(int(v) for v in (*(centre - half), *(centre + half)))

    def cell(emotion: str, intensity: float, label: str) -> Image.Image:
        rgb: NDArray[np.uint8] = editor.edit(clip, emotion, intensity, mouth_weight=0.4).frame(FRAME).rgb
        picture = Image.new("RGB", (CELL, CELL + LABEL), (22, 24, 29))
        picture.paste(Image.fromarray(rgb).crop(box).resize((CELL, CELL), Image.Resampling.LANCZOS))
        font = ImageFont.load_default(17)
        ImageDraw.Draw(picture).text((CELL / 2, CELL + LABEL / 2), label, (238, 240, 244), font, "mm")
        return picture

    rows = [
        [cell("neutral", 0.0, "source"), *(cell(name, 1.0, name) for name in EMOTIONS)],
        [cell("happy", value, f"happy {value:g}") for value in SWEEP],
    ]
    width, height = CELL + GAP, CELL + LABEL + GAP
    sheet = Image.new("RGB", (len(rows[0]) * width - GAP, len(rows) * height - GAP), (22, 24, 29))
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            sheet.paste(picture, (x * width, y * height))
    sheet.save(ROOT / "docs" / "emotions.jpg", quality=88)


if __name__ == "__main__":
    main()
