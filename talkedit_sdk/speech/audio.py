"""Reading sound: of a recording or of a video, in any format, as one channel at one rate."""

from __future__ import annotations

import os
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from numpy.typing import NDArray

from talkedit_sdk.errors import UnreadableInputError
from talkedit_sdk.speech.types import SAMPLE_RATE, Voice
from talkedit_sdk.video.container import check_input, open_container, packets

MAX_SECONDS: Final = 2 * 3600
_HOLE: Final = 0.05  # seconds of missing sound from which on it is filled with silence


def read_voice(path: str | os.PathLike[str]) -> Voice:
    """The first sound track of a file. Sample 0 is where the file's time begins, pictures or sound; holes are silent.

    Raises:
        InputNotFoundError: there is no such file.
        UnreadableInputError: the file has no sound, none that can be decoded, or more than `MAX_SECONDS`.
    """
    file = check_input(path)
    with open_container(file, sound=True) as container:
        stream = next(iter(container.streams.audio), None)
        if stream is None or stream.codec_context is None:
            raise UnreadableInputError(
                f"{file} has no sound that can be decoded: give a recording, or a video with one."
            )
        pieces, total = [], 0
        for piece in _pieces(container, stream):
            pieces.append(piece)
            total += len(piece)
            if total > MAX_SECONDS * SAMPLE_RATE:
                raise UnreadableInputError(f"{file} is longer than {MAX_SECONDS // 3600} hours: cut it into parts.")
    if not total:
        raise UnreadableInputError(f"{file} holds no sound that can be decoded: check that it plays.")
    samples = np.nan_to_num(np.concatenate(pieces), copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    return Voice(np.clip(samples, -4, 4, out=samples))


def resampled(samples: NDArray[np.float32], rate: int) -> Voice:
    """(N,) mono samples at any rate -> the same sound as a `Voice`."""
    frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples, np.float32)[None], "flt", "mono")
    frame.sample_rate = rate
    resampler = _resampler()
    return Voice(np.concatenate([piece for part in (frame, None) for piece in _converted(resampler, part)]))


def write_voice(path: Path, voice: Voice) -> Path:
    """Writes a voice as WAV, 16 bits."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(voice.rate)
        file.writeframes((voice.samples.clip(-1, 1) * 32767).round().astype("<i2").tobytes())
    return path


def _pieces(container: InputContainer, stream: AudioStream) -> Iterator[NDArray[np.float32]]:
    """Samples in order, blocks of silence where there are none; a claim of a longer hole than allowed is one block."""
    resampler = _resampler()
    origin, filled = (container.start_time or 0) / av.time_base, 0.0
    for frame in _decoded(container, stream):
        begin = filled if frame.time is None else min(frame.time - origin, MAX_SECONDS + 1.0)
        if begin > filled + _HOLE:
            yield from _converted(resampler, None)
            resampler = _resampler()
            yield np.zeros(round((begin - filled) * SAMPLE_RATE), np.float32)
            filled = begin
        length = frame.samples / max(frame.sample_rate, 1)
        filled += length
        if begin + length > 0:  # what comes before the file's beginning is the encoder's priming
            frame.pts = None
            yield from _converted(resampler, frame)
    yield from _converted(resampler, None)


def _decoded(container: InputContainer, stream: AudioStream) -> Iterator[AudioFrame]:
    for packet in packets(container, stream):
        try:
            yield from stream.decode(packet)
        except av.error.FFmpegError:  # noqa: PERF203 - a damaged packet is a short hole
            continue


def _resampler() -> AudioResampler:
    return AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)


def _converted(resampler: AudioResampler, frame: AudioFrame | None) -> Iterator[NDArray[np.float32]]:
    try:
        for converted in resampler.resample(frame):
            yield converted.to_ndarray().reshape(-1).astype(np.float32)
    except (av.error.FFmpegError, ValueError):  # a frame of another format in the middle of a damaged stream
        return
