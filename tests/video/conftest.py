"""Clips and photos made on the spot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

H264 = {"preset": "ultrafast", "crf": "10"}


def picture(height: int, width: int, index: int = 0) -> np.ndarray:
    """Smooth ramps that move with `index`, and a bright block: (height, width, 3) uint8."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    rgb = np.stack([x / width, y / height, 0.5 + 0.5 * np.sin((x + y) / 40 + index / 5)], -1)
    left = (index * 5) % max(1, width - width // 4)
    rgb[height // 4 : height // 2, left : left + width // 5] = (0.9, 0.8, 0.2)
    return np.round(rgb * 220 + 16).astype(np.uint8)


def write_clip(
    path: Path,
    *,
    frames: int | Sequence[np.ndarray] = 12,
    size: tuple[int, int] = (96, 128),
    codec: str = "libx264",
    pixels: str = "yuv420p",
    fps: Fraction | int = 25,
    pts: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    audio: str | None = None,
    options: dict[str, str] | None = None,
    container_format: str | None = None,
    container_options: dict[str, str] | None = None,
    metadata: dict[str, str] | None = None,
    yuv: Callable[[int], av.VideoFrame] | None = None,
    **context: Any,
) -> Path:
    """Encodes `frames` (a number of `picture`s or the pictures themselves), with a tone if `audio` names a codec.

    yuv: makes the frame of an index in `pixels` instead. context: attributes of the codec context, such as colour tags.
    """
    pictures = [picture(*size, i) for i in range(frames)] if isinstance(frames, int) else list(frames)
    fps = Fraction(fps)
    options = options if options is not None else (H264 if codec == "libx264" else {})
    with av.open(str(path), "w", format=container_format, container_options=container_options or {}) as container:
        container.metadata.update(metadata or {})
        stream = container.add_stream(codec, rate=fps, options=options)
        stream.width, stream.height, stream.pix_fmt = pictures[0].shape[1], pictures[0].shape[0], pixels
        stream.codec_context.time_base = time_base or 1 / fps
        for name, value in context.items():
            setattr(stream.codec_context, name, value)
        sound = container.add_stream(audio, rate=48000, layout="stereo") if audio else None
        for index, rgb in enumerate(pictures):
            frame = yuv(index) if yuv else av.VideoFrame.from_ndarray(rgb, "rgb24").reformat(format=pixels)
            frame.pts = pts[index] if pts else index
            frame.time_base = time_base or 1 / fps
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound is not None:
            container.mux(_tone(sound, float(len(pictures) / fps)))
    return path


def _tone(stream: av.AudioStream, seconds: float) -> list[av.Packet]:
    samples = np.arange(int(48000 * seconds))
    wave = (0.3 * np.sin(samples * 2 * np.pi * 440 / 48000) * 32767).astype(np.int16)
    packets = []
    for start in range(0, len(wave), 960):
        part = np.repeat(wave[start : start + 960], 2)[None]
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(part), format="s16", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
        packets += stream.encode(frame)
    return packets + stream.encode(None)


@pytest.fixture
def clip() -> Callable[..., Path]:
    return write_clip


@pytest.fixture
def ramp() -> Callable[..., np.ndarray]:
    return picture


@pytest.fixture
def planes() -> Callable[[av.VideoFrame], list[np.ndarray]]:
    """The planes of an 8-bit frame, without line padding."""
    return lambda frame: [
        np.frombuffer(bytes(plane), np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]
        for plane in frame.planes
    ]


@pytest.fixture
def sound() -> Callable[[Path], list[bytes]]:
    """The audio packets of a file."""

    def read(path: Path) -> list[bytes]:
        with av.open(str(path)) as container:
            return [bytes(packet) for packet in container.demux(container.streams.audio) if packet.size]

    return read
