"""Options of the command line: how `--help` explains them, and what they mean to the SDK."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from talkedit_sdk.emotion import EMOTIONS, Emotion, Intensity, check_detail, check_mouth_weight
from talkedit_sdk.errors import OptionError, OutputError
from talkedit_sdk.video.output import PHOTO_FORMATS, VIDEO_FORMATS, check_output, check_target
from talkedit_sdk.video.types import VideoInfo

if TYPE_CHECKING:
    from talkedit_sdk.signing import Signer

Input: TypeAlias = Annotated[Path, typer.Argument(metavar="INPUT", help="Video or photo; it is never changed.")]
Strength: TypeAlias = Annotated[
    float | None,
    typer.Option("--intensity", "-i", help="0 changes nothing, up to 1.5 exaggerates; 1 if left out."),
]
Curve: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="SECONDS:VALUE,...", help="Intensity over time instead: 0:0,2:1,5:0 rises and fades."),
]
Style: TypeAlias = Annotated[
    int, typer.Option(help="People show emotions in their own ways; each number is another, 0 the middle.")
]
MouthWeight: TypeAlias = Annotated[
    float, typer.Option("--mouth-weight", "-m", help="1 keeps the lips of the source, 0 lets the emotion shape them.")
]
Detail: TypeAlias = Annotated[
    float, typer.Option("--detail", help="Folds and shading of the skin that come and go: 0 none of them, 1 all.")
]
FaceChoice: TypeAlias = Annotated[
    str, typer.Option("--face", "-f", help="largest, all, or a number that `talkedit faces` lists.")
]
Device: TypeAlias = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, ...")]
Weights: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="FOLDER|ORG/NAME", help="Weights to use: a folder (./NAME), or a repository on the Hub."),
]
Revision: TypeAlias = Annotated[
    str | None, typer.Option(metavar="REVISION", help="Branch, tag or commit of a repository on the Hub.")
]
Badge: TypeAlias = Annotated[
    bool, typer.Option("--badge", help='Draw "AI-edited" into the corner farthest from the faces.')
]
SignCertificate: TypeAlias = Annotated[
    Path | None, typer.Option("--sign-cert", metavar="PEM", help="Sign with this certificate chain (extra c2pa).")
]
SignKey: TypeAlias = Annotated[Path | None, typer.Option("--sign-key", metavar="PEM", help="Its private key.")]
Force: TypeAlias = Annotated[bool, typer.Option("--force", help="Replace an output that exists.")]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON object, also for an error.")]
Quiet: TypeAlias = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar and no report.")]


@dataclass(frozen=True)
class Request:
    """What `edit` and `export-curves` ask of every emotion."""

    intensity: Intensity
    mouth_weight: float
    face: str
    detail: float

    @classmethod
    def parse(
        cls, intensity: float | None, curve: str | None, mouth_weight: float, face: str, detail: float
    ) -> Request:
        """Checks the options.

        Raises:
            OptionError: one of them is out of range, or both an intensity and a curve are given.
        """
        if curve is not None and intensity is not None:
            raise OptionError("Both --intensity and --curve were given; leave one of them out.")
        check_face(face, "largest", "all")
        strength = Intensity.parse(1.0 if intensity is None else intensity) if curve is None else _curve(curve)
        return cls(strength, check_mouth_weight(mouth_weight), face, check_detail(detail))


def parse_emotions(texts: Sequence[str]) -> list[Emotion]:
    """The emotions in the order given, each once.

    Raises:
        OptionError: see `Emotion.parse`.
    """
    return list(dict.fromkeys(Emotion.parse(text) for text in texts))


def edit_targets(info: VideoInfo, emotions: Sequence[Emotion], output: Path | None, force: bool) -> list[Path]:
    """The file for each emotion, checked: `output`, or NAME.EMOTION.mp4 in the folder `output` or beside the input.

    Raises:
        OptionError: one file is given for several emotions.
        OutputError: see `check_output`; also when it exists and `force` is not given.
    """
    assert info.path is not None
    if output is not None and not os.path.isdir(output):  # Path.is_dir raises where a name is too long
        if len(emotions) > 1:
            raise OptionError(f"{len(emotions)} emotions cannot share the file {output}; give -o a folder that exists.")
        paths = [output]
    else:
        formats, usual = (PHOTO_FORMATS, ".png") if info.kind == "photo" else (VIDEO_FORMATS, ".mp4")
        suffix = info.path.suffix if info.path.suffix.lower() in formats else usual
        paths = [_named(info.path, output or info.path.parent, emotion, suffix) for emotion in emotions]
        if len(set(paths)) < len(paths):
            raise OptionError("Two of the mixtures are so alike that their results share a name; leave one out.")
    return [_free(check_output(path, info), force) for path in paths]


def curves_target(info: VideoInfo, emotion: Emotion, output: Path | None, force: bool) -> Path:
    """The CSV file, checked: `output`, or NAME.EMOTION.csv beside the input.

    Raises:
        OutputError: as `edit_targets`.
    """
    assert info.path is not None
    path = output or _named(info.path, info.path.parent, emotion, ".csv")
    if path.suffix.lower() != ".csv":
        raise OutputError(f"Curves cannot be written to {path}: end its name in .csv.")
    return _free(check_target(path, info.path), force)


def reel_targets(info: VideoInfo, output: Path | None, poster: bool, force: bool) -> tuple[Path, Path | None]:
    """The film, `output` or NAME.reel.mp4 beside the input, and beside it the poster if there is to be one; checked.

    Raises:
        OutputError: as `edit_targets`.
    """
    assert info.path is not None
    path = output or info.path.with_name(f"{info.path.stem}.reel.mp4")
    if path.suffix.lower() not in VIDEO_FORMATS:
        raise OutputError(f"A reel cannot be written to {path}: end its name in {', '.join(VIDEO_FORMATS)}.")
    film = _free(check_target(path, info.path), force)
    return film, _free(check_target(path.with_suffix(".png"), info.path), force) if poster else None


def speech_target(info: VideoInfo, audio: Path | None, output: Path | None, force: bool) -> Path:
    """The film of a face that speaks, checked: `output`, or NAME.speaks.mp4 in the folder `output` or beside the input.

    Raises:
        OutputError: as `edit_targets`; also when it is the sound itself.
    """
    assert info.path is not None
    path = output or info.path.parent
    if os.path.isdir(path):
        path = path / f"{info.path.stem}.speaks.mp4"
    if path.suffix.lower() not in VIDEO_FORMATS:
        raise OutputError(f"Speech cannot be written to {path}: end its name in {', '.join(VIDEO_FORMATS)}.")
    check_target(path, audio)
    return _free(check_target(path, info.path), force)


def check_face(face: str, *names: str) -> None:
    """
    Raises:
        OptionError: it is neither a number nor one of the names.
    """
    if face not in names and not (face.isascii() and face.isdecimal()):
        choices = ", ".join(names)
        raise OptionError(f"--face is '{face}'; choose {choices} or a number that `talkedit faces` lists.")


def parse_gaze(text: str) -> tuple[float, float]:
    """RIGHT,UP in degrees.

    Raises:
        OptionError: it is no pair of numbers.
    """
    try:
        right, up = (float(part) for part in text.split(","))
    except ValueError:
        raise OptionError(f"--gaze '{text}' is no pair RIGHT,UP; write degrees, for example 5,0.") from None
    return right, up


def load_signer(certificate: Path | None, key: Path | None) -> Signer | None:
    """What signs the results, if that is wanted.

    Raises:
        OptionError: see `Signer.load`; also when only one of the two is given.
    """
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise OptionError("Signing needs both --sign-cert and --sign-key; give the other one too.")
    from talkedit_sdk.signing import Signer

    return Signer.load(certificate, key)


def _curve(text: str) -> Intensity:
    try:
        pairs = [part.split(":") for part in text.split(",")]
        points = [(float(seconds), float(value)) for seconds, value in pairs]
    except ValueError:
        raise OptionError(f"--curve '{text}' is no list of SECONDS:VALUE; write for example 0:0,2:1,5:0.") from None
    return Intensity.parse(points)


def _named(source: Path, folder: Path, emotion: Emotion, suffix: str) -> Path:
    """talk.mp4 -> talk.happy.mp4, or talk.happy70-surprised30.mp4 for a mixture."""
    parts = [(name, share) for name, share in zip(EMOTIONS, emotion.shares, strict=True) if share > 0]
    label = parts[0][0] if len(parts) == 1 else "-".join(f"{name}{share * 100:.0f}" for name, share in parts)
    return folder / f"{source.stem}.{label}{suffix}"


def _free(target: Path, force: bool) -> Path:
    if target.exists() and not force:
        raise OutputError(f"{target} exists already: add --force to replace it, or choose another name with -o.")
    return target
