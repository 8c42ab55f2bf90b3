"""The command line: it reads options, calls the SDK and prints what came out.

Options, input and output are checked before any long work. What loads slowly (torch, OpenCV, mediapipe) is imported by
the commands that need it, so that `talkedit --help` answers at once.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from talkedit_sdk.emotion import DETAIL
from talkedit_sdk.options import (
    Badge,
    Curve,
    Detail,
    Device,
    FaceChoice,
    Force,
    Input,
    Json,
    MouthWeight,
    Quiet,
    Request,
    Revision,
    SignCertificate,
    SignKey,
    Strength,
    Style,
    Weights,
    curves_target,
    edit_targets,
    load_signer,
    parse_emotions,
    reel_targets,
)
from talkedit_sdk.speak_cli import speak
from talkedit_sdk.terminal import CANCELLED, FAILED, Session, drop_output, emit, print_facts, working
from talkedit_sdk.training_cli import train
from talkedit_sdk.video.output import check_target
from talkedit_sdk.weights_cli import weights

if TYPE_CHECKING:
    from talkedit_sdk.clip import Clip
    from talkedit_sdk.editor import Editor

app = typer.Typer(add_completion=False, rich_markup_mode="rich")
app.add_typer(train, name="train")
app.add_typer(weights, name="weights")


@app.callback(invoke_without_command=True)
def talkedit(
    context: typer.Context,
    show_version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Print the traceback of an error.")] = False,
) -> None:
    """Change the emotion of a talking face, or make a face say something else.

    \b
    talkedit edit talk.mp4 --emotion happy
    talkedit edit talk.mp4 -e happy:0.7,surprised:0.3 --intensity 0.8 -o out.mp4
    talkedit speak face.jpg speech.wav
    talkedit faces talk.mp4

    Exit codes: 0 done, 1 the input or output cannot be used, 2 wrong options, 130 cancelled.
    """
    context.obj.debug = debug
    if show_version:
        print(f"talkedit {version('talkedit')}")
    elif context.invoked_subcommand is None:
        print(context.get_help())


@app.command()
def edit(
    video: Input,
    emotion: Annotated[
        list[str],
        typer.Option(
            "--emotion",
            "-e",
            help="neutral, happy, sad, angry, surprised, fearful, disgusted, contempt, or a mixture such as "
            "happy:0.7,surprised:0.3. Give it several times for several results.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File, or existing folder; NAME.EMOTION.mp4 beside the input if left out."),
    ] = None,
    intensity: Strength = None,
    curve: Curve = None,
    mouth_weight: MouthWeight = 0.5,
    detail: Detail = DETAIL,
    style: Style = 0,
    face: FaceChoice = "largest",
    badge: Badge = False,
    sign_cert: SignCertificate = None,
    sign_key: SignKey = None,
    device: Device = "auto",
    weights: Weights = None,
    revision: Revision = None,
    force: Force = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Edit a video or a photo.

    \b
    talkedit edit talk.mp4 -e happy                      makes talk.happy.mp4
    talkedit edit talk.mp4 -e happy -e sad -o results    two files in results
    talkedit edit talk.mp4 -e sad --curve 0:0,2:1,5:0    rises and fades
    talkedit edit talk.mp4 -e angry -m 1 --face all      everybody, own lips
    talkedit edit photo.jpg -e surprised                 makes photo.surprised.jpg

    A result that exists already is kept, unless --force is given.
    """
    from talkedit_sdk.tables import report_json
    from talkedit_sdk.video.probe import probe

    emotions = parse_emotions(emotion)
    request = Request.parse(intensity, curve, mouth_weight, face, detail)
    targets = edit_targets(probe(video), emotions, output, force)
    signer = load_signer(sign_cert, sign_key)
    if signer is not None:
        for target in targets:
            signer.check(target)
    editor, clip = _watch(video, device, weights, revision, quiet)
    results = []
    for wanted, target in zip(emotions, targets, strict=True):
        result = editor.edit(
            clip, wanted, request.intensity, request.mouth_weight, request.face, style=style, detail=request.detail
        )
        with working(f"Editing, {wanted.label}", quiet) as advance:
            result.save(target, advance, badge, signer)
        results.append({"path": str(target), "emotion": wanted.label, **report_json(result.report)})
        if not as_json:
            print(target if quiet else f"{target}\n{result.report}")
    if as_json:
        emit({"input": str(video), "outputs": results})


app.command()(speak)


@app.command()
def faces(
    video: Input,
    thumbnails: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write NAME.face0.png, NAME.face1.png, ... there, replacing older ones."),
    ] = None,
    device: Device = "auto",
    weights: Weights = None,
    revision: Revision = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """List who is in a video, largest first, with the numbers for --face.

    \b
    talkedit faces talk.mp4
    talkedit faces talk.mp4 --thumbnails people
    """
    from talkedit_sdk.tables import face_json, face_table, write_thumbnail
    from talkedit_sdk.video.probe import probe

    source = probe(video).path
    if thumbnails is not None:
        check_target(thumbnails / f"{video.stem}.face0.png" if os.path.isdir(thumbnails) else thumbnails, source)
    _, clip = _watch(video, device, weights, revision, quiet)
    clip.choose("all")
    found = clip.list_faces()
    pictures = []
    if thumbnails is not None:
        pictures = [write_thumbnail(thumbnails / f"{video.stem}.face{face.index}.png", face) for face in found]
    if as_json:
        emit({"input": str(video), "faces": [face_json(f) for f in found], "thumbnails": [str(p) for p in pictures]})
        return
    from rich.console import Console

    Console().print(face_table(found))
    for path in pictures:
        print(path)


@app.command()
def export_curves(
    video: Input,
    emotion: Annotated[str, typer.Option("--emotion", "-e", help="As in `talkedit edit`.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="CSV file; NAME.EMOTION.csv beside the input if left out.")
    ] = None,
    intensity: Strength = None,
    curve: Curve = None,
    mouth_weight: MouthWeight = 0.5,
    style: Style = 0,
    face: FaceChoice = "largest",
    device: Device = "auto",
    weights: Weights = None,
    revision: Revision = None,
    force: Force = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write the 52 ARKit coefficients over time as CSV, before and after an edit.

    One row for each frame in which a face was found: face, frame, time (s),
    before_browDownLeft and so on for all 52, then after_browDownLeft and so
    on, all from 0 to 1.

    \b
    talkedit export-curves talk.mp4 -e happy -o curves.csv
    """
    from talkedit_sdk.tables import write_curves
    from talkedit_sdk.video.probe import probe

    (wanted,) = parse_emotions([emotion])
    request = Request.parse(intensity, curve, mouth_weight, face, detail=0)
    target = curves_target(probe(video), wanted, output, force)
    editor, clip = _watch(video, device, weights, revision, quiet)
    result = editor.edit(
        clip, wanted, request.intensity, request.mouth_weight, request.face, style=style, detail=request.detail
    )
    rows = write_curves(target, result.curves, result.report.edited)
    if as_json:
        emit({"input": str(video), "path": str(target), "emotion": wanted.label, "rows": rows})
    else:
        print(target)


@app.command()
def reel(
    video: Annotated[Path, typer.Argument(metavar="INPUT", help="Video; it is never changed.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File; NAME.reel.mp4 beside the input if left out.")
    ] = None,
    emotion: Annotated[
        list[str] | None,
        typer.Option(
            "--emotion", "-e", help="As in `talkedit edit`, several times for several; seven of them if left out."
        ),
    ] = None,
    title: Annotated[str | None, typer.Option(help="Words of the first page.")] = None,
    seconds: Annotated[float, typer.Option(help="How much of the clip each scene shows, 1 to 60.")] = 8.0,
    portrait: Annotated[bool, typer.Option("--portrait", help="1080x1920 for phones instead of 1920x1080.")] = False,
    poster: Annotated[bool, typer.Option("--poster", help="Write a still beside it, NAME.png.")] = False,
    face: FaceChoice = "largest",
    device: Device = "auto",
    weights: Weights = None,
    revision: Revision = None,
    force: Force = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make a showcase film of a clip: original, emotions, intensity, mouth weight.

    Needs moviepy, the extra reel.

    \b
    talkedit reel talk.mp4 --poster    makes talk.reel.mp4 and talk.reel.png
    talkedit reel talk.mp4 --portrait --title "Hello" -o phone.mp4
    talkedit reel talk.mp4 -e happy -e sad -e angry --seconds 5
    """
    from talkedit_sdk.reel.film import check_moviepy
    from talkedit_sdk.video.probe import probe

    check_moviepy()
    wanted = parse_emotions(emotion) if emotion else None
    film, still = reel_targets(probe(video), output, poster, force)
    with working("Making the reel", quiet) as advance:
        from talkedit_sdk.editor import Editor
        from talkedit_sdk.reel import EMOTIONS, TITLE, make_reel

        editor = Editor.load(weights, device, revision)
        made = make_reel(
            editor, video, film, wanted or EMOTIONS, title or TITLE, seconds, portrait, still, face, advance
        )
    if as_json:
        paths = {"path": str(made.path), "poster": None if made.poster is None else str(made.poster)}
        size = {"width": made.size[0], "height": made.size[1]}
        emit({"input": str(video), **paths, **size, "seconds": made.seconds, "shown_seconds": made.shown})
        return
    print(made.path)
    if made.poster is not None:
        print(made.poster)
    if not quiet:
        print(f"{made.seconds:.1f} s; every scene shows the first {made.shown:.1f} s of the clip.")


@app.command()
def info(
    video: Annotated[Path | None, typer.Argument(metavar="INPUT", help="Video or photo.")] = None,
    weights: Weights = None,
    revision: Revision = None,
    as_json: Json = False,
) -> None:
    """Tell what a file is and how talkedit edited it, or, without a file, the versions, weights and device in use.

    \b
    talkedit info
    talkedit info talk.mp4 --json
    """
    from talkedit_sdk.tables import info_json, installation
    from talkedit_sdk.video.probe import probe

    facts = installation(weights, revision) if video is None else info_json(probe(video))
    if as_json:
        emit(facts)
    else:
        print_facts(facts)


def _watch(video: Path, device: str, weights: str | None, revision: str | None, quiet: bool) -> tuple[Editor, Clip]:
    with working("Finding faces", quiet) as advance:
        from talkedit_sdk.editor import Editor

        editor = Editor.load(weights, device, revision)
        return editor, editor.watch(video, progress=advance)


def run(arguments: Sequence[str]) -> int:
    """Runs one command and returns its exit code; every error is told in one line."""
    session = Session(arguments, as_json="--json" in arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # File names may hold bytes that are no text: they are printed as they are, where the encoding can.
        sys.stdout.reconfigure(errors="surrogateescape" if sys.stdout.encoding == "utf-8" else "backslashreplace")
    try:
        code = app(list(arguments), prog_name="talkedit", standalone_mode=False, obj=session)
        if code == CANCELLED:  # how typer tells of Ctrl-C
            return session.fail(KeyboardInterrupt())
        if sys.stdout is not None:
            sys.stdout.flush()
        return int(code or 0)
    except BrokenPipeError:
        drop_output()
        return FAILED
    except (Exception, KeyboardInterrupt) as error:
        return session.fail(error)


def main() -> None:
    """The `talkedit` command."""
    # Errors of the Hub are told in our words; its tools read this when they are imported.
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    sys.exit(run(sys.argv[1:]))
