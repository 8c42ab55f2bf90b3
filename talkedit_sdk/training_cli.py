"""The commands `talkedit train ...`, one for each file of weights."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from talkedit_sdk.errors import OptionError
from talkedit_sdk.options import Json, Quiet, Weights
from talkedit_sdk.terminal import emit, print_facts
from talkedit_sdk.video.output import check_target

train = typer.Typer(rich_markup_mode="rich")


@train.callback()
def training() -> None:
    """Train the weights of talkedit on your own videos.

    Each command writes one part of them; what a folder lacks is taken from
    those that come with talkedit.

    \b
    talkedit train motion --data clips --out my
    talkedit train texture --data clips --out my
    talkedit train speech --data clips --out my
    talkedit edit talk.mp4 -e happy --weights my
    """


@train.command("face")
def train_face(
    data: Annotated[Path, typer.Option(metavar="FOLDER", help="Videos and photos; an index.csv may name the people.")],
    teacher: Annotated[Path, typer.Option(metavar="FILE", help="Google's face_landmarker.task.")],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Receives the weights and the model card.")],
    cache: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Landmarks and scores, kept for the next run; OUT.cache if left out."),
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Passes of the regressor over the data.")] = 25,
    folds: Annotated[int, typer.Option(min=0, help="Groups left out in turn to measure accuracy; 0 skips it.")] = 8,
    seed: Annotated[int, typer.Option(help="The same seed gives the same weights.")] = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Learn the face model from a folder of videos, with the Face Landmarker as teacher.

    An index.csv with columns file, person, role says who is who; rows of a
    role other than train are only measured.

    \b
    talkedit train face --data clips --teacher face_landmarker.task --out my
    talkedit edit talk.mp4 -e happy --weights my
    """
    if folds == 1:
        raise OptionError("One fold leaves nobody to learn from; give --folds 2 or more, or 0 to skip measuring.")
    if not os.path.isdir(data):
        raise OptionError(f"There is no folder {data}; give --data a folder of videos and photos.")
    if not os.path.isfile(teacher):
        raise OptionError(f"There is no file {teacher}; give --teacher the path of face_landmarker.task.")
    check_target(out / "face.json" if os.path.isdir(out) else out, None)
    from talkedit_sdk.training.face import train_from_folder

    cache = cache or out.with_name(f"{out.name}.cache")
    summary = train_from_folder(data, teacher, out, cache, epochs, folds, seed, _teller(quiet))
    _conclude(out, summary, as_json)


@train.command("glasses")
def train_glasses(
    data: Annotated[Path, typer.Option(metavar="FOLDER", help="Videos and photos of people, most without glasses.")],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Receives glasses.safetensors.")],
    wearers: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Names of the files with glasses; by default the project's own."),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Batches to learn from.")] = 2000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same weights.")] = 0,
) -> None:
    """Learn to find the rims of glasses, from glasses painted onto bare faces.

    \b
    talkedit train glasses --data clips --out my
    """
    if not os.path.isdir(data):
        raise OptionError(f"There is no folder {data}; give --data a folder of videos and photos.")
    if wearers is not None and not os.path.isfile(wearers):
        raise OptionError(f"There is no file {wearers}; give --wearers a list of file names.")
    check_target(out / "glasses.safetensors" if os.path.isdir(out) else out, None)
    from talkedit_sdk.hub import EMBEDDED
    from talkedit_sdk.training.glasses import WEARERS, train_from_folder

    names = WEARERS if wearers is None else frozenset(wearers.read_text(encoding="utf-8").split())
    train_from_folder(data, EMBEDDED, out, names, steps, seed)
    print(out)


@train.command("mouth")
def train_mouth(
    data: Annotated[Path, typer.Option(metavar="FOLDER", help="Videos and photos; an index.csv may name the people.")],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Receives mouth.safetensors.")],
    weights: Weights = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Learn what is behind the lips of people who never open them in a clip.

    The mean of the mouths of at least 15 people. An index.csv with columns
    file, person, role says who is who; only rows of role train are used.

    \b
    talkedit train mouth --data clips --out my
    """
    if not os.path.isdir(data):
        raise OptionError(f"There is no folder {data}; give --data a folder of videos and photos.")
    check_target(out / "mouth.safetensors" if os.path.isdir(out) else out, None)
    from talkedit_sdk.hub import find_weights
    from talkedit_sdk.training.mouth import train_from_folder

    summary = train_from_folder(data, find_weights(weights), out)
    if quiet and not as_json:
        print(out)
    else:
        _conclude(out, summary, as_json)


@train.command("motion")
def train_motion(
    data: Annotated[
        Path,
        typer.Option(
            metavar="PATH",
            help="CSV with columns file, person, emotion, level; or a folder laid out as MEAD, or with an index.csv.",
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Receives the weights and the model card.")],
    cache: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Coefficients, kept for the next run; OUT.cache if left out."),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Batches to learn from.")] = 2400,
    batch: Annotated[int, typer.Option(min=1, help="Windows of three seconds in each.")] = 20,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    seed: Annotated[int, typer.Option(help="The same seed gives the same weights.")] = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Learn the motion editor from videos of people talking, labelled or not.

    Emotions are named as in `talkedit edit`, levels go from 1 (weak) to 3; both
    may be left out. One person in five is held out and measured. A training
    that was interrupted goes on when the same command is given again.

    \b
    talkedit train motion --data mead/manifest.csv --out my
    talkedit edit talk.mp4 -e happy --weights my
    talkedit train motion --data MEAD --out my --steps 20000 --batch 64 --device cuda
    """
    if not os.path.exists(data):
        raise OptionError(f"There is nothing at {data}; give --data a CSV, or a folder of videos.")
    check_target(out / "motion.json" if os.path.isdir(out) else out, None)
    from talkedit_sdk.hub import EMBEDDED
    from talkedit_sdk.training.motion import train_from_data
    from talkedit_sdk.training.trainer import Schedule

    cache = cache or out.with_name(f"{out.name}.cache")
    schedule = Schedule(steps=steps, batch=batch, seed=seed, device=device)
    summary = train_from_data(data, out, cache, EMBEDDED, schedule, _teller(quiet))
    _conclude(out, summary, as_json)


@train.command("speech")
def train_speech(
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Receives the weights and the model card.")],
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="CSV with columns file, person, emotion, level; or a folder laid out as MEAD or RAVDESS, or with an "
            "index.csv. Synthetic speech only if left out.",
        ),
    ] = None,
    spoken: Annotated[
        int, typer.Option(min=0, help="Utterances that espeak-ng speaks for it, where that is installed.")
    ] = 400,
    cache: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="What was read and spoken, kept for the next run; OUT.cache if left out."),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Batches to learn from.")] = 4000,
    batch: Annotated[int, typer.Option(min=4, help="Windows of three seconds in each.")] = 12,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    seed: Annotated[int, typer.Option(help="The same seed gives the same weights.")] = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Learn to move a face from speech, from videos of people talking.

    One person in five is held out and measured, and so are rows of a role
    other than train. A training that was interrupted goes on when the same
    command is given again.

    \b
    talkedit train speech --data clips --out my
    talkedit train speech --data MEAD --spoken 5000 --out my --steps 40000 --batch 64 --device cuda
    """
    if data is not None and not os.path.exists(data):
        raise OptionError(f"There is nothing at {data}; give --data a CSV, or a folder of videos.")
    if batch % 2:
        raise OptionError(f"A batch of {batch} windows cannot be paired; give --batch an even number.")
    check_target(out / "speech.json" if os.path.isdir(out) else out, None)
    from talkedit_sdk.hub import EMBEDDED
    from talkedit_sdk.training.speech import train_from_data
    from talkedit_sdk.training.speech_trainer import SpeechSchedule

    cache = cache or out.with_name(f"{out.name}.cache")
    schedule = SpeechSchedule(steps=steps, batch=batch, seed=seed, device=device)
    summary = train_from_data(data, out, cache, EMBEDDED, schedule, spoken, _teller(quiet))
    _conclude(out, summary, as_json)


@train.command("texture")
def train_texture(
    data: Annotated[Path, typer.Option(metavar="FOLDER", help="Videos and photos; an index.csv may name the people.")],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Receives the weights and the model card.")],
    cache: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Unrolled skin, kept for the next run; OUT.cache if left out."),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Batches to learn from.")] = 5000,
    resolution: Annotated[int, typer.Option(help="Side of the textures: 32, 64, 128, 256 or 512.")] = 128,
    batch: Annotated[int, typer.Option(min=2, help="Textures in each.")] = 8,
    half: Annotated[bool, typer.Option("--half", help="Compute in bfloat16, where the processor knows it.")] = False,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    seed: Annotated[int, typer.Option(help="The same seed gives the same weights.")] = 0,
    weights: Weights = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Learn how skin folds and shades with expression, from videos and photos.

    A StyleGAN of face textures, an encoder and an editor of its codes. Only
    rows of role train are used, and one person in eight is held out and
    measured. A training that was interrupted goes on when the same command is
    given again; pictures in the folder show how it gets on.

    \b
    talkedit train texture --data clips --out my
    talkedit train texture --data clips --out my --resolution 512 --steps 100000 --batch 32 --half --device cuda
    """
    if not os.path.isdir(data):
        raise OptionError(f"There is no folder {data}; give --data a folder of videos and photos.")
    check_target(out / "texture.json" if os.path.isdir(out) else out, None)
    from talkedit_sdk.hub import find_weights
    from talkedit_sdk.training.texture import train_from_data
    from talkedit_sdk.training.texture_trainer import TextureSchedule

    cache = cache or out.with_name(f"{out.name}.cache")
    schedule = TextureSchedule(steps=steps, resolution=resolution, batch=batch, half=half, seed=seed, device=device)
    summary = train_from_data(data, out, cache, find_weights(weights), schedule, _teller(quiet))
    _conclude(out, summary, as_json)


def _teller(quiet: bool) -> Callable[[str], None]:
    """What says how far a training is."""

    def say(text: str) -> None:
        if not quiet:
            print(text, file=sys.stderr)

    return say


def _conclude(out: Path, summary: Mapping[str, object], as_json: bool) -> None:
    if as_json:
        emit({"out": str(out), "measured": summary})
    else:
        print(out)
        print_facts(summary)
