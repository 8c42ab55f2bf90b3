from __future__ import annotations

import contextlib
import os
import struct
import zlib
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from talkedit_sdk.errors import InputNotFoundError, UnreadableInputError
from talkedit_sdk.video.probe import probe


@pytest.mark.parametrize(
    ("name", "codec", "expected", "pixels"),
    [
        ("a.mp4", "libx264", "h264", "yuv420p"),
        ("a.mov", "libx265", "hevc", "yuv420p10le"),
        ("a.mkv", "libsvtav1", "av1", "yuv420p"),
        ("a.webm", "libvpx", "vp8", "yuv420p"),
        ("a.webm", "libvpx-vp9", "vp9", "yuv420p"),
        ("a.avi", "mpeg4", "mpeg4", "yuv420p"),
        ("a.mpg", "mpeg1video", "mpeg1video", "yuv420p"),
        ("a.ogv", "libvpx", "vp8", "yuv420p"),
    ],
)
def test_tells_what_a_video_is(tmp_path, clip, name, codec, expected, pixels):
    form = "ogg" if name.endswith("ogv") else None
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    info = probe(clip(tmp_path / name, codec=codec, pixels=pixels, container_format=form, options=options))
    assert (info.kind, info.width, info.height, info.pixel_format) == ("video", 128, 96, pixels)
    if tuple(map(int, av.__version__.split(".")[:2])) >= (14, 1):
        assert info.codec == expected
    assert info.fps == 25
    assert info.rotation == 0
    assert not info.hdr


def test_tells_of_sound_pixel_aspect_and_length(tmp_path, clip):
    path = clip(tmp_path / "a.mp4", frames=20, audio="aac", sample_aspect_ratio=Fraction(4, 3))
    info = probe(str(path))
    assert info.audio_codecs == ("aac",)
    assert info.pixel_aspect == Fraction(4, 3)
    assert (info.frame_count, info.duration) == (20, 0.8)


def test_streamed_file_claims_no_length(tmp_path, clip):
    info = probe(clip(tmp_path / "a.mkv", container_options={"live": "1"}))
    assert (info.frame_count, info.duration) == (None, None)


def test_no_such_file(tmp_path):
    with pytest.raises(InputNotFoundError, match="There is no file"):
        probe(tmp_path / "none.mp4")
    (tmp_path / "a").write_bytes(b"x")
    with pytest.raises(InputNotFoundError):
        probe(tmp_path / "a" / "b.mp4")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.mp4", b"", "is empty"),
        ("text.mp4", b"This is not a video.\n" * 200, "no video or photo"),
        ("noise.mp4", bytes(range(256)) * 50, "no video or photo"),
        ("list.m3u8", b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n#EXT-X-ENDLIST\n", "no video or photo"),
        ("script.mp4", b"ffconcat version 1.0\nfile other.mp4\n", "no video or photo"),
        ("photo.jpg", b"\xff\xd8\xff\xe0 and nothing more", "no photo"),
        ("photo.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64), "HEIC"),
    ],
)
def test_files_that_are_no_video(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UnreadableInputError, match=message) as caught:
        probe(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_directory_and_device(tmp_path):
    with pytest.raises(UnreadableInputError, match="is a directory"):
        probe(tmp_path)
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(UnreadableInputError, match="not a regular file"):
        probe(tmp_path / "pipe.mp4")


@pytest.mark.parametrize(
    ("name", "cover"),
    [("sound.mp4", False), ("sound.mkv", False), ("sound.mp3", False), ("sound.wav", False), ("sound.mp4", True)],
)
def test_sound_only(tmp_path, name, cover, ramp):
    path = tmp_path / name
    codec = {"sound.wav": "pcm_s16le", "sound.mp3": "libmp3lame"}.get(name, "aac")
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.int16), format="s16", layout="mono")
        frame.sample_rate, frame.pts = 48000, 0
        if cover:
            picture = container.add_stream("mjpeg", rate=25, width=64, height=48, pix_fmt="yuvj420p")
            try:
                picture.disposition = av.stream.Disposition.attached_pic
            except (AttributeError, TypeError):
                pytest.skip("this PyAV cannot mark cover art")
            still = av.VideoFrame.from_ndarray(ramp(48, 64), "rgb24").reformat(format="yuvj420p")
            container.mux(picture.encode(still) + picture.encode(None))
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(UnreadableInputError, match="only sound"):
        probe(path)


def test_no_frames(tmp_path):
    path = tmp_path / "none.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height = 64, 64
        container.start_encoding()
    with pytest.raises(UnreadableInputError, match=r"no frame|no video"):
        probe(path)


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv", "a.webm", "a.avi"])
def test_truncated_in_the_middle(tmp_path, clip, name):
    codec = {"a.webm": "libvpx", "a.avi": "mpeg4"}.get(name, "libx264")
    path = clip(tmp_path / name, frames=30, codec=codec)
    assert probe(path).width == 128
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UnreadableInputError, match=r"cut off|damaged"):
        probe(path)


def test_truncated_with_its_index_in_front(tmp_path, clip):
    path = clip(tmp_path / "a.mp4", frames=30, container_options={"movflags": "+faststart"})
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UnreadableInputError, match=r"cut off \(100 bytes"):
        probe(path)


@pytest.mark.parametrize(("side", "message"), [(9000, "9000x9000"), (20000, "more than 8192 pixels a side")])
def test_huge_header(tmp_path, clip, side, message):
    path = clip(tmp_path / "huge.avi", codec="rawvideo", pixels="bgr24", size=(32, 32), frames=2)
    data = path.read_bytes()
    small = struct.pack("<ii", 32, 32)
    at = data.index(b"strf") + 12
    assert data[at : at + 4] == small[:4]
    path.write_bytes(data[:at] + struct.pack("<ii", side, side) + data[at + 8 :])
    with pytest.raises(UnreadableInputError, match=message):
        probe(path)


def test_huge_photo(tmp_path):
    def png(width: int, height: int) -> bytes:
        def chunk(kind: bytes, body: bytes) -> bytes:
            return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

        header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")

    for width, height in ((20000, 20000), (8193, 16), (8000, 8000), (10000, 10000)):
        path = tmp_path / "huge.png"
        path.write_bytes(png(width, height))
        with pytest.raises(UnreadableInputError, match=r"scale it down"):
            probe(path)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "bmp", "tiff"])
def test_photos_by_content(tmp_path, ramp, suffix):
    path = tmp_path / f"photo.{suffix}"
    Image.fromarray(ramp(40, 60)).save(path)
    wrong_name = path.rename(tmp_path / "photo.mp4")
    info = probe(wrong_name)
    assert (info.kind, info.width, info.height, info.frame_count) == ("photo", 60, 40, 1)


def test_truncated_photo(tmp_path, ramp):
    path = tmp_path / "photo.jpg"
    Image.fromarray(ramp(200, 300)).save(path)
    path.write_bytes(path.read_bytes()[:-600])
    with pytest.raises(UnreadableInputError, match="no photo that can be read"):
        probe(path)


def test_says_nothing_on_the_terminal(tmp_path, clip, capfd):
    path = clip(tmp_path / "a.mkv", frames=5)
    path.write_bytes(path.read_bytes()[:-50] + bytes(50))
    (tmp_path / "b.mp4").write_bytes(b"\0\0\0\x20ftypisom" + bytes(500))
    capfd.readouterr()
    for name in ("a.mkv", "b.mp4"):
        with contextlib.suppress(UnreadableInputError):
            probe(tmp_path / name)
    assert capfd.readouterr() == ("", "")
