"""From decoded pictures to RGB and back, with the colour matrix and range that the file states."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import cv2
import numpy as np
from av.filter import Graph
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from talkedit_sdk.errors import UnreadableInputError

BT709 = 1
_UNSPECIFIED = 2
_BT601 = 6
_MATRICES = {1: "bt709", 4: "fcc", 5: "bt470", 6: "smpte170m", 7: "smpte240m", 9: "bt2020"}
"""ISO/IEC 23091-2 matrix coefficients -> their name in swscale. Constant luminance and IPT are not YCbCr matrices."""

_PQ, _HLG = 16, 18
_LIMITED_RANGE, _FULL_RANGE = 1, 2

# Measured on decoded 720p: luma survives RGB and back at 58 dB and more, chroma at 56 dB; swscale's default flags lose
# one level of brightness per generation (47 dB).
_TO_RGB = "flags=bicubic+accurate_rnd+full_chroma_int"
_TO_YUV = "flags=area+accurate_rnd+full_chroma_inp"


@dataclass(frozen=True)
class Colour:
    """Colour tags as numbers of ISO/IEC 23091-2 (which ffmpeg shares). `matrix` is never unspecified."""

    matrix: int = BT709
    primaries: int = BT709
    transfer: int = BT709

    @property
    def hdr(self) -> bool:
        """Whether brightness is coded for high dynamic range: PQ or HLG."""
        return self.transfer in (_PQ, _HLG)

    @property
    def hlg(self) -> bool:
        return self.transfer == _HLG


def colour_of(frame: VideoFrame, transfer: int, primaries: int) -> Colour:
    """The frame's colour. Untagged pictures follow ffmpeg's convention: from 720 rows BT.709, below BT.601.

    transfer, primaries: as the decoder reports them.

    Raises:
        UnreadableInputError: a colour matrix that cannot be undone.
    """
    if frame.format.is_rgb:
        return Colour()
    matrix = int(frame.colorspace)
    if matrix in (0, _UNSPECIFIED, 3):  # 0 is RGB, a wrong tag on this picture; 3 is reserved
        matrix = BT709 if frame.height >= 720 else _BT601
    if matrix not in _MATRICES:
        raise UnreadableInputError(
            f"The video's colour coding (matrix {matrix}) is not supported: convert it with "
            "'ffmpeg -i IN -vf scale=out_color_matrix=bt709 -colorspace bt709 OUT.mp4'."
        )
    if matrix == BT709:
        primaries, transfer = (BT709 if tag in (0, _UNSPECIFIED) else tag for tag in (primaries, transfer))
    return Colour(matrix, primaries, transfer)


class RgbReader:
    """Turns decoded frames of any pixel format into RGB of one size."""

    def __init__(self, colour: Colour, width: int, height: int) -> None:
        self._colour = colour
        self._width, self._height = width, height
        self._pixels = "gbrp16le" if colour.hdr else "gbrp"
        self._graph: Graph | None = None
        self._layout: tuple[str, int, int, bool] | None = None

    def read(self, frame: VideoFrame) -> NDArray[Any]:
        """(H, W, 3) uint8; for HDR uint16, PQ or HLG coded as in the file."""
        full = _is_full_range(frame)
        layout = (frame.format.name, frame.width, frame.height, full)
        if self._graph is None or layout != self._layout:
            scale = f"{self._width}:{self._height}:{_TO_RGB}:in_range={'pc' if full else 'tv'}:out_range=pc"
            if not frame.format.is_rgb:
                scale += f":in_color_matrix={_MATRICES[self._colour.matrix]}"
            self._graph = _scale_graph(*layout[:3], scale, self._pixels)
            self._layout = layout
        self._graph.push(frame)
        planes: Any = _pull(self._graph).planes  # swscale is 3 times faster with planes, and equal to the last bit
        dtype: Any = np.uint16 if self._colour.hdr else np.uint8
        green, blue, red = (np.frombuffer(plane, dtype).reshape(plane.height, -1)[:, : plane.width] for plane in planes)
        rgb: NDArray[Any] = cv2.merge((red, green, blue))
        return rgb


class YuvWriter:
    """Turns RGB into limited-range yuv420p with a given matrix. Sides must be even."""

    def __init__(self, matrix: int, width: int, height: int) -> None:
        scale = f"{_TO_YUV}:in_range=pc:out_range=tv:out_color_matrix={_MATRICES[matrix]}"
        self._graph = _scale_graph("rgb24", width, height, scale, "yuv420p")

    def write(self, rgb: NDArray[np.uint8]) -> VideoFrame:
        """rgb: (H, W, 3) uint8."""
        self._graph.push(VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24"))
        return _pull(self._graph)


def _is_full_range(frame: VideoFrame) -> bool:
    pixels, tag = frame.format, int(frame.color_range)
    if pixels.is_rgb or pixels.has_palette or pixels.name.startswith("yuvj"):
        return True
    return tag == _FULL_RANGE or (pixels.name.startswith("gray") and tag != _LIMITED_RANGE)


def _pull(graph: Graph) -> VideoFrame:
    frame = graph.pull()
    assert isinstance(frame, VideoFrame)
    return frame


def _scale_graph(pixels: str, width: int, height: int, scale: str, out_pixels: str) -> Graph:
    graph = av.filter.Graph()
    arguments = f"video_size={width}x{height}:pix_fmt={pixels}:time_base={Fraction(1, 25)}:pixel_aspect=1/1"
    graph.link_nodes(
        graph.add("buffer", arguments),
        graph.add("scale", scale),
        graph.add("format", f"pix_fmts={out_pixels}"),
        graph.add("buffersink"),
    ).configure()
    return graph
