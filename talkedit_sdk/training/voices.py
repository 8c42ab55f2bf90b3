"""Speech without limit: eSpeak NG says sentences in many voices and moods, and a face is made to go with them.

Every sentence of every voice is said several times, each time in another emotion, so that content and emotion can be
told apart. How a mood sounds follows Scherer, *Vocal communication of emotion* (2003), and Juslin & Laukka,
*Communication of emotions in vocal expression and music performance* (2003): pitch, its range, pace, brightness and
tremor. Lips come from `coarticulation`, emotion from `facs`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from talkedit_sdk.emotion import EMOTIONS
from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.face.topology import LIP_PAIRS
from talkedit_sdk.hub import EMBEDDED
from talkedit_sdk.motion import windows
from talkedit_sdk.motion.mouth import LipProjection
from talkedit_sdk.speech import features as speech_features
from talkedit_sdk.speech import text as speech_text
from talkedit_sdk.speech.features import features
from talkedit_sdk.speech.text import say
from talkedit_sdk.speech.types import RATE, SAMPLE_RATE, Phone, Voice
from talkedit_sdk.training import coarticulation, facs, phones, rooms, sentences
from talkedit_sdk.training.coarticulation import Manner, accents, lips, random_manner, sealed
from talkedit_sdk.training.facs import Speech, act
from talkedit_sdk.training.phones import rows_of, spans
from talkedit_sdk.training.rooms import recorded, tilted
from talkedit_sdk.training.sentences import SENTENCES
from talkedit_sdk.training.utterance import Utterance

_MOODS: Final = 4  # emotions in which each sentence is said
_SHARD: Final = 10  # sentences of a file of the cache
_ENGLISH: Final = 0.5
_ACCENTS: Final[dict[str, tuple[str, ...]]] = {
    "en": ("en-US", "en-GB-x-rp", "en", "en-GB-scotland", "en-029", "en-US-nyc"),
    "de": ("de",), "fr": ("fr", "fr-CH", "fr-BE"), "es": ("es", "es-419"), "it": ("it",), "pt": ("pt-BR", "pt"),
    "nl": ("nl",),
}  # fmt: skip
_VARIANTS: Final = ("", *(f"+m{n}" for n in range(1, 9)), *(f"+f{n}" for n in range(1, 6)), "+klatt2", "+Andrea")


@dataclass(frozen=True)
class Prosody:
    """What a mood at full strength does to a voice: factor on pace, what is added to eSpeak's pitch and range, dB of
    brightness, share by which pitch and loudness tremble."""

    pace: float
    pitch: float
    range: float
    brightness: float
    tremor: float = 0.0


_PROSODY: Final[dict[str, Prosody]] = {
    "neutral": Prosody(1.0, 0, 0, 0),
    "happy": Prosody(1.08, 16, 24, 4),
    "sad": Prosody(0.80, -10, -28, -9, 0.004),
    "angry": Prosody(1.12, 6, 16, 9),
    "surprised": Prosody(1.04, 24, 44, 3),
    "fearful": Prosody(1.20, 20, -6, 2, 0.016),
    "disgusted": Prosody(0.88, -8, 4, -3),
    "contempt": Prosody(0.92, -5, -16, 0),
}


@dataclass(frozen=True)
class _Talker:
    """Somebody made up: a voice of eSpeak, its pace, pitch and range, the size of the throat, manner and style."""

    voice: str
    pace: float
    pitch: float
    range: float
    throat: float
    manner: Manner
    style: Tensor


def speak_utterances(count: int, seed: int, cache: Path, weights: Path = EMBEDDED) -> Iterator[Utterance]:
    """Says `count` sentences in a row, several moods of the same words one after the other.

    Args:
        count: how many; the first ones are the same whatever the number.
        seed: of everything that is drawn by chance.
        cache: folder that keeps what was made.
        weights: folder of the face model that the coefficients belong to.

    Raises:
        OptionError: eSpeak NG is missing.
        WeightsError: there is no face model in `weights`.
    """
    cache.mkdir(parents=True, exist_ok=True)
    openings = LipProjection(FaceModel.load(weights)).features[: len(LIP_PAIRS)]
    version = hashlib.sha256(openings.numpy().tobytes() + b"".join(_recipe())).hexdigest()
    per_shard = _SHARD * _MOODS
    with tqdm(total=count, desc="Speech", unit="sentence", disable=None) as bar:
        for shard in range(-(-count // per_shard)):
            stored = cache / f"spoken-{hashlib.sha256(f'{version}:{seed}:{shard}'.encode()).hexdigest()[:24]}.npz"
            if not stored.exists():
                made = [u for n in range(_SHARD) for u in _family(seed, shard * _SHARD + n, openings)]
                partial = stored.with_suffix(".partial.npz")
                np.savez_compressed(partial, **_packed(made))
                partial.replace(stored)
            with np.load(stored, allow_pickle=False) as arrays:
                found = _unpacked(dict(arrays))
            for utterance in found[: count - shard * per_shard]:
                bar.update()
                yield utterance


def _recipe() -> Iterator[bytes]:
    """What the sentences are made by: with it, they change."""
    for module in (coarticulation, facs, phones, rooms, sentences, speech_features, speech_text):
        yield Path(str(module.__file__)).read_bytes()
    yield Path(__file__).read_bytes()


def _family(seed: int, number: int, openings: Tensor) -> list[Utterance]:
    """The same words of the same talker in several moods."""
    random = np.random.default_rng((seed, number))
    generator = torch.Generator().manual_seed(int(random.integers(2**31)))
    language = "en" if random.random() < _ENGLISH else str(random.choice(sorted(set(SENTENCES) - {"en"})))
    text = SENTENCES[language][random.integers(len(SENTENCES[language]))]
    talker = _Talker(
        voice=str(random.choice(_ACCENTS[language])) + str(random.choice(_VARIANTS)),
        pace=random.uniform(125, 200),
        pitch=random.uniform(30, 65),
        range=random.uniform(35, 65),
        throat=float(np.exp(random.uniform(-0.14, 0.14))),
        manner=random_manner(generator),
        style=facs.random_styles(1, generator),
    )
    moods = random.permutation(len(EMOTIONS))[:_MOODS]
    return [_uttered(text, talker, int(mood), random, openings) for mood in moods]


def _uttered(text: str, talker: _Talker, mood: int, random: np.random.Generator, openings: Tensor) -> Utterance:
    strength = 1.0 if EMOTIONS[mood] == "neutral" else random.uniform(0.4, 1.0)
    voice, said = _said(text, talker, _PROSODY[EMOTIONS[mood]], strength * random.uniform(0.7, 1.2), random)
    rows = voice.rows
    emotion = torch.eye(len(EMOTIONS))[mood].expand(rows, -1)
    strengths = torch.full((rows,), strength)
    calm = lips(said, rows, openings[len(LIP_PAIRS) // 2], talker.manner)
    face = _acted(calm, emotion, strengths, talker.style, openings)
    face = sealed((face + accents(said, rows)).clamp(0, 1), said, openings[len(LIP_PAIRS) // 2])
    return Utterance(
        features(replace(voice, samples=recorded(voice.samples, random))),
        face,
        rows_of(spans(said), rows),
        emotion,
        strengths,
        "spoken",
        f"{talker.voice} {talker.pace:.0f} {talker.pitch:.0f} {talker.throat:.2f}",
        "train",
    )


def _said(
    text: str, talker: _Talker, mood: Prosody, strength: float, random: np.random.Generator
) -> tuple[Voice, tuple[Phone, ...]]:
    """The voice with silence around it, and its phonemes. A larger throat is the sound played more slowly."""
    pace = talker.pace / talker.throat * mood.pace**strength * random.uniform(0.95, 1.05)
    pitch, span = talker.pitch + strength * mood.pitch, talker.range + strength * mood.range
    voice, said = say(text, talker.voice, int(pace), int(np.clip(pitch, 0, 99)), int(np.clip(span, 0, 99)))
    before, after = random.uniform(0.15, 0.7), random.uniform(0.25, 0.9)
    count = int(len(voice.samples) / talker.throat)
    places = np.arange(count) * talker.throat
    sound = np.interp(_trembling(places, strength * mood.tremor, random), np.arange(len(voice.samples)), voice.samples)
    sound = tilted(sound, strength * mood.brightness)
    if mood.tremor:
        sound *= 1 + 12 * strength * mood.tremor * np.sin(_phase(count, random))
    quiet = [np.zeros(int(seconds * SAMPLE_RATE)) for seconds in (before, after)]
    moved = [replace(p, begin=before + p.begin / talker.throat, end=before + p.end / talker.throat) for p in said]
    samples = np.concatenate([quiet[0], sound, quiet[1]]).astype(np.float32)
    ends = Phone("_", 0.0, before, 0), Phone("_", moved[-1].end, len(samples) / SAMPLE_RATE, 0)
    return Voice(samples), (ends[0], *moved, ends[1])


def _trembling(places: NDArray[np.float64], depth: float, random: np.random.Generator) -> NDArray[np.float64]:
    """Places to read from so that pitch goes up and down by a share, some six times a second."""
    if not depth:
        return places
    phase = _phase(len(places), random)
    rate = float(phase[1] - phase[0])
    return places + depth / rate * np.sin(phase)


def _phase(count: int, random: np.random.Generator) -> NDArray[np.float64]:
    phase: NDArray[np.float64] = 2 * np.pi * random.uniform(5, 7.5) / SAMPLE_RATE * np.arange(count)
    return phase


def _acted(calm: Tensor, emotion: Tensor, strength: Tensor, style: Tensor, openings: Tensor) -> Tensor:
    """(T, 52) lips at rest or talking -> the same face in an emotion. `facs` acts at its own rate; what it adds is
    slow, so that lips keep the finer one."""
    times = torch.arange(len(calm), dtype=torch.float64) / RATE
    even = windows.even_times(times)
    slow, shares = (windows.interpolate(values, times, even)[None] for values in (calm, emotion))
    strengths = windows.interpolate(strength[:, None], times, even)[None, :, 0]
    acted = act(Speech(slow, (slow @ openings.T).clamp_min(0)), shares, strengths, style, openings)
    return (calm + windows.interpolate((acted.coefficients - slow)[0], even, times)).clamp(0, 1)


def _packed(utterances: list[Utterance]) -> dict[str, NDArray[Any]]:
    """Utterances end to end, in half precision."""
    join = {
        name: torch.cat([getattr(u, name) for u in utterances]).numpy()
        for name in ("features", "coefficients", "phones", "emotion", "strength")
    }
    packed = {name: values.astype(np.int8 if name == "phones" else np.float16) for name, values in join.items()}
    return packed | {
        "lengths": np.array([len(u.phones) for u in utterances]),
        "people": np.array([u.person for u in utterances]),
    }


def _unpacked(arrays: dict[str, NDArray[Any]]) -> list[Utterance]:
    ends = arrays["lengths"].cumsum()
    found = []
    for person, begin, end in zip(arrays["people"].tolist(), ends - arrays["lengths"], ends, strict=True):
        rows = {
            name: torch.from_numpy(arrays[name][begin:end].astype(np.int64 if name == "phones" else np.float32))
            for name in ("features", "coefficients", "phones", "emotion", "strength")
        }
        found.append(Utterance(**rows, kind="spoken", person=person, role="train"))
    return found
