"""Real people talking: footage that carries the speaker's own voice, as features and coefficients."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from talkedit_sdk.emotion import EMOTIONS
from talkedit_sdk.errors import InputError
from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.face.track import Tracker
from talkedit_sdk.motion.windows import interpolate
from talkedit_sdk.speech.audio import read_voice
from talkedit_sdk.speech.features import features
from talkedit_sdk.speech.types import RATE
from talkedit_sdk.training.corpus import Stretch, Take, list_takes, read_stretches
from talkedit_sdk.training.own_voice import Heard, Match, own_voices
from talkedit_sdk.training.utterance import Utterance
from talkedit_sdk.video.decode import read_track
from talkedit_sdk.video.photo import is_photo

_MIDDLE: Final = slice(1, 4)  # of the pairs of lip vertices


@dataclass(frozen=True)
class Clip:
    """A stretch of footage with sound, row for row, before anybody knows whose voice it is: features (T, FEATURES),
    coefficients (T, 52), lip gaps (T, 5)."""

    take: Take
    features: Tensor
    coefficients: Tensor
    gaps: Tensor


def read_speeches(data: Path, model: FaceModel, tracker: Tracker, cache: Path) -> Iterator[Utterance]:
    """Footage in which the largest face says what is heard, found by correlation; sound and picture are moved to where
    they fit.

    Args:
        data: manifest, MEAD or RAVDESS folder, or folder with an index, see `corpus.list_takes`.
        model: face model that the coefficients belong to.
        tracker: finds the faces.
        cache: folder that keeps what was tracked.

    Raises:
        OptionError: there is nothing to learn from in `data`.
    """
    clips = list(read_clips(list_takes(data), model, tracker, cache))
    for clip, match in zip(clips, judged(clips), strict=True):
        if match.own:
            yield _utterance(clip, match.late)


def read_clips(takes: list[Take], model: FaceModel, tracker: Tracker, cache: Path) -> Iterator[Clip]:
    """All uninterrupted stretches of faces in footage with sound."""
    sounds = {take.path: sound_of(take.path) for take in takes if not is_photo(take.path)}
    heard = [take for take in takes if sounds.get(take.path) is not None]
    for stretch in read_stretches(heard, model, tracker, cache):
        picture = stretch.take.path
        sound, track = sounds[picture] or picture, read_track(picture)
        start = float(track.start * track.time_base) if sound == picture else 0.0
        found = _clip(stretch, features(read_voice(sound)), start)
        if found is not None:
            yield found


def sound_of(video: Path) -> Path | None:
    """The file with a video's sound: itself, or the one beside it in the folders of MEAD; None where it is silent."""
    beside: list[Path] = []
    if len(video.parts) > 5 and video.parts[-5] == "video":  # M003/video/front/happy/level_2/001.mp4
        folder = Path(*video.parts[:-5], "audio", *video.parts[-3:-1])
        beside = [folder / f"{video.stem}{suffix}" for suffix in (".m4a", ".wav")]
    for candidate in (video, *beside):
        with suppress(InputError):  # no such file, no sound in it
            if read_voice(candidate).samples.any():
                return candidate
    return None


def judged(clips: list[Clip]) -> list[Match]:
    """Whose voice each clip carries."""
    return own_voices([Heard(clip.take.person, clip.features, clip.gaps[:, _MIDDLE].mean(1)) for clip in clips])


def _clip(stretch: Stretch, heard: Tensor, start: float) -> Clip | None:
    """The rows in which there are both face and sound. `start` is the first picture's time, seconds of the sound."""
    times = stretch.times + start
    first, last = int(-(-float(times[0]) * RATE // 1)), min(int(float(times[-1]) * RATE), len(heard) - 1)
    if last <= first:
        return None
    rows = torch.arange(first, last + 1)
    moments = rows.to(times.dtype) / RATE
    beta, gaps = (interpolate(values, times, moments).float() for values in (stretch.coefficients, stretch.gaps))
    return Clip(stretch.take, heard[rows], beta, gaps)


def _utterance(clip: Clip, late: int) -> Utterance:
    """A clip with its picture moved by `late` rows to an earlier time."""
    count = len(clip.features) - abs(late)
    heard = clip.features[max(-late, 0) :][:count]
    seen = clip.coefficients[max(late, 0) :][:count]
    take = clip.take
    shares = torch.zeros(len(EMOTIONS)) if take.emotion is None else torch.tensor(take.emotion.shares)
    strength = 0.0 if take.emotion is None else min(take.strength, 1.0)
    return Utterance(
        heard,
        seen,
        torch.full((count,), -1),
        shares.expand(count, -1),
        torch.full((count,), strength),
        "real",
        take.person,
        take.role,
    )
