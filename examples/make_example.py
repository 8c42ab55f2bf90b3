"""Builds `talk.mp4`, a portrait in the public domain that says a sentence, and `talk.csv`, when it says which sound.

    pip install -e ".[example]" && apt-get install espeak-ng
    python examples/make_example.py

The lips follow eSpeak's phonemes, and every frame is drawn by talkedit's own renderer. See README.md beside it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import av
import numpy as np
import torch
from av.audio.frame import AudioFrame
from numpy.typing import NDArray
from portrait import CROP, HeadMotion, enlarge
from skimage.data import astronaut
from speech import Speech, speak
from visemes import Phoneme, accents, blinks, brow_curves, mouth_curves

from talkedit_sdk.editor import Editor
from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.face.topology import BLENDSHAPES
from talkedit_sdk.face.tracker import FaceMeshTracker
from talkedit_sdk.hub import EMBEDDED
from talkedit_sdk.motion.types import MotionEdit, MotionRequest
from talkedit_sdk.provenance import DIGITAL_SOURCE_TYPE
from talkedit_sdk.render.nobody import Nobody
from talkedit_sdk.texture.glasses import RimNet
from talkedit_sdk.video.source import open_source
from talkedit_sdk.video.types import Frame
from talkedit_sdk.video.writer import VideoWriter

SENTENCE: Final = "Maybe people forget how much a face can tell you, before a word is spoken."
VOICE: Final = "en-us+f3"
RATE, PITCH, PITCH_RANGE = 140, 45, 55

SIDE: Final = 640
FPS: Final = 25
SEED: Final = 7
BEFORE, AFTER = 0.40, 0.50  # seconds of silence around the sentence
BLINKS: Final = (0.11, 3.47)

_KEPT: Final = {"eyeSquint": 0.75, "browDown": 0.80}
"""What stays of the portrait's smile around the eyes; her mouth gives up all of it to talk."""

_REST: Final = {"mouthFrown": 0.14, "mouthSmile": 0.04}
"""Added throughout: brings the corners of the smiling mouth down to level."""

_TAGS: Final = {
    "title": "talkedit example",
    "comment": "Synthetic media: a NASA portrait (public domain) animated with talkedit, speech by eSpeak NG.",
    "digital_source_type": DIGITAL_SOURCE_TYPE,
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Builds the example clip.")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("talk.mp4"))
    target: Path = parser.parse_args().out
    spoken = speak(SENTENCE, VOICE, RATE, PITCH, PITCH_RANGE)
    phonemes = tuple(replace(p, begin=p.begin + BEFORE, end=p.end + BEFORE) for p in spoken.phonemes)
    seconds = BEFORE + len(spoken.samples) / spoken.rate + AFTER
    times = np.arange(round(seconds * FPS)) / FPS
    picture = enlarge(np.asarray(astronaut(), np.uint8), CROP, SIDE)  # type: ignore[no-untyped-call]
    with TemporaryDirectory() as folder:
        silent = Path(folder) / "silent.mp4"
        with VideoWriter(silent, open_source([picture], FPS), _TAGS) as writer:
            for frame in animate(picture, phonemes, times):
                writer.write(frame)
        add_speech(silent, spoken, len(times) / FPS, target)
    lines = [f"{p.name},{p.begin:.3f},{p.end:.3f}" for p in phonemes]
    target.with_suffix(".csv").write_text("\n".join(["phoneme,begin,end", *lines, ""]), encoding="utf-8")
    print(f"{target}: {len(times)} frames, {target.stat().st_size / 1e6:.2f} MB")


@dataclass(frozen=True)
class ScriptedMotion:
    """A motion editor that plays given curves: (T, 52), added to the face at rest."""

    curves: NDArray[np.float32]

    def edit(self, request: MotionRequest) -> MotionEdit:
        """The portrait's own look without its smile, and the curves on top. Lips move freely."""
        wanted = request.coefficients.clone()
        for column, name in enumerate(BLENDSHAPES):
            stem = name.removesuffix("Left").removesuffix("Right")
            wanted[:, column] *= 0.0 if stem.startswith(("mouth", "jaw")) else _KEPT.get(stem, 1.0)
            wanted[:, column] += _REST.get(stem, 0.0)
        wanted = (wanted + torch.from_numpy(self.curves)).clamp(0, 1)
        return MotionEdit(wanted, torch.zeros(len(wanted)))


def animate(picture: NDArray[np.uint8], phonemes: tuple[Phoneme, ...], times: NDArray[np.float64]) -> Iterator[Frame]:
    """The face in the picture (H, W, 3) says the phonemes while its head moves."""
    stressed = accents(phonemes, 4)
    script = mouth_curves(phonemes, times) + blinks(BLINKS, times) + brow_curves(stressed, times)
    parts = FaceModel.load(EMBEDDED), FaceMeshTracker(), ScriptedMotion(script)
    editor = Editor(*parts, Nobody.load(EMBEDDED), RimNet.load(EMBEDDED))
    clip = editor.watch([picture] * len(times), FPS, progress=False)
    head = HeadMotion(times, stressed, clip.tracking.faces[0].landmarks[0], SEED)
    for frame in editor.edit(clip).frames():
        yield replace(frame, rgb=head.move(frame.rgb, frame.index))


def add_speech(silent: Path, speech: Speech, seconds: float, target: Path) -> None:
    """Copies the pictures of `silent` and adds the speech, `BEFORE` seconds in, as AAC."""
    sound = np.zeros(round(seconds * speech.rate), np.int16)
    start = round(BEFORE * speech.rate)
    loudness = 0.7 * np.iinfo(np.int16).max / np.abs(speech.samples.astype(np.float64)).max()
    sound[start : start + len(speech.samples)] = loudness * speech.samples
    with (
        av.open(str(silent)) as source,
        av.open(str(target), "w", container_options={"movflags": "+faststart+use_metadata_tags"}) as output,
    ):
        output.metadata.update(source.metadata)
        pictures = output.add_stream_from_template(source.streams.video[0])
        voice = output.add_stream("aac", rate=speech.rate, layout="mono")
        voice.bit_rate = 64_000
        frame = AudioFrame.from_ndarray(sound[None], format="s16", layout="mono")
        frame.sample_rate, frame.time_base, frame.pts = speech.rate, Fraction(1, speech.rate), 0
        packets = [packet for packet in source.demux(video=0) if packet.dts is not None]
        for packet in packets:
            packet.stream = pictures
        packets += [*voice.encode(frame), *voice.encode(None)]
        for packet in sorted(packets, key=lambda packet: float((packet.dts or 0) * packet.time_base)):
            output.mux(packet)


if __name__ == "__main__":
    main()
