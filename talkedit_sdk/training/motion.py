"""Training the motion editor that ships in `talkedit_sdk/weights`."""

from __future__ import annotations

import csv
import hashlib
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import torch

from talkedit_sdk.emotion import EMOTIONS
from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.face.topology import LIP_PAIRS
from talkedit_sdk.face.tracker import FaceMeshTracker
from talkedit_sdk.manifest import write_manifest
from talkedit_sdk.motion.learned import save_network
from talkedit_sdk.motion.mouth import LipProjection
from talkedit_sdk.motion.network import MotionNetwork, changed
from talkedit_sdk.motion.windows import WINDOW
from talkedit_sdk.training.card import write_section
from talkedit_sdk.training.corpus import Performance, list_takes, read_performances
from talkedit_sdk.training.material import Material
from talkedit_sdk.training.trainer import MotionTrainer, Schedule

_HELD_OUT: Final = 5  # one person of so many is kept for measuring
_SAVE_EVERY: Final = 60.0  # seconds
_LOG_EVERY: Final = 25  # steps
_MEASURED: Final = 128  # windows
_MOSTLY: Final = 0.9  # share from which a target counts as that emotion


def held_out(person: str, one_in: int = _HELD_OUT) -> bool:
    """Whether a person is kept for measuring, going by the name alone."""
    return int(hashlib.sha256(person.encode()).hexdigest(), 16) % one_in == 0


def train_motion(
    model: FaceModel,
    performances: list[Performance],
    schedule: Schedule,
    folder: Path,
    say: Callable[[str], None] = lambda text: None,
) -> MotionNetwork:
    """Trains a network, leaving `motion.ckpt` (for going on after an interruption) and `motion.csv` in `folder`.

    Raises:
        OptionError: there are too few people, or `motion.ckpt` does not fit.
    """
    folder.mkdir(parents=True, exist_ok=True)
    trainer = MotionTrainer(model, performances, schedule)
    checkpoint, log = folder / "motion.ckpt", folder / "motion.csv"
    if checkpoint.exists():
        trainer.resume(checkpoint)
        say(f"Going on from step {trainer.step}.")
    saved, seen = time.monotonic(), dict[str, list[float]]()
    while trainer.step < schedule.steps:
        for name, value in trainer.advance().items():
            seen.setdefault(name, []).append(value)
        if trainer.step % _LOG_EVERY == 0:
            means = {name: sum(values) / len(values) for name, values in sorted(seen.items())}
            _log(log, trainer.step, means)
            say(f"Step {trainer.step} of {schedule.steps}: " + ", ".join(f"{n} {v:.3f}" for n, v in means.items()))
            seen = {}
        if time.monotonic() - saved > _SAVE_EVERY:
            trainer.save(checkpoint)
            saved = time.monotonic()
    trainer.save(checkpoint)
    return trainer.average.eval()


def _log(path: Path, step: int, values: dict[str, float]) -> None:
    fresh = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if fresh:
            writer.writerow(["step", *values])
        writer.writerow([step, *(f"{value:.5f}" for value in values.values())])


def measure(model: FaceModel, network: MotionNetwork, performances: list[Performance]) -> dict[str, float]:
    """How the network does on people it never saw: for each emotion the share of the way from source to goal that it
    goes (1 - remaining over initial squared distance of the vertices), mouth free."""
    random = torch.Generator().manual_seed(1)
    openings = LipProjection(model).features[: len(LIP_PAIRS)]
    lesson = Material(performances, openings, random).lesson(_MEASURED)
    lesson = replace(lesson, mouth_weight=torch.zeros(_MEASURED), intensity=torch.ones(_MEASURED, WINDOW))
    with torch.no_grad():
        found = network(
            lesson.source.coefficients, lesson.source.gaps, lesson.emotion, lesson.intensity, lesson.mouth_weight,
            lesson.style,
        )  # fmt: skip
    edited = changed(lesson.source.coefficients, found, lesson.intensity).clamp(0, 1)
    before, after = (
        model.motion(lesson.goal[:, ::8] - each[:, ::8]).square().sum((-1, -2))
        for each in (lesson.source.coefficients, edited)
    )
    shares = {}
    for number, name in enumerate(EMOTIONS):
        rows = lesson.emotion[:, ::8, number] > _MOSTLY
        if bool(rows.any()):
            shares[name] = round(float(1 - after[rows].sum() / before[rows].sum()), 3)
    return shares


def train_from_data(
    data: Path,
    out: Path,
    cache: Path,
    weights: Path,
    schedule: Schedule,
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, float]:
    """Tracks, fits, learns, measures and saves: `talkedit train motion`.

    Takes of a role other than `train` are left alone, and a fifth of the people is held out to be measured.

    Args:
        data: manifest, MEAD folder or folder with an index, see `list_takes`.
        out: receives `motion.safetensors`, `motion.json`, their section of the model card, a copy of the face model
            that they belong to, and `motion.ckpt` and `motion.csv` on the way.
        cache: folder for coefficients, so that a second run starts at once.
        weights: folder of the face model.
        schedule: how long and how to train.
        say: receives a line of progress now and then.

    Returns:
        What `measure` tells of the people held out; empty if there are none.

    Raises:
        OptionError: there is nothing to learn from, or `motion.ckpt` in `out` does not fit.
        WeightsError: there is no face model in `weights`.
    """
    model = FaceModel.load(weights)
    takes = [take for take in list_takes(data) if take.role == "train"]
    found = list(read_performances(takes, model, FaceMeshTracker(), cache))
    learned = [p for p in found if not held_out(p.take.person)]
    others = [p for p in found if held_out(p.take.person) and len(p.coefficients) > 1]
    network = train_motion(model, learned, schedule, out, say)
    measured = measure(model, network.cpu(), others) if others else {}
    save_network(network, out, {"people": len({p.take.person for p in learned}), "measured": measured})
    for name in ("face.safetensors", "face.json"):
        if not (out / name).exists():
            shutil.copyfile(weights / name, out / name)
    write_section(out, section_of(learned, measured))
    write_manifest(out)
    return measured


def section_of(performances: list[Performance], measured: dict[str, float]) -> str:
    """The section of the model card: what the editor learned from, how, and how near it comes on people held out."""
    labelled = {p.take.path for p in performances if p.take.emotion is not None and len(p.coefficients) > 1}
    moving = {p.take.path for p in performances if len(p.coefficients) > 1}
    rows = "\n".join(f"| {name} | {value:.2f} |" for name, value in measured.items())
    return SECTION.format(
        videos=len(moving),
        photos=len({p.take.path for p in performances} - moving),
        people=len({p.take.person for p in performances}),
        frames=sum(len(p.coefficients) for p in performances),
        labelled=len(labelled),
        measured=f"| emotion | share |\n| --- | --- |\n{rows}" if rows else "Not measured: nobody was held out.",
    )


SECTION: Final = """\
# talkedit motion editor

A small temporal network that turns the 52 ARKit coefficients of someone speaking into those of the same person saying
the same words in another emotion, with intensity, mouth weight and an individual style. Written by `talkedit train
motion`; read by `talkedit_sdk.motion.learned.LearnedEditor`.

## Made from
{videos} videos and {photos} photos of {people} people ({frames} frames at 30 a second), of which {labelled} videos came
with a name for what they show. The footage teaches how people speak, blink and move; what an emotion does to a face
comes from a generator (`training/facs.py`) that acts action units after FACS and EMFACS (Ekman, Friesen & Hager 2002)
on that speech: their combinations with variants, a stronger side, onset, apex and offset, emphasis on stressed
syllables, lips and lids that keep the right of way. Its levels were set by hand and by eye. So these are the emotions
of a textbook, not of a population; culture, age and person differ from them, and nothing here says what anybody feels.
Whoever owns labelled video (MEAD, or a CSV of files) can train on it with the same command.

## How
Input: windows of 96 frames of coefficients and lip gaps, the target as shares of eight emotions frame by frame,
intensity, mouth weight, style. Output: what to add and which share of the source to take away; both are scaled by the
intensity, so that intensity 0 is the source whatever the weights are. Half of the sources are footage as it was
filmed, half act another emotion that has to be taken out. Terms of the loss (`training/losses.py`), and what became of
the edit on people held out when one was left out of the training of the weights that ship with talkedit:

| left out | effect |
| --- | --- |
| mouth preservation, its weight the condition | closures kept at mouth weight 1 fall from 0.99 to 0.47 without the \
projection behind it, and the slider moves nothing: survives |
| adversarial, on speeds of coefficients | brows move 0.86 instead of 0.91 as much as in the source: survives |
| smoothness | jitter at mouth weight 0 rises from 1.003 to 1.011 of the source's: survives |
| emotion classifier | gain of the scored emotion 1.60 instead of 1.61: noise; stays, small, as the term by which \
labelled video teaches |
| cycle consistency, there and back | nothing that could be measured, for a third more time: removed |
| identity, the own emotion asked for | nothing that could be measured: the goals of the generator imply it |

(250 more steps with one term left out, from a network trained on the same data with slightly milder levels; 10 clips of
9 people held out, intensity 1.) The term that carries all the others is the distance from the generator's goal.

Behind the network a projection of coefficients (`motion/mouth.py`) holds the lips' openings: exactly at mouth weight 1,
and in closures of speech (b, p, m) at any weight.

## Measured
On people held out by person. Share of the way from source to goal that the network goes (1 - remaining over initial
squared distance of the vertices), mouth free; what is left is mostly mood that a window of three seconds cannot tell
from a habit:

{measured}

`benchmarks/motion.py` compares it with hand-set mixtures.

## Limits
Coefficients cannot show what the face model has no direction for: tears, a tongue, teeth on a lip. Expressions of more
than a few seconds come out alike, since a window shows no more. Closed lips that rest for a second and more may be
parted by surprise or fear at mouth weights under 0.5.
"""
