"""Training the speech driver that ships in `talkedit_sdk/weights`."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from talkedit_sdk.errors import OptionError
from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.face.tracker import FaceMeshTracker
from talkedit_sdk.manifest import write_manifest
from talkedit_sdk.speech import text
from talkedit_sdk.speech.driver import Drive, SpeechDriver, Surroundings, save_speech
from talkedit_sdk.speech.features import ENERGY
from talkedit_sdk.speech.network import EYES, SpeechNetwork
from talkedit_sdk.speech.types import RATE
from talkedit_sdk.training.card import write_section
from talkedit_sdk.training.motion import held_out
from talkedit_sdk.training.speech_material import Speaker, prepare
from talkedit_sdk.training.speech_trainer import SpeechSchedule, SpeechTrainer, mouth_opening
from talkedit_sdk.training.speeches import read_speeches
from talkedit_sdk.training.utterance import Utterance
from talkedit_sdk.training.voices import speak_utterances

_SAVE_EVERY: Final = 60.0  # seconds
_LOG_EVERY: Final = 25  # steps
_MEASURE_EVERY: Final = 250  # steps
_LAGS: Final = range(-8, 9)  # rows
_SHORTEST: Final = RATE  # rows of an utterance that is measured
_RECALLED: Final = 0.5  # of closures, how sure the driver has to be


def train_speech(
    model: FaceModel,
    utterances: list[Utterance],
    schedule: SpeechSchedule,
    folder: Path,
    say: Callable[[str], None] = lambda text: None,
    others: Sequence[Utterance] = (),
) -> SpeechNetwork:
    """Trains a network, leaving `speech.ckpt` (for going on after an interruption) and `speech.csv` in `folder`.

    Now and then it says how the network does on `others`, which it does not learn from.

    Raises:
        OptionError: there is no speech, or `speech.ckpt` does not fit.
    """
    folder.mkdir(parents=True, exist_ok=True)
    trainer = SpeechTrainer(model, utterances, schedule)
    checkpoint = folder / "speech.ckpt"
    if checkpoint.exists():
        trainer.resume(checkpoint)
        say(f"Going on from step {trainer.step}.")
    saved, seen = time.monotonic(), dict[str, list[float]]()
    while trainer.step < schedule.steps:
        for name, value in trainer.advance().items():
            seen.setdefault(name, []).append(value)
        if trainer.step % _LOG_EVERY == 0:
            means = {name: sum(values) / len(values) for name, values in sorted(seen.items())}
            _log(folder / "speech.csv", trainer.step, means)
            say(f"Step {trainer.step} of {schedule.steps}: " + ", ".join(f"{n} {v:.3f}" for n, v in means.items()))
            seen = {}
        if trainer.step % _MEASURE_EVERY == 0 and others:
            say(f"On people held out: {measure(SpeechDriver(trainer.average.eval()), model, others)}")
        if time.monotonic() - saved > _SAVE_EVERY:
            trainer.save(checkpoint)
            saved = time.monotonic()
    trainer.save(checkpoint)
    return trainer.average.cpu().eval()


def _log(path: Path, step: int, values: dict[str, float]) -> None:
    fresh = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if fresh:
            writer.writerow(["step", *values])
        writer.writerow([step, *(f"{value:.5f}" for value in values.values())])


@dataclass(frozen=True)
class Agreement:
    """How the mouth of a driver goes with that of people: correlation of the opening at lag 0 and at the best lag, that
    lag in milliseconds (positive where the driver is late), share of closures recalled, how much wider or narrower it
    opens, seconds and people."""

    correlation: float
    best: float
    lag: float
    closures: float
    opening: float
    seconds: float
    people: int


def measure(driver: SpeechDriver, model: FaceModel, utterances: Sequence[Utterance]) -> Agreement | None:
    """How the driver does on people, with the emotion taken from the voice; None where nobody speaks long enough."""
    opening = mouth_opening(model)
    speakers = [s for s in prepare(list(utterances), opening) if len(s.told) >= _SHORTEST]
    if not speakers:
        return None
    drives = [drive_features(driver, speaker) for speaker in speakers]
    pairs = [
        (drive.coefficients.cpu() @ opening, speaker.utterance.coefficients @ opening)
        for drive, speaker in zip(drives, speakers, strict=True)
    ]
    seconds = torch.tensor([len(truth) / RATE for _, truth in pairs])
    courses = torch.tensor([[correlation(*_shifted(found, truth, lag)) for lag in _LAGS] for found, truth in pairs])
    mean = (courses * seconds[:, None]).sum(0) / seconds.sum()
    closed = torch.cat([speaker.closed for speaker in speakers]) > 0.5
    touching = torch.cat([drive.closures.cpu() for drive in drives]) > _RECALLED
    spread = [sum(float(each[side].var() * len(each[side])) for each in pairs) for side in (0, 1)]
    best = int(mean.argmax())
    return Agreement(
        correlation=round(float(mean[_LAGS.index(0)]), 3),
        best=round(float(mean[best]), 3),
        lag=1000 / RATE * _LAGS[best],
        closures=round(float(touching[closed].float().mean()) if bool(closed.any()) else 0.0, 3),
        opening=round((spread[0] / max(spread[1], 1e-9)) ** 0.5, 3),
        seconds=round(float(seconds.sum()), 1),
        people=len({speaker.utterance.person for speaker in speakers}),
    )


def loudness_correlation(model: FaceModel, utterances: Sequence[Utterance]) -> float:
    """What the loudness of the voice alone tells of the opening of the mouth."""
    opening, total, seconds = mouth_opening(model), 0.0, 0
    for utterance in utterances:
        if len(utterance.coefficients) >= _SHORTEST:
            total += len(utterance.coefficients) * correlation(
                utterance.features[:, ENERGY].clamp_min(-1.5), utterance.coefficients @ opening
            )
            seconds += len(utterance.coefficients)
    return round(total / max(seconds, 1), 3)


def drive_features(driver: SpeechDriver, speaker: Speaker) -> Drive:
    """Drives an utterance by the features that were read with it."""
    count, device = len(speaker.told), driver.device
    return driver.look(
        Surroundings(
            features=speaker.utterance.features.to(device),
            emotion=None,
            intensity=torch.ones(count, device=device),
            eyes=speaker.initial[list(EYES)].expand(count, -1).to(device),
            ease=torch.ones(count, device=device),
            initial=speaker.initial.to(device),
        )
    )


def correlation(one: Tensor, other: Tensor) -> float:
    """Pearson's, 0 where one of both never changes."""
    one, other = one - one.mean(), other - other.mean()
    size = one.norm() * other.norm()
    return float(one @ other / size) if float(size) > 0 else 0.0


def _shifted(found: Tensor, truth: Tensor, lag: int) -> tuple[Tensor, Tensor]:
    """Both where they overlap once `found` is taken to be `lag` rows late."""
    return (found[lag:], truth[: len(truth) - lag]) if lag >= 0 else (found[:lag], truth[-lag:])


def train_from_data(
    data: Path | None,
    out: Path,
    cache: Path,
    weights: Path,
    schedule: SpeechSchedule,
    spoken: int = 0,
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, object]:
    """Reads, speaks, learns, measures and saves: `talkedit train speech`.

    Videos of a role other than `train` are only measured, and so is a fifth of the people.

    Args:
        data: videos of people who talk, see `read_speeches`; None for synthetic speech only.
        out: receives `speech.safetensors`, `speech.json`, their section of the model card, and `speech.ckpt` and
            `speech.csv` on the way.
        cache: folder for what was read and spoken, so that a second run starts at once.
        weights: folder of the face model.
        schedule: how long and how to train.
        spoken: utterances to be spoken by espeak-ng.
        say: receives a line of progress now and then.

    Returns:
        What `measure` tells of the people held out; empty if there are none.

    Raises:
        OptionError: there is nothing to learn from, or `speech.ckpt` in `out` does not fit.
        WeightsError: there is no face model in `weights`.
    """
    model = FaceModel.load(weights)
    real = [] if data is None else list(read_speeches(data, model, FaceMeshTracker(), cache / "real"))
    if spoken and not text.available():
        if not real:
            raise OptionError("espeak-ng is not installed and there is no video to learn from; install one or give it.")
        say("espeak-ng is not installed: learning from the videos alone, which say nothing of phones.")
        spoken = 0
    artificial = list(speak_utterances(spoken, schedule.seed, cache / "spoken")) if spoken else []
    learned = [u for u in real if u.role == "train" and not held_out(u.person)]
    others = [u for u in real if u.role != "train" or held_out(u.person)]
    network = train_speech(model, learned + artificial, schedule, out, say, others)
    gain = calibrate(network, model, [u for u in others if u.role == "train"] or learned)
    found = measure(SpeechDriver(network, gain), model, others)
    measured: dict[str, object] = {}
    if found:
        measured = {**asdict(found), "loudness": loudness_correlation(model, others)}
    people = len({u.person for u in learned})
    save_speech(network, gain, out, {"people": people, "spoken": len(artificial), "measured": measured})
    write_section(out, section_of(learned, artificial, measured))
    write_manifest(out)
    return measured


def calibrate(network: SpeechNetwork, model: FaceModel, utterances: Sequence[Utterance]) -> float:
    """The gain with which the mouth opens as far as people open theirs; regression on little data leaves it short."""
    found = measure(SpeechDriver(network), model, utterances)
    return 1.0 if found is None else round(min(max(1 / max(found.opening, 1e-3), _CAUTIOUS[0]), _CAUTIOUS[1]), 3)


def section_of(real: Sequence[Utterance], spoken: Sequence[Utterance], measured: Mapping[str, object]) -> str:
    """The section of the model card: what the driver learned from, how, and how near it comes on people held out."""
    rows = "\n".join(f"| {_MEASURES.get(name, name)} | {value} |" for name, value in measured.items())
    return SECTION.format(
        clips=len(real),
        people=len({utterance.person for utterance in real}),
        seconds=round(sum(len(utterance.coefficients) for utterance in real) / RATE),
        spoken=len(spoken),
        minutes=round(sum(len(utterance.coefficients) for utterance in spoken) / RATE / 60),
        measured=f"| measure | value |\n| --- | --- |\n{rows}" if rows else "Not measured: nobody was held out.",
    )


_CAUTIOUS: Final = (0.9, 1.5)  # gains that are believed
_MEASURES: Final = {
    "correlation": "correlation of mouth opening, lag 0",
    "best": "correlation at the best lag",
    "lag": "best lag, ms (positive: late)",
    "closures": "closures of the lips recalled",
    "opening": "spread of the opening, of that tracked",
    "seconds": "seconds of speech",
    "people": "people, none of them learned from",
    "loudness": "for comparison: correlation of the opening with loudness",
}

SECTION: Final = """\
# talkedit speech driver

A network that turns speech into the 52 ARKit coefficients of a given person who says it, with the emotion in the voice
or another one. Written by `talkedit train speech`; read by `talkedit_sdk.speech.driver.SpeechDriver`.

## Made from
{clips} stretches of video of {people} people with their own voice ({seconds} s), and {spoken} utterances ({minutes} \
min) spoken by
espeak-ng in many voices, languages, rates and pitches, with noise, reverberation and codecs. Of the synthetic speech
the phones are known: a coarticulation model by dominance functions (Cohen & Massaro 1993) says what the lips do, and a
generator of action units (`training/facs.py`) how the face feels. So the timing of lips and much of their course comes
from people, closures and emotions mostly from a textbook: emotions in the voice were heard as prosody of a synthesizer
and say nothing of what anybody feels.

## How
After A2ENet (*Emotion-Aware Talking Face Generation Based on 3DMM*, NNICE 2024): Transformer encoders for content and
for emotion, cross-reconstruction between utterances with the same words or the same mood, a Transformer decoder that
starts from the person at rest. Attention is local, so that speech can stream: a moment depends on less than a second
after it. Lids and gaze are inputs (eye control) and come out as asked for. Losses are named in
`training/speech_losses.py`. Openings are scaled by a gain measured on those of role train who were held out.

## Measured
On people held out by person, the emotion taken from the voice:

{measured}

`benchmarks/speech.py` compares with loudness and with rules for phones.

## Limits
A few minutes of real speech teach how people open their mouths, not how each of them does; width and rounding are less
certain than opening, the tongue is not shown, and singing, whispering and several voices at once were never heard.
"""
