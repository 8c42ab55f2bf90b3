"""What `make demo` shows: one talking face, several emotions, the same words.

    python examples/demo.py                        # the example clip
    python examples/demo.py my.mp4 --out my_demo   # a clip or photo of your own

Writes a video for each emotion and a contact sheet to compare them at a glance.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from talkedit_sdk import Editor, TalkEditError
from talkedit_sdk.clip import Clip
from talkedit_sdk.face.topology import INDEX
from talkedit_sdk.video.source import open_source

EXAMPLE: Final = Path(__file__).with_name("talk.mp4")
EMOTIONS: Final[dict[str, str | dict[str, float]]] = {
    "happy": "happy",
    "sad": "sad",
    "angry": "angry",
    "surprised": "surprised",
    "disgusted": "disgusted",
    "happy + surprised": {"happy": 0.6, "surprised": 0.4},
}

COLUMNS: Final = 6
CELL, GAP, MARGIN, LABELS, TITLE = 248, 8, 28, 176, 104  # pixels of the contact sheet
PAPER, INK, FAINT = (22, 24, 29), (238, 240, 244), (139, 145, 158)

Box = tuple[int, int, int, int]


def main() -> None:
    parser = argparse.ArgumentParser(description="Gives a talking face several other emotions.")
    parser.add_argument("video", nargs="?", type=Path, default=EXAMPLE, help="clip or photo (default: the example)")
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder for the results (default: demo)")
    options = parser.parse_args()
    try:
        run(options.video, options.out)
    except TalkEditError as error:
        sys.exit(f"demo: {error}")
    except OSError as error:
        sys.exit(f"demo: {options.out} cannot be written ({error.strerror}); choose another folder with --out.")
    except KeyboardInterrupt:
        sys.exit("demo: stopped; finished videos stay, the unfinished one was removed.")


def run(video: Path, folder: Path) -> None:
    """Edits `video` into `folder` for each of `EMOTIONS`.

    Raises:
        TalkEditError: the video cannot be read, shows no face, or a result cannot be written.
        OSError: the folder or the contact sheet cannot be written.
    """
    editor = Editor.load()
    clip = editor.watch(video)
    (face,) = clip.choose("largest")
    folder.mkdir(parents=True, exist_ok=True)
    moments = pick_moments(clip, face)
    rows = {"original": cut_faces(video, moments)}
    suffix = ".png" if clip.source.info.kind == "photo" else ".mp4"
    for label, emotion in EMOTIONS.items():
        name = label.replace(" + ", "_") + suffix
        saved = editor.edit(clip, emotion).save(folder / name)
        rows[label] = cut_faces(saved, moments)
        print(f"{label:<18} {saved}", flush=True)
    sheet = folder / "contact_sheet.png"
    draw_sheet(rows, [float(clip.tracking.times[index]) for index in moments]).save(sheet)
    print(f"{'contact sheet':<18} {sheet.resolve()}")


def pick_moments(clip: Clip, face: int) -> dict[int, Box]:
    """Frames for the columns, spread over the clip and with open eyes, and the square around the face in each."""
    track, height_width = clip.tracking.faces[face], np.array(clip.tracking.size)
    shut = clip.fits[face].coefficients[:, [INDEX["eyeBlinkLeft"], INDEX["eyeBlinkRight"]]].amax(1).cpu().numpy()
    stretches = np.array_split(np.arange(len(track.frames)), min(COLUMNS, len(track.frames)))
    moments = {}
    for rows in stretches:
        row = int(rows[np.argmin(shut[rows])])
        points = np.asarray(track.landmarks[row, :, :2])
        low, high = points.min(0), points.max(0)
        side = int(min(1.3 * (high - low).max(), height_width.min()))
        left, top = np.clip((low + high - side) / 2, 0, height_width[::-1] - side).astype(int)
        moments[int(track.frames[row])] = (int(left), int(top), int(left) + side, int(top) + side)
    return moments


def cut_faces(video: Path, moments: dict[int, Box]) -> list[NDArray[np.uint8]]:
    """The squares of the given frames, decoded from a file."""
    faces: list[NDArray[np.uint8]] = []
    source = open_source(video)
    for frame in source.frames():
        if frame.index in moments:
            left, top, right, bottom = moments[frame.index]
            faces.append(frame.rgb[top:bottom, left:right].copy())
        if len(faces) == len(moments):
            break
    source.close()
    return faces


def draw_sheet(rows: dict[str, list[NDArray[np.uint8]]], seconds: list[float]) -> Image.Image:
    """A row of faces for each label under the times that they were taken at."""
    pitch = CELL + GAP
    size = (2 * MARGIN + LABELS + len(seconds) * pitch - GAP, MARGIN + TITLE + len(rows) * pitch - GAP + MARGIN)
    sheet = Image.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((MARGIN, MARGIN), "The same words, another emotion", INK, ImageFont.load_default(30))
    pen.text((MARGIN, MARGIN + 40), "edited with talkedit: synthetic media", FAINT, ImageFont.load_default(16))
    corners = Image.new("L", (2 * CELL, 2 * CELL))
    ImageDraw.Draw(corners).rounded_rectangle((0, 0, 2 * CELL - 1, 2 * CELL - 1), 24, 255)
    corners = corners.resize((CELL, CELL), Image.Resampling.LANCZOS)
    for column, time in enumerate(seconds):
        x = MARGIN + LABELS + column * pitch + CELL // 2
        pen.text((x, MARGIN + TITLE - 10), f"{time:.1f} s", FAINT, ImageFont.load_default(16), "ms")
    for row, (label, faces) in enumerate(rows.items()):
        y = MARGIN + TITLE + row * pitch
        name = label.replace(" + ", " +\n")
        colour = FAINT if row == 0 else INK
        pen.text((MARGIN, y + CELL // 2), name, colour, ImageFont.load_default(24), "lm", spacing=6)
        for column, face in enumerate(faces):
            cell = Image.fromarray(face).resize((CELL, CELL), Image.Resampling.LANCZOS)
            sheet.paste(cell, (MARGIN + LABELS + column * pitch, y), corners)
    return sheet


if __name__ == "__main__":
    main()
