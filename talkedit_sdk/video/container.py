"""Opening a container of which nothing is trusted: size, format, protocol and completeness are checked first."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av
from av.codec import CodecContext
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from talkedit_sdk.errors import InputNotFoundError, UnreadableInputError

MAX_SIDE = 8192
MAX_PIXELS = 36 * 2**20
DEFAULT_FPS = Fraction(25)

_DEMUXERS = "mov,matroska,avi,mpeg,mpegvideo,mpegts,ogg,flv,asf,ivf,nut,h264,hevc,m4v,dv,mp3,aac,wav,flac"
"""No playlists and no scripts: a file may not make ffmpeg read other files or the network."""

_STILL_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"avif")
_ATTACHED_PICTURE = 0x400
_MAX_READ_ERRORS = 64
_LARGEST_EBML_HEADER = 1 << 16


def check_input(path: str | os.PathLike[str]) -> Path:
    """The path, if it names a regular file that is not empty and may be read.

    Raises:
        InputNotFoundError: there is no such file.
        UnreadableInputError: it is a directory or a device, empty, or not permitted.
    """
    path = Path(path)
    try:
        status = path.stat()
        if stat.S_ISREG(status.st_mode):
            path.open("rb").close()
    except (FileNotFoundError, NotADirectoryError):
        raise InputNotFoundError(f"There is no file {path}: check the path.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UnreadableInputError(f"{path} cannot be opened ({reason}): check its name and permissions.") from error
    if stat.S_ISDIR(status.st_mode):
        raise UnreadableInputError(f"{path} is a directory: give the file inside it.")
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableInputError(f"{path} is not a regular file: save it to a file first.")
    if status.st_size == 0:
        raise UnreadableInputError(f"{path} is empty: copy or download it again.")
    return path


def check_size(name: object, width: int, height: int) -> None:
    """Raises UnreadableInputError where a picture is larger than this package will hold in memory."""
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        raise UnreadableInputError(
            f"{name} is {width}x{height}, but at most {MAX_SIDE} pixels a side and "
            f"{MAX_PIXELS // 10**6} megapixels can be edited: scale it down first."
        )


def open_container(path: Path, sound: bool = False) -> InputContainer:
    """Opens a file that `check_input` has passed; `sound` says that only its sound is wanted.

    Raises:
        UnreadableInputError: no demuxer knows it, it is cut off, or it holds still images in a video container.
    """
    with path.open("rb") as file:
        head = file.read(12)
    if head[4:8] == b"ftyp" and head[8:] in _STILL_BRANDS:
        raise UnreadableInputError(f"{path} is a HEIC or AVIF photo, which cannot be read: convert it to jpg or png.")
    missing = _missing_bytes(path)
    if missing:
        raise UnreadableInputError(
            f"{path} is cut off ({missing} bytes are missing at its end): copy or download it again."
        )
    options = {"format_whitelist": _DEMUXERS, "protocol_whitelist": "file"}
    try:
        return av.open(f"file:{path.absolute()}", container_options=options, metadata_errors="replace")
    except (av.error.FFmpegError, OSError, ValueError) as error:
        kind, usual = ("sound", "wav") if sound else ("video or photo", "mp4 (H.264)")
        raise UnreadableInputError(
            f"{path} is no {kind} that can be read, or it is damaged: convert it to {usual} or check that it plays."
        ) from error


def picture_stream(container: InputContainer, name: object) -> VideoStream:
    """The stream with moving pictures (cover art does not count), its decoder set up but not yet open.

    Raises:
        UnreadableInputError: there is none, no decoder for it, or its header claims too large a picture.
    """
    streams = [s for s in container.streams.video if not _is_cover(s)]
    if not streams:
        what = "has only sound" if container.streams.audio else "has no pictures"
        raise UnreadableInputError(f"{name} {what}: give a file with a video track.")
    best = container.streams.best("video")
    stream = next((s for s in streams if best is not None and s.index == best.index), streams[0])
    if stream.codec_context is None:
        raise UnreadableInputError(f"{name} uses a video codec that cannot be decoded: convert it to H.264 first.")
    check_size(name, stream.codec_context.width, stream.codec_context.height)
    stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
    stream.codec_context.thread_type = "AUTO"
    return stream


def packets(container: InputContainer, *streams: Stream) -> Iterator[Packet[Stream]]:
    """All packets of the streams in file order, then one empty packet per stream that flushes its decoder.

    Reads on after damage; gives up after many errors in a row.
    """
    errors = 0
    while errors < _MAX_READ_ERRORS:
        try:
            for packet in container.demux(*streams):
                errors = 0
                yield packet
            return
        except av.error.FFmpegError:  # noqa: PERF203 - rare, and reading goes on after it
            errors += 1
    for stream in streams:
        flush: Packet[Stream] = Packet()
        flush.stream = stream
        yield flush


def _is_cover(stream: VideoStream) -> bool:
    disposition = getattr(stream, "disposition", None)  # PyAV 14.0 does not tell
    return disposition is not None and bool(disposition.value & _ATTACHED_PICTURE)


def frame_rate(stream: VideoStream) -> Fraction:
    """Frames per second, a sensible one where the container claims none or nonsense."""
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        if rate is not None and 0 < rate <= 1000:
            return Fraction(rate)
    return DEFAULT_FPS


def codec_name(context: CodecContext) -> str:
    """The codec's common name ("av1"), not that of the decoder ("libdav1d"); PyAV before 14.1 knows only the latter."""
    return str(getattr(context.codec, "canonical_name", context.codec.name))


def _missing_bytes(path: Path) -> int:
    """How many bytes the outermost structure of the file claims beyond its end; 0 where it makes no such claim.

    ffmpeg reads a cut-off file up to the cut without a word, so the claim is the only witness.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(64)
        if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
            end = 8 + int.from_bytes(head[4:8], "little")
        elif head[:4] == b"\x1a\x45\xdf\xa3":
            end = _matroska_end(file)
        elif head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
            end = _mp4_end(file, size)
        else:
            end = 0
    return max(0, end - size)


def _mp4_end(file: BinaryIO, size: int) -> int:
    """Where the last box of a QuickTime or MP4 file ends."""
    position = 0
    while position + 8 <= size:
        file.seek(position)
        header = file.read(16)
        length, kind = int.from_bytes(header[:4], "big"), header[4:8]
        if length == 1:
            length = int.from_bytes(header[8:16], "big")
        if length < 8:  # 0: up to the end of the file; else damaged
            break
        if position + length > size and kind in (b"mdat", b"moov", b"moof"):
            return position + length
        position += length
    return 0


def _matroska_end(file: BinaryIO) -> int:
    """Where the segment of a Matroska or WebM file ends, 0 where it was streamed and does not know."""
    file.seek(4)
    header_size, _ = _ebml_number(file)
    file.seek(min(header_size, _LARGEST_EBML_HEADER), os.SEEK_CUR)
    if file.read(4) != b"\x18\x53\x80\x67":
        return 0
    length, unknown = _ebml_number(file)
    return 0 if unknown else file.tell() + length


def _ebml_number(file: BinaryIO) -> tuple[int, bool]:
    """A variable-length EBML number, and whether it is the reserved one for 'unknown'."""
    first = (file.read(1) or b"\0")[0]
    extra = 8 - first.bit_length()
    if extra > 7:
        return 0, True
    bits = 7 * (extra + 1)
    value = int.from_bytes(bytes([first]) + file.read(extra), "big") & ((1 << bits) - 1)
    return value, value == (1 << bits) - 1
