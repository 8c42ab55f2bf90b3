from __future__ import annotations

import struct
import threading
from fractions import Fraction

import av
import numpy as np
import pytest

from talkedit_sdk.errors import UnreadableInputError
from talkedit_sdk.video.container import packets
from talkedit_sdk.video.source import open_source

KR_KB = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114), 7: (0.212, 0.087), 9: (0.2627, 0.0593)}
FLAT = [(200, 100, 50), (20, 180, 90), (128, 128, 128), (250, 250, 250), (8, 8, 8)]


def to_yuv(rgb: tuple[int, ...], matrix: int, bits: int, full: bool) -> tuple[float, ...]:
    kr, kb = KR_KB[matrix]
    r, g, b = (value / 255 for value in rgb)
    y = kr * r + (1 - kr - kb) * g + kb * b
    u, v = (b - y) / (2 - 2 * kb), (r - y) / (2 - 2 * kr)
    top = 2**bits - 1
    if full:
        return y * top, u * top + 2 ** (bits - 1), v * top + 2 ** (bits - 1)
    scale = 2 ** (bits - 8)
    return (16 + 219 * y) * scale, (128 + 224 * u) * scale, (128 + 224 * v) * scale


def flat_frame(rgb: tuple[int, ...], matrix: int, pixels: str, full: bool, size: tuple[int, int]) -> av.VideoFrame:
    bits = int(pixels.split("p")[1][:2]) if pixels.endswith("le") else 8
    frame = av.VideoFrame(size[1], size[0], pixels)
    for plane, value in zip(frame.planes, to_yuv(rgb, matrix, bits, full), strict=True):
        dtype = np.uint8 if bits == 8 else np.uint16
        plane.update(np.full(plane.buffer_size // np.dtype(dtype).itemsize, round(value), dtype).tobytes())
    return frame


@pytest.mark.parametrize("pixels", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p12le"])
@pytest.mark.parametrize(("matrix", "full"), [(1, False), (1, True), (5, False), (6, True), (7, False), (9, False)])
def test_colour_matrix_range_and_depth_by_tag(tmp_path, clip, pixels, matrix, full):
    size = (48, 64)
    path = clip(
        tmp_path / "a.mkv",
        frames=len(FLAT),
        size=size,
        codec="ffv1",
        pixels=pixels,
        yuv=lambda i: flat_frame(FLAT[i], matrix, pixels, full, size),
        colorspace=matrix,
        color_range=2 if full else 1,
    )
    for frame, rgb in zip(open_source(path).frames(), FLAT, strict=True):
        assert np.abs(frame.rgb.astype(int) - rgb).max() <= 2


@pytest.mark.parametrize(("height", "matrix"), [(480, 6), (718, 6), (720, 1), (1080, 1)])
def test_untagged_colour_follows_the_height(tmp_path, clip, height, matrix):
    path = clip(
        tmp_path / "a.mp4",
        frames=1,
        size=(height, 64),
        yuv=lambda _: flat_frame(FLAT[0], matrix, "yuv420p", False, (height, 64)),
    )
    frame = next(open_source(path).frames())
    assert np.abs(frame.rgb.astype(int) - FLAT[0]).max() <= 2


def test_jpeg_range_pixel_format(tmp_path, clip):
    path = clip(
        tmp_path / "a.avi",
        frames=1,
        codec="mjpeg",
        pixels="yuvj420p",
        options={"qmin": "1", "qmax": "1"},
        yuv=lambda _: flat_frame(FLAT[0], 6, "yuvj420p", True, (96, 128)),
    )
    assert np.abs(next(open_source(path).frames()).rgb.astype(int) - FLAT[0]).max() <= 2


def test_undoable_colour_matrix_is_refused(tmp_path, clip):
    path = clip(tmp_path / "a.mkv", codec="ffv1", frames=2, colorspace=14)
    with pytest.raises(UnreadableInputError, match="matrix 14"):
        open_source(path)


@pytest.mark.parametrize(
    ("codec", "pixels"), [("libx264", "yuv420p10le"), ("libx265", "yuv420p10le"), ("libx265", "yuv420p12le")]
)
def test_deep_pictures(tmp_path, clip, ramp, codec, pixels):
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    path = clip(tmp_path / "a.mp4", frames=3, codec=codec, pixels=pixels, options=options | {"crf": "4"})
    for frame in open_source(path).frames():
        error = frame.rgb.astype(int) - ramp(96, 128, frame.index)
        assert np.abs(error).mean() < 3


def test_chroma_stays_in_place(tmp_path, clip):
    """A red square on grey: its edges in each channel lie where they were, to a fraction of a pixel."""
    rgb = np.full((96, 128, 3), 90, np.uint8)
    rgb[32:64, 40:80] = (200, 60, 60)
    path = clip(tmp_path / "a.mkv", frames=[rgb], codec="ffv1", pixels="yuv444p")
    subsampled = clip(tmp_path / "b.mkv", frames=[rgb], codec="ffv1", pixels="yuv420p")
    for name in (path, subsampled):
        red = next(open_source(name).frames()).rgb.astype(float) - 90
        weight = np.abs(red[..., 0] - red[..., 1])
        y, x = np.mgrid[:96, :128]
        assert abs((weight * x).sum() / weight.sum() - 59.5) < 0.3
        assert abs((weight * y).sum() / weight.sum() - 47.5) < 0.3


@pytest.mark.parametrize("transfer", [16, 18])
def test_hdr_is_tone_mapped(tmp_path, clip, transfer):
    """Grey of 26 and 90 nits keeps its brightness (BT.1886, white 203 nits), 1000 nits is white."""
    codes = {16: (0.3800, 0.4975, 0.7518), 18: (0.3786, 0.6107, 1.0)}[transfer]

    def grey(index: int) -> av.VideoFrame:
        frame = av.VideoFrame(128, 96, "yuv420p10le")
        for plane, value in zip(frame.planes, (64 + 876 * codes[index], 512, 512), strict=True):
            plane.update(np.full(plane.buffer_size // 2, round(value), np.uint16).tobytes())
        return frame

    path = clip(
        tmp_path / "a.mp4",
        frames=3,
        codec="libx265",
        pixels="yuv420p10le",
        options={"x265-params": "log-level=none", "crf": "4"},
        yuv=grey,
        colorspace=9,
        color_primaries=9,
        color_trc=transfer,
        color_range=1,
    )
    source = open_source(path)
    assert source.info.hdr
    for frame, expected in zip(source.frames(), (108, 182, 255), strict=True):
        assert frame.rgb.dtype == np.uint8
        assert np.abs(frame.rgb.astype(int) - expected).max() <= 3


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_display_matrix_is_applied(tmp_path, clip, degrees, mirror):
    quadrants = {(-1, -1): (230, 30, 30), (1, -1): (30, 230, 30), (-1, 1): (30, 30, 230), (1, 1): (230, 230, 230)}
    stored = np.zeros((64, 128, 3), np.uint8)
    for (x, y), colour in quadrants.items():
        stored[(0 if y < 0 else 32) : (32 if y < 0 else 64), (0 if x < 0 else 64) : (64 if x < 0 else 128)] = colour
    path = clip(tmp_path / "a.mp4", frames=[stored] * 2, sample_aspect_ratio=Fraction(4, 3))
    cosine, sine = {0: (1, 0), 90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    a, b, c, d = cosine, sine, -sine, cosine
    if mirror:
        a, b = -a, -b
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 44
    data[at : at + 36] = struct.pack(">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    path.write_bytes(data)

    source = open_source(path)
    turned = degrees in (90, 270)
    assert (source.info.width, source.info.height) == ((64, 128) if turned else (128, 64))
    assert source.info.pixel_aspect == (Fraction(3, 4) if turned else Fraction(4, 3))
    if not mirror:
        assert source.info.rotation == degrees
    rgb = next(source.frames()).rgb
    assert rgb.shape == (source.info.height, source.info.width, 3)
    assert rgb.flags.c_contiguous
    for (x, y), colour in quadrants.items():
        shown_x, shown_y = a * x + c * y, b * x + d * y
        at_y, at_x = int(rgb.shape[0] * (2 + shown_y) / 4), int(rgb.shape[1] * (2 + shown_x) / 4)
        assert np.abs(rgb[at_y, at_x].astype(int) - colour).max() < 12


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv"])
def test_variable_frame_rate_is_kept(tmp_path, clip, name):
    pts = [0, 40, 50, 130, 131, 400, 1000, 1020]
    path = clip(tmp_path / name, frames=len(pts), pts=pts, time_base=Fraction(1, 1000))
    frames = list(open_source(path).frames())
    assert [frame.time for frame in frames] == pytest.approx([t / 1000 for t in pts])
    assert [frame.index for frame in frames] == list(range(len(pts)))


def test_missing_timestamps_are_made_up(tmp_path, clip):
    path = clip(tmp_path / "a.h264", frames=10, container_format="h264", options={"bf": "0", "preset": "ultrafast"})
    times = [frame.time for frame in open_source(path).frames()]
    assert len(times) == 10
    assert np.all(np.diff(times) > 0)


def test_repeated_timestamps_are_spread(tmp_path, clip):
    path = clip(tmp_path / "a.mkv", frames=6, size=(32, 32), codec="mjpeg", pixels="yuvj420p")
    data = bytearray(path.read_bytes())
    blocks = [at for at in range(len(data) - 8) if data[at + 4 : at + 7] == b"\xff\xd8\xff"]
    assert [int.from_bytes(data[at + 1 : at + 3], "big") for at in blocks] == [0, 40, 80, 120, 160, 200]
    for at, time in zip(blocks, (0, 40, 40, 80, 160, 120), strict=True):
        data[at + 1 : at + 3] = time.to_bytes(2, "big")
    path.write_bytes(data)
    times = [frame.time for frame in open_source(path).frames()]
    assert times == pytest.approx([0, 0.04, 0.06, 0.08, 0.16, 0.18])


@pytest.mark.parametrize(("failures", "read"), [(3, 10), (100, 4)])
def test_reading_goes_on_after_errors_but_not_for_ever(tmp_path, clip, failures, read):
    """A container whose reading fails after four packets, as a network drive or a damaged index makes it."""

    class Stumbling:
        def __init__(self, container):
            self._packets = container.demux(video=0)
            self._failures = failures
            self._count = 0

        def demux(self, *_):
            while True:
                if self._count == 4 and self._failures:
                    self._failures -= 1
                    raise av.error.FFmpegError(1094995529, "Invalid data found when processing input")
                packet = next(self._packets, None)
                if packet is None:
                    return
                self._count += 1
                yield packet

    path = clip(tmp_path / "a.mp4", frames=10)
    with av.open(str(path)) as container:
        found = [packet.size > 0 for packet in packets(Stumbling(container), container.streams.video[0])]
    assert found == [True] * read + [False]


def test_time_that_starts_again_goes_on(tmp_path, clip):
    """Two MPEG program streams, one after the other, as `cat` joins them."""
    first = clip(tmp_path / "a.mpg", frames=60, codec="mpeg1video")
    (tmp_path / "b.mpg").write_bytes(first.read_bytes() * 2)
    times = [frame.time for frame in open_source(tmp_path / "b.mpg").frames()]
    assert 118 <= len(times) <= 120
    assert np.all(np.diff(times) > 0)
    assert times[-1] == pytest.approx(len(times) / 25, abs=0.2)


@pytest.mark.parametrize("codec", ["libx264", "mpeg4", "libvpx-vp9"])
def test_damaged_packets_are_skipped(tmp_path, clip, codec):
    options = {"g": "10", "preset": "ultrafast"} if codec == "libx264" else {"g": "10"}
    path = clip(tmp_path / "a.mkv", frames=60, codec=codec, options=options)
    with av.open(str(path)) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    data = path.read_bytes()
    rng = np.random.default_rng(0)
    for index in (13, 14, 25, 37):
        at = data.index(packets[index])
        noise = rng.integers(0, 256, len(packets[index]) - 6, dtype=np.uint8).tobytes()
        data = data[: at + 6] + noise + data[at + len(packets[index]) :]
    path.write_bytes(data)
    source = open_source(path)
    passes = [[(frame.index, frame.time) for frame in source.frames()] for _ in range(4)]
    assert all(frames == passes[0] for frames in passes)
    assert 50 <= len(passes[0]) <= 60
    assert passes[0][-1][1] == pytest.approx(59 / 25, abs=0.005)


def test_size_change_within_a_file_is_scaled(tmp_path, clip):
    """Raw H.264 of two sizes, one after the other."""
    options = {"bf": "0", "preset": "ultrafast"}
    small = clip(tmp_path / "a.h264", frames=5, size=(64, 64), container_format="h264", options=options)
    large = clip(tmp_path / "b.h264", frames=5, size=(96, 96), container_format="h264", options=options)
    (tmp_path / "c.h264").write_bytes(small.read_bytes() + large.read_bytes())
    shapes = {frame.rgb.shape for frame in open_source(tmp_path / "c.h264").frames()}
    assert shapes == {(64, 64, 3)}


def test_odd_size_three_frames(tmp_path, clip, ramp):
    path = clip(tmp_path / "a.mkv", frames=3, size=(63, 95), codec="ffv1", pixels="yuv444p")
    frames = list(open_source(path).frames())
    assert [frame.rgb.shape for frame in frames] == [(63, 95, 3)] * 3
    assert np.abs(frames[2].rgb.astype(int) - ramp(63, 95, 2)).max() <= 3


def test_abandoned_reading_leaves_no_thread(tmp_path, clip):
    path = clip(tmp_path / "a.mp4", frames=30)
    before = threading.active_count()
    frames = open_source(path).frames()
    next(frames)
    frames.close()
    assert threading.active_count() == before
