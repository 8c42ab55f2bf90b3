"""Scenes put one after another and written by moviepy."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from talkedit_sdk.errors import InputError, OptionError, OutputError
from talkedit_sdk.provenance import xmp_box
from talkedit_sdk.reel.excerpt import SAMPLE_RATE
from talkedit_sdk.reel.page import GROUND, Box, Page, Picture, round_corners
from talkedit_sdk.video.output import VIDEO_FORMATS, explaining, replacing

FADE: Final = 0.3
"""Seconds in which a scene comes out of the ground and goes back."""

_SOUND_FADE: Final = 0.06

_COLOUR: Final = "scale=out_color_matrix=bt709:out_range=tv,format=yuv420p"
_QUALITY: Final = ["-crf", "18", "-vf", _COLOUR, "-colorspace", "bt709", "-color_primaries", "bt709"]
_TAGS: Final = ["-color_trc", "bt709", "-color_range", "tv"]

Frames: TypeAlias = "Generator[NDArray[np.uint8], None, None]"


@dataclass(frozen=True)
class Tile:
    """A moving part of a page: `frames` yields one (H, W, 3) picture of the box's size for each frame of the scene."""

    box: Box
    frames: Frames
    rounded: bool = True


@dataclass(frozen=True)
class Scene:
    """A page for `count` frames, with tiles that move; without tiles it is silent."""

    sheet: Picture
    count: int
    tiles: tuple[Tile, ...] = ()


def check_moviepy() -> None:
    """Raises:
    OptionError: moviepy is not installed.
    """
    try:
        import moviepy  # noqa: F401
    except ImportError:
        raise OptionError("A reel needs moviepy; install it with: pip install 'talkedit[reel]'.") from None


def write_film(
    target: Path,
    page: Page,
    scenes: Sequence[Scene],
    rate: int,
    sound: NDArray[np.float32] | None,
    metadata: Mapping[str, str],
    watch: Callable[[int, Picture], None],
) -> None:
    """Writes the scenes as H.264 and AAC; `sound`, (N, 2), begins anew with every scene that has tiles.

    `watch` is called with the number of frames done and the latest, and may raise to stop. The file appears
    when all is done.

    Raises:
        OutputError: it cannot be written. Nothing is left behind.
    """
    from moviepy import concatenate_videoclips

    done, last = 0, scenes[0].sheet

    def count(frame: Picture) -> Picture:
        nonlocal done, last
        done += 1
        watch(done, frame)
        last = frame
        return frame

    form = VIDEO_FORMATS[target.suffix.lower()]
    tags = [part for key, value in metadata.items() for part in ("-metadata", f"{key}={value}")]
    flags = [] if form == "matroska" else ["-movflags", "+faststart+use_metadata_tags"]
    with (
        replacing(target) as temporary,
        tempfile.TemporaryDirectory(prefix="talkedit-") as folder,
        contextlib.ExitStack() as stack,
        explaining(target),
    ):
        for scene in scenes:
            for tile in scene.tiles:
                stack.callback(tile.frames.close)
        clips = [_clip(scene, page, rate, sound) for scene in scenes]
        film = concatenate_videoclips(clips).image_transform(count)
        film.duration = film.end = (sum(scene.count for scene in scenes) + 0.01) / rate  # moviepy rounds down
        try:
            film.write_videofile(
                str(temporary),
                fps=rate,
                codec="libx264",
                preset="veryfast",
                audio_codec="aac",
                audio_fps=SAMPLE_RATE,
                audio_bitrate="160k",
                temp_audiofile=str(Path(folder) / "sound.m4a"),
                ffmpeg_params=[*_QUALITY, *_TAGS, *tags, *flags, "-f", form],
                logger=None,
            )
        except OSError as error:
            if isinstance(error, InputError):
                raise
            watch(done, last)  # Ctrl-C reaches moviepy's ffmpeg too: then this was no failure
            full = "No space left" in str(error)
            reason = "there is no room left, free some space" if full else "moviepy's ffmpeg refused it"
            raise OutputError(f"The reel {target} cannot be written: {reason} or choose another folder.") from error
        if form != "matroska":
            with temporary.open("ab") as file:
                file.write(xmp_box(metadata))


def _clip(scene: Scene, page: Page, rate: int, sound: NDArray[np.float32] | None) -> Any:
    from moviepy import AudioArrayClip, CompositeVideoClip, ImageClip, afx

    duration = scene.count / rate
    moving = [_moving(tile, page, scene.count, rate).with_position(tile.box.corner) for tile in scene.tiles]
    sheet = ImageClip(scene.sheet)
    clip = (CompositeVideoClip([sheet, *moving], use_bgclip=True) if moving else sheet).with_duration(duration)
    ground = np.full_like(scene.sheet, GROUND)

    def fade(get: Callable[[float], Picture], time: float) -> Picture:  # moviepy's own takes ten times as long
        share = min(time, duration - time) / FADE
        return get(time) if share >= 1 else cv2.addWeighted(get(time), share, ground, 1 - share, 0).astype(np.uint8)

    clip = clip.transform(fade)
    if sound is None or not scene.tiles:
        return clip
    part = AudioArrayClip(sound[: round(duration * SAMPLE_RATE)], SAMPLE_RATE)
    return clip.with_audio(part.with_effects([afx.AudioFadeIn(_SOUND_FADE), afx.AudioFadeOut(_SOUND_FADE)]))


def _moving(tile: Tile, page: Page, count: int, rate: int) -> Any:
    """A moviepy clip that reads the frames in order: moviepy asks by time, and never goes back."""
    from moviepy import VideoClip

    index, picture = -1, np.zeros((tile.box.height, tile.box.width, 3), np.uint8)

    def at(time: float) -> Picture:
        nonlocal index, picture
        wanted = min(round(time * rate), count - 1)
        while index < wanted:
            picture, index = next(tile.frames), index + 1
            if index == count - 1:
                tile.frames.close()
            if index == wanted and tile.rounded:
                picture = round_corners(picture, page.unit(14))
        return picture

    clip = VideoClip()
    clip.size, clip.frame_function = tile.box.size, at
    return clip
