"""From one clip a titled film: original, a grid of emotions, a sweep of intensity, a comparison of mouth weights."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from talkedit_sdk.clip import Clip
from talkedit_sdk.editor import Editor
from talkedit_sdk.emotion import Emotion, EmotionCurve, EmotionLike, Intensity, IntensityLike
from talkedit_sdk.errors import OptionError, OutputError
from talkedit_sdk.face.topology import INDEX
from talkedit_sdk.progress import ProgressLike, reporting
from talkedit_sdk.provenance import RECORD, disclosure
from talkedit_sdk.reel.excerpt import SHORTEST, Excerpt
from talkedit_sdk.reel.film import Frames, Scene, Tile, check_moviepy, write_film
from talkedit_sdk.reel.page import FOOTER, Box, Page, Picture, check_text
from talkedit_sdk.reel.region import NARROWEST, WIDEST, Region
from talkedit_sdk.result import EditResult
from talkedit_sdk.version import installed
from talkedit_sdk.video.output import check_output, check_target
from talkedit_sdk.video.photo import write_photo
from talkedit_sdk.video.pipeline import prefetch
from talkedit_sdk.video.types import Frame, VideoInfo

EMOTIONS: Final = ("happy", "surprised", "sad", "fearful", "angry", "disgusted", "contempt")
SECONDS: Final = 8.0
TITLE: Final = "Same words, other feelings"

_LANDSCAPE, _PORTRAIT = (1920, 1080), (1080, 1920)
_TITLE_SECONDS, _CLOSING_SECONDS = 1.8, 2.4
_LONGEST, _LONGEST_TITLE = 60.0, 90
_WIDEST_UPRIGHT: Final = 1.1
_NUMBERS: Final = ["One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten", "Eleven"]
_CLOSING: Final = "The words, the voice and the person are those of the clip; only the expression was changed"
_WEIGHTS: Final = ((1.0, "weight 1: lips of the speaker"), (0.0, "weight 0: lips of the emotion"))

Cut: TypeAlias = "Callable[[NDArray[np.uint8], int, tuple[int, int]], NDArray[np.uint8]]"


@dataclass(frozen=True)
class Reel:
    """What was written. `seconds` is the length of the film, `shown` that of the part of the clip in it."""

    path: Path
    poster: Path | None
    size: tuple[int, int]
    seconds: float
    shown: float


def make_reel(
    editor: Editor,
    video: str | os.PathLike[str],
    path: str | os.PathLike[str],
    emotions: Sequence[EmotionLike] = EMOTIONS,
    title: str = TITLE,
    seconds: float = SECONDS,
    portrait: bool = False,
    poster: str | os.PathLike[str] | None = None,
    face: str | int = "largest",
    progress: ProgressLike = None,
) -> Reel:
    """Makes a showcase film of 1920x1080 or 1080x1920 with the sound of the clip under every scene.

    Args:
        video: path of a video.
        path: .mp4, .mov or .mkv. Replaced only when all is done.
        emotions: 1 to 11; the first is that of the sweep, the second that of the comparison.
        title: words of the first page, at most 90 letters.
        seconds: how much of the clip each scene shows, 1 to 60.
        portrait: 9:16 instead of 16:9.
        poster: a .png, the grid in the middle of the clip, to put in front of the film.
        face, progress: as in `Editor.edit`.

    Raises:
        OptionError: an argument is out of range, or moviepy is missing.
        InputError: the video cannot be read, is too short, or shows no such face.
        OutputError: a file cannot be written.
        Cancelled: the callback returned False.
    """
    check_moviepy()
    wanted = _check(emotions, title, seconds)
    excerpt = Excerpt(Path(video), seconds)
    target = check_output(path, excerpt.info)
    picture = None if poster is None else check_poster(poster, excerpt.info)
    page = Page(_PORTRAIT if portrait else _LANDSCAPE)
    clip = editor.watch(excerpt.pictures(), excerpt.rate, progress)
    with closing(clip.source):
        shown = len(clip.tracking.times) / excerpt.rate
        excerpt.check(shown)
        story = _Story(editor, clip, face, wanted, page)
        grid = story.grid()
        scenes = [
            Scene(page.card(title, _subtitle(wanted)), round(_TITLE_SECONDS * excerpt.rate)),
            story.original(),
            grid,
            story.sweep(),
            story.comparison(),
            Scene(page.card(FOOTER, _CLOSING), round(_CLOSING_SECONDS * excerpt.rate)),
        ]
        total = sum(scene.count for scene in scenes)
        at = scenes[0].count + scenes[1].count + story.telling()
        still = page.sheet(title, _subtitle(wanted), story.captions).copy()
        with reporting(progress, "render", total) as advance:

            def watch(done: int, frame: Picture) -> None:
                advance(done)
                if done == at + 1:
                    for tile in grid.tiles:
                        rows, columns = tile.box.slices
                        still[rows, columns] = frame[rows, columns]

            metadata = _tags(wanted)
            write_film(target, page, scenes, excerpt.rate, excerpt.sound(shown), metadata, watch)
    if picture is not None:
        info = VideoInfo(None, "photo", page.size[0], page.size[1], excerpt.info.fps)
        write_photo(picture, still, info, metadata)
    return Reel(target, picture, page.size, total / excerpt.rate, shown)


def check_poster(poster: str | os.PathLike[str], source: VideoInfo) -> Path:
    """The absolute path of the poster.

    Raises:
        OutputError: it is no .png, or cannot be written.
    """
    if Path(poster).suffix.lower() != ".png":
        raise OutputError(f"A poster cannot be written to {poster}: end its name in .png.")
    return check_target(Path(poster), source.path)


class _Story:
    """What the scenes show of a clip."""

    def __init__(self, editor: Editor, clip: Clip, face: str | int, emotions: Sequence[Emotion], page: Page) -> None:
        self._editor, self._clip, self._face, self._page = editor, clip, face, page
        self._emotions = emotions
        self._index = clip.choose(face)[0]
        self._region = Region.of(clip, self._index)
        self._count = len(clip.tracking.times)
        self.captions: list[tuple[Box, str, bool]] = []

    def original(self) -> Scene:
        page, (width, height) = self._page, self._region.size
        aspect = min(width / height, _WIDEST_UPRIGHT) if page.upright else max(width / height, NARROWEST)
        (box,) = page.tiles(1, aspect, aspect)
        sheet = page.sheet("Original", "The clip as it was recorded", [])
        return Scene(sheet, self._count, (Tile(box, self._cut(self._clip.source.frames(), self._region.whole, box)),))

    def grid(self) -> Scene:
        boxes = self._boxes(1 + len(self._emotions))
        labels = ["original", *(emotion.label for emotion in self._emotions)]
        self.captions = [(box, label, label != "original") for box, label in zip(boxes, labels, strict=True)]
        headline = f"{_number(len(self._emotions))}, one clip"
        sheet = self._page.sheet(headline, "The words, the voice and the person stay", self.captions)
        edits = (self._edit(emotion) for emotion in self._emotions)
        return Scene(sheet, self._count, self._tiles(boxes, [None, *edits]))

    def sweep(self) -> Scene:
        emotion, page, height = self._emotions[0], self._page, self._page.unit(72)
        end = float(self._clip.tracking.times[-1])
        curve = Intensity.parse([(0.1 * end, 0.0), (0.75 * end, 1.0)])
        boxes = self._boxes(2, below=height)
        left, low = boxes[0].left, boxes[-1]
        width = low.left + low.width - left
        rail = Box(left, low.top + low.height + page.caption, width, height)
        captions = [(boxes[0], "original", False), (boxes[1], emotion.label, True)]
        sheet = page.sheet("Intensity", f"From nothing to {emotion.label}, continuously", captions)
        values = curve.at(self._clip.tracking.times)
        slider = Tile(rail, (page.slider(rail.size, float(value)) for value in values), rounded=False)
        tiles = self._tiles(boxes, [None, self._edit(emotion, curve)])
        return Scene(sheet, self._count, (*tiles, slider))

    def comparison(self) -> Scene:
        emotion, boxes = self._emotions[:2][-1], self._boxes(3)
        labels = ["original", *(label for _, label in _WEIGHTS)]
        captions = [(box, label, label != "original") for box, label in zip(boxes, labels, strict=True)]
        sheet = self._page.sheet("Mouth weight", f"Who shapes the lips of a {emotion.label} face", captions)
        edits = (self._edit(emotion, mouth_weight=weight) for weight, _ in _WEIGHTS)
        return Scene(sheet, self._count, self._tiles(boxes, [None, *edits]))

    def telling(self) -> int:
        """The frame of the middle half in which the eyes are most open and the lips most at rest."""
        track = self._clip.tracking.faces[self._index]
        coefficients = self._clip.fits[self._index].coefficients.cpu().numpy()
        open_, shut = INDEX["jawOpen"], [INDEX["eyeBlinkLeft"], INDEX["eyeBlinkRight"]]
        cost = coefficients[:, shut].sum(1) + coefficients[:, open_] + (abs(track.frames / self._count - 0.5) > 0.25)
        return int(track.frames[np.argmin(cost)])

    def _boxes(self, count: int, below: int = 0) -> list[Box]:
        widest = min(WIDEST, self._region.widest())
        return self._page.tiles(count, min(NARROWEST, widest), widest, below)

    def _edit(self, emotion: Emotion, intensity: IntensityLike = 1.0, mouth_weight: float = 0.5) -> EditResult:
        return self._editor.edit(self._clip, emotion, intensity, mouth_weight, self._face, progress=False)

    def _tiles(self, boxes: Sequence[Box], edits: Sequence[EditResult | None]) -> tuple[Tile, ...]:
        """Of each edit the face, of None that of the source."""
        sources = (self._clip.source.frames() if edit is None else edit.frames() for edit in edits)
        pairs = zip(boxes, sources, strict=True)
        return tuple(Tile(box, self._cut(frames, self._region.face, box)) for box, frames in pairs)

    def _cut(self, frames: Iterator[Frame], how: Cut, box: Box) -> Frames:
        pictures = (how(frame.rgb, frame.index, box.size) for frame in frames)
        with closing(prefetch(pictures, depth=2)) as ahead:
            yield from ahead


def _check(emotions: Sequence[EmotionLike], title: str, seconds: float) -> list[Emotion]:
    if not SHORTEST <= seconds <= _LONGEST:
        raise OptionError(f"A reel shows {SHORTEST:g} to {_LONGEST:g} seconds of a clip, not {seconds:g}.")
    if not title.strip() or len(title) > _LONGEST_TITLE:
        raise OptionError(f"A title has 1 to {_LONGEST_TITLE} letters, not {len(title.strip())}; write another one.")
    check_text(title)
    wanted = list(dict.fromkeys(Emotion.parse(emotion) for emotion in emotions))
    if not 1 <= len(wanted) <= len(_NUMBERS):
        raise OptionError(f"A reel shows 1 to {len(_NUMBERS)} emotions, not {len(wanted)}; leave some out.")
    return wanted


def _tags(emotions: Sequence[Emotion]) -> dict[str, str]:
    """Metadata; its emotions are not one after another but side by side."""
    tags = disclosure(installed(), EmotionCurve(tuple((0.0, emotion) for emotion in emotions)))
    record = json.loads(tags[RECORD])
    record.pop("emotion_over_time", None)
    return {name: text.replace(", then ", ", ") for name, text in {**tags, RECORD: json.dumps(record)}.items()}


def _subtitle(emotions: Sequence[Emotion]) -> str:
    return f"One clip, {_number(len(emotions)).lower()}, edited with talkedit"


def _number(count: int) -> str:
    return f"{_NUMBERS[count - 1]} emotion{'s' if count > 1 else ''}"
