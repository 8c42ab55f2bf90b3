"""Writing the edited video: H.264 with the source's timing, shape, colours and sound."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import cv2
import numpy as np
from av.packet import Packet
from av.video.stream import VideoStream
from numpy.typing import NDArray

from talkedit_sdk.errors import OptionError, OutputError
from talkedit_sdk.provenance import xmp_box
from talkedit_sdk.signing import Signer
from talkedit_sdk.video.audio import AudioTracks
from talkedit_sdk.video.colour import Colour, YuvWriter
from talkedit_sdk.video.container import check_input, open_container
from talkedit_sdk.video.decode import read_track
from talkedit_sdk.video.output import VIDEO_FORMATS, check_output, check_target, explaining, replacing
from talkedit_sdk.video.types import Frame, FrameSource

ENCODER_OPTIONS = {"preset": "veryfast", "crf": "17", "bf": "0"}
"""Measured at 720p on two cores: about 100 frames a second, 51 dB luma; "faster" gains 1 dB and costs 40 % of speed."""

_KEPT_METADATA = ("title", "artist", "date", "creation_time")
_LONGEST_LAST_FRAME = 10.0
"""Seconds; a track that claims to end later than this after its last frame is not believed."""


class VideoWriter:
    """Writes the frames of an edited video as H.264 (yuv420p, visually lossless) into mp4, mov or mkv.

    Every frame keeps its time; pixel aspect, colour matrix, tags, title, creation time and sound are those of `source`.
    Sides that are odd, which yuv420p cannot have, get one more row or column, a copy of the last one; `notes` says so.

        with VideoWriter("out.mp4", source) as writer:
            for frame in source.frames():
                writer.write(frame)

    The file appears when the block ends well. When it ends by an exception, nothing is left, and a file that was there
    before is untouched.

    path: see `check_output`. sound: file whose first sound track goes with the pictures instead of that of `source`,
    both beginning together. metadata: tags to write, such as "comment", "description" or any other name; those of
    `disclosure` go into XMP too, where the format has it. signer: signs the file when it is finished.

    Raises:
        OutputError: see `check_output`; also when the disk fills up, or no frame was written.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        source: FrameSource,
        metadata: Mapping[str, str] | None = None,
        signer: Signer | None = None,
        sound: Path | None = None,
    ) -> None:
        self._info = source.info
        self._target = check_output(path, self._info)
        self._sound = None if sound is None else check_input(sound)
        if self._sound is not None:
            check_target(self._target, self._sound)
        self._metadata = dict(metadata or {})
        self._signer = signer
        self._notes: list[str] = []
        self._time_base = 1 / self._info.fps
        self._start = 0
        self._end: int | None = None
        self._last: int | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What could not be kept as it was, one sentence each."""
        return tuple(self._notes)

    def __enter__(self) -> VideoWriter:
        with ExitStack() as stack:
            self._temporary = stack.enter_context(replacing(self._target))
            with explaining(self._target):
                self._open(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            self._stack.__exit__(kind, error, traceback)
            return
        with self._stack, explaining(self._target):
            self._finish()

    def write(self, frame: Frame) -> None:
        """Encodes a frame of the source's size. Times must increase.

        Raises:
            OptionError: the frame has another size or type.
            OutputError: the disk is full or gone.
        """
        rgb = frame.rgb
        if rgb.dtype != np.uint8 or rgb.shape != (self._info.height, self._info.width, 3):
            size = f"{self._info.height}x{self._info.width}x3"
            raise OptionError(f"Frame {frame.index} must be {size} uint8, not {rgb.shape} {rgb.dtype}.")
        ticks = self._start + round(frame.time * self._time_base.denominator / self._time_base.numerator)
        ticks = ticks if self._last is None else max(ticks, self._last + 1)
        picture = self._yuv.write(_even(rgb))
        picture.pts, picture.time_base = ticks, self._time_base
        with explaining(self._target):
            self._mux(self._stream.encode(picture))
            if self._audio is not None:
                self._audio.mux_until(float(ticks * self._time_base))
        self._last = ticks

    def _open(self, stack: ExitStack) -> None:
        info = self._info
        form = VIDEO_FORMATS[self._target.suffix.lower()]
        flags = {} if form == "matroska" else {"movflags": "+faststart+use_metadata_tags"}
        self._output = av.open(str(self._temporary), "w", format=form, container_options=flags)
        stack.push(self._discard)
        colour = Colour()
        self._stream = self._output.add_stream("libx264", rate=info.fps, options=ENCODER_OPTIONS)
        self._audio: AudioTracks | None = None
        if info.kind == "video" and info.path is not None:
            track = read_track(info.path)
            self._time_base = track.time_base
            colour = Colour() if track.colour.hdr else track.colour
            source = stack.enter_context(open_container(info.path))
            if self._sound is None:
                self._start, self._end = track.start, track.end
                self._audio = AudioTracks(source, self._output, track.origin * track.time_base)
            self._output.metadata.update(
                {key: source.metadata[key] for key in _KEPT_METADATA if key in source.metadata}
            )
        if self._sound is not None:
            source = stack.enter_context(open_container(self._sound))
            self._audio = AudioTracks(source, self._output, Fraction(source.start_time or 0, av.time_base), most=1)
        if self._audio is not None:
            self._notes += self._audio.notes
        self._output.metadata.update(self._metadata)
        context = self._stream.codec_context
        context.width, context.height = info.width + info.width % 2, info.height + info.height % 2
        if (context.width, context.height) != (info.width, info.height):
            self._notes.append(
                f"The picture was widened from {info.width}x{info.height} to {context.width}x{context.height} by "
                "copying its last row or column: the codec needs even sides."
            )
        context.pix_fmt = "yuv420p"
        context.time_base = self._time_base
        context.sample_aspect_ratio = info.pixel_aspect
        context.color_range = 1
        context.colorspace, context.color_primaries, context.color_trc = (
            colour.matrix,
            colour.primaries,
            colour.transfer,
        )
        self._yuv = YuvWriter(colour.matrix, context.width, context.height)
        self._output.start_encoding()

    def _mux(self, packets: list[Packet[VideoStream]]) -> None:
        """Gives each packet its duration; only that of the last frame lasts in the file."""
        frame = max(1, round(1 / (self._info.fps * self._time_base)))
        longest = max(frame, round(_LONGEST_LAST_FRAME / self._time_base))
        for packet in packets:
            packet.duration = frame
            if self._end is not None and packet.pts is not None and packet.pts == self._last:
                rest = self._end - packet.pts
                packet.duration = rest if 0 < rest <= longest else frame
            self._output.mux(packet)

    def _finish(self) -> None:
        if self._last is None:
            raise OutputError(f"There were no frames to write to {self._target}: check the input.")
        self._mux(self._stream.encode(None))
        if self._audio is not None:
            self._audio.mux_rest()
        self._output.close()
        if "digital_source_type" in self._metadata and VIDEO_FORMATS[self._target.suffix.lower()] != "matroska":
            with self._temporary.open("ab") as file:
                file.write(xmp_box(self._metadata))
        if self._signer is not None:
            self._signer.sign(self._temporary, self._target.suffix, self._metadata, self._info.path)

    def _discard(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """Lets go of an unfinished file. Unlinked first, because closing would still rewrite it for fast start."""
        if error is not None:
            self._temporary.unlink(missing_ok=True)
            with contextlib.suppress(OSError, av.error.FFmpegError):
                self._output.close()


def _even(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Repeats the last row and column where the size is odd."""
    bottom, right = rgb.shape[0] % 2, rgb.shape[1] % 2
    if not bottom and not right:
        return rgb
    return np.asarray(cv2.copyMakeBorder(rgb, 0, bottom, 0, right, cv2.BORDER_REPLICATE), np.uint8)
