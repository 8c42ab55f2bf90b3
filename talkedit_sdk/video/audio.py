"""The sound of the source or of another file: copied packet by packet, re-encoded only where it has to be."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from fractions import Fraction

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Stream

from talkedit_sdk.video.container import codec_name, packets

_MP4 = frozenset({"aac", "mp3", "mp2", "ac3", "eac3", "alac", "opus", "flac"})
_MOV = frozenset({"aac", "mp3", "ac3", "eac3", "alac", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_f32le"})
_CARRIES = {"mp4": _MP4, "mov": _MOV}
"""What players expect in these containers, which is less than ffmpeg would write."""

_AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)
_AAC_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}
_AAC_BITS_PER_CHANNEL = 96_000


class AudioTracks:
    """Moves all sound of `source` into `output`, in step with the pictures.

    origin: seconds of the source that become 0 in the output. most: how many sound tracks are moved, the first ones;
    None for all.
    """

    def __init__(
        self, source: InputContainer, output: OutputContainer, origin: Fraction, most: int | None = None
    ) -> None:
        self._tracks: dict[int, _Copy | _Recode] = {}
        notes = []
        for number, stream in enumerate(source.streams.audio[:most], start=1):
            track, note = _add_track(stream, output, origin, number)
            if track is not None:
                self._tracks[stream.index] = track
            if note is not None:
                notes.append(note)
        self.notes = tuple(notes)
        self._output = output
        self._packets: Iterator[Packet[Stream]] = iter(())
        if self._tracks:
            self._packets = packets(source, *(track.source for track in self._tracks.values()))
        self._next: Packet[Stream] | None = next(self._packets, None)

    def mux_until(self, seconds: float) -> None:
        """Writes the packets that begin before `seconds` of the output."""
        while self._next is not None and self._tracks[self._next.stream.index].begins(self._next) < seconds:
            self._mux_next()

    def mux_rest(self) -> None:
        """Writes what is left and empties the encoders."""
        while self._next is not None:
            self._mux_next()

    def _mux_next(self) -> None:
        packet = self._next
        assert packet is not None
        with contextlib.suppress(ValueError):  # a packet so damaged that the muxer refuses it: a short gap
            self._output.mux(self._tracks[packet.stream.index].convert(packet))
        self._next = next(self._packets, None)


def _add_track(
    stream: AudioStream, output: OutputContainer, origin: Fraction, number: int
) -> tuple[_Copy | _Recode | None, str | None]:
    """The track, None if it has to be left out, and what the user should know."""
    context = stream.codec_context
    if context is None or not context.sample_rate or not context.layout.nb_channels or stream.time_base is None:
        return None, f"Sound track {number} is in an unknown format and was left out."
    codec = codec_name(context)
    shift = round(origin / stream.time_base)
    carries = _CARRIES.get(output.format.name) or output.supported_codecs
    if codec in carries:
        try:
            return _Copy(stream, output.add_stream_from_template(stream), shift), None
        except ValueError:
            pass  # before PyAV 14.1 streams without an encoder of the same name cannot be copied
    return (
        _Recode(stream, output, shift),
        f"Sound track {number} ({codec}) was re-encoded to AAC: {output.format.name} cannot carry it.",
    )


class _Copy:
    """Packets as they are, with their time; sound has no reordering, so there is only one time per packet."""

    def __init__(self, source: AudioStream, target: AudioStream, shift: int) -> None:
        self.source = source
        self._target = target
        self._shift = shift
        self._last: int | None = None
        self._duration = 1
        target.metadata.update(_labels(source))

    def begins(self, packet: Packet[Stream]) -> float:
        return _begins(packet, self._shift)

    def convert(self, packet: Packet[Stream]) -> list[Packet[Stream]]:
        if packet.size == 0:
            return []
        time = packet.pts if packet.pts is not None else packet.dts
        if time is not None:
            time -= self._shift
        if self._last is not None and (time is None or time <= self._last):
            time = self._last + self._duration  # muxers refuse times that do not increase
        packet.pts = packet.dts = self._last = time or 0
        self._duration = packet.duration or 1
        packet.stream = self._target
        return [packet]


class _Recode:
    """Decoded and encoded as AAC, at the same rate and layout where AAC has them."""

    def __init__(self, source: AudioStream, output: OutputContainer, shift: int) -> None:
        context = source.codec_context
        layout = _AAC_LAYOUTS.get(context.layout.nb_channels, "stereo")
        rate = context.sample_rate if context.sample_rate in _AAC_RATES else 48000
        self.source = source
        self._shift = shift
        self._target = output.add_stream("aac", rate=rate, layout=layout)
        self._target.bit_rate = _AAC_BITS_PER_CHANNEL * self._target.layout.nb_channels
        self._target.metadata.update(_labels(source))

    def begins(self, packet: Packet[Stream]) -> float:
        return _begins(packet, self._shift)

    def convert(self, packet: Packet[Stream]) -> list[Packet[Stream]]:
        encoded: list[Packet[Stream]] = []
        for frame in self._decoded(packet):
            if frame.pts is not None:
                frame.pts -= self._shift
            encoded += self._target.encode(frame)
        if packet.size == 0:
            encoded += self._target.encode(None)
        return encoded

    def _decoded(self, packet: Packet[Stream]) -> list[AudioFrame]:
        try:
            return self.source.decode(packet)
        except av.error.FFmpegError:  # damaged: a short gap
            return []


def _begins(packet: Packet[Stream], shift: int) -> float:
    """Seconds of the output; a packet without a time comes next."""
    time = packet.pts if packet.pts is not None else packet.dts
    return -math.inf if time is None or packet.time_base is None else float((time - shift) * packet.time_base)


def _labels(stream: AudioStream) -> dict[str, str]:
    return {key: stream.metadata[key] for key in ("language", "title") if key in stream.metadata}
