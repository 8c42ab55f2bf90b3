"""The command `talkedit speak`: a face says a recording, or a text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from talkedit_sdk.emotion import DETAIL, Emotion, Intensity, check_detail
from talkedit_sdk.errors import OptionError
from talkedit_sdk.options import (
    Badge,
    Detail,
    Device,
    Force,
    Json,
    Quiet,
    Revision,
    SignCertificate,
    SignKey,
    Strength,
    Weights,
    check_face,
    load_signer,
    parse_gaze,
    speech_target,
)
from talkedit_sdk.terminal import emit, working
from talkedit_sdk.video.container import check_input


def speak(
    source: Annotated[Path, typer.Argument(metavar="FACE", help="Photo or video; it is never changed.")],
    audio: Annotated[
        Path | None, typer.Argument(metavar="SPEECH", help="Sound file, or a video with sound; or give --text.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File, or existing folder; FACE.speaks.mp4 if left out.")
    ] = None,
    text: Annotated[str | None, typer.Option(help="Words to say instead of a sound (needs eSpeak NG).")] = None,
    voice: Annotated[str, typer.Option(metavar="LANGUAGE", help="Of the text: en, de, es, fr, en+f3, ...")] = "en",
    emotion: Annotated[
        str, typer.Option("--emotion", "-e", help="auto takes it from the voice; or as in `talkedit edit`.")
    ] = "auto",
    intensity: Strength = None,
    head: Annotated[float, typer.Option(help="How much the head of a photo moves, 0 to 2.")] = 1.0,
    blinks: Annotated[float, typer.Option(help="Blinks per minute of a photo, 0 to 60.")] = 15.0,
    openness: Annotated[float, typer.Option(help="Of the eyes: 1 as they are, 0 shut, up to 1.3 wide.")] = 1.0,
    gaze: Annotated[str, typer.Option(metavar="RIGHT,UP", help="Degrees by which the eyes look elsewhere.")] = "0,0",
    seed: Annotated[int, typer.Option(help="Each number moves head and eyes in another way.")] = 0,
    face: Annotated[str, typer.Option("--face", "-f", help="largest, or a number that `talkedit faces` lists.")] = (
        "largest"
    ),
    fps: Annotated[float | None, typer.Option(help="Frames a second where FACE is a photo; 25 if left out.")] = None,
    detail: Detail = DETAIL,
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
    """Make a face say something: a photo talks, a video gets other words.

    \b
    talkedit speak face.jpg speech.wav                  makes face.speaks.mp4
    talkedit speak talk.mp4 other.mp3 -e happy -o out.mp4
    talkedit speak face.jpg --text "Good morning." --voice en
    """
    from talkedit_sdk.speech.eyes import EyeControl
    from talkedit_sdk.tables import report_json
    from talkedit_sdk.video.probe import probe

    if (audio is None) == (text is None):
        raise OptionError("Give either a file with the SPEECH or --text, one of the two.")
    recording = None if audio is None else check_input(audio)
    wanted = emotion if emotion == "auto" else Emotion.parse(emotion)
    strength = Intensity.parse(1.0 if intensity is None else intensity)
    eyes, detail = EyeControl(openness, blinks, parse_gaze(gaze)), check_detail(detail)
    check_face(face, "largest")
    target = speech_target(probe(source), recording, output, force)
    signer = load_signer(sign_cert, sign_key)
    if signer is not None:
        signer.check(target)
    with _sound(recording, text, voice) as sound:
        with working("Finding faces", quiet) as advance:
            from talkedit_sdk.editor import Editor

            editor = Editor.load(weights, device, revision)
            result = editor.speak(source, sound, wanted, strength, eyes, head, face, seed, fps, advance, detail)
        with working("Speaking", quiet) as advance:
            result.save(target, advance, badge, signer)
    if as_json:
        spoken = {"path": str(target), "emotion": emotion, **report_json(result.report)}
        emit({"input": str(source), "speech": text if audio is None else str(audio), "outputs": [spoken]})
    else:
        print(target if quiet else f"{target}\n{result.report}")


@contextmanager
def _sound(recording: Path | None, text: str | None, voice: str) -> Iterator[Path]:
    """The file with the speech: the recording, or what reads the text, for as long as it is needed."""
    if recording is not None:
        yield recording
        return
    from talkedit_sdk.speech.audio import write_voice
    from talkedit_sdk.speech.text import say

    assert text is not None
    with TemporaryDirectory(prefix="talkedit-") as folder:
        yield write_voice(Path(folder) / "speech.wav", say(text, voice)[0])
