"""Where the faces of a picture are: mediapipe's two BlazeFace detectors, on the whole picture or on parts of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from talkedit_sdk.face.graph import Graph
from talkedit_sdk.face.region import Patch, Region

_CONFIG = """
input_stream: "image"
output_stream: "detections"
node {
  calculator: "FaceDetection%sRangeCpu"
  input_stream: "IMAGE:image"
  output_stream: "DETECTIONS:detections"
  options { [mediapipe.FaceDetectionOptions.ext] { min_score_thresh: %g } }
}
"""
_NEAR_INPUT, _FAR_INPUT = 128, 192
_LOWEST_SCORE = 0.4
_MARGIN = 1.5  # region over detected box, as in mediapipe's own face landmark graph
_SMALLEST_TILE = 160


@dataclass(frozen=True)
class Detection:
    """A possible face. `score` is the detector's, in [0, 1]."""

    region: Region
    score: float


class Detector:
    """Finds faces without knowing where to look.

    Raises:
        WeightsError: mediapipe or its models are missing or damaged.
    """

    def __init__(self) -> None:
        outputs = {"detections": "get_proto_list"}
        self._near = Graph(_CONFIG % ("Short", _LOWEST_SCORE), outputs, warm_up=_NEAR_INPUT)
        self._far = Graph(_CONFIG % ("Full", _LOWEST_SCORE), outputs, warm_up=_FAR_INPUT)

    def whole(self, rgb: NDArray[np.uint8]) -> list[Detection]:
        """Faces of at least about a fifteenth of the longer side of the (H, W, 3) picture, best first."""
        height, width = rgb.shape[:2]
        picture = Region((width - 1) / 2, (height - 1) / 2, max(height, width))
        return _distinct([*self._seen(self._near, _NEAR_INPUT, rgb, picture), *self._small(rgb, picture)])

    def tiles(self, rgb: NDArray[np.uint8]) -> list[Detection]:
        """Faces of at least about a thirtieth of the shorter side: slow, looks at overlapping magnified parts."""
        height, width = rgb.shape[:2]
        side = max(min(height, width) // 2, _SMALLEST_TILE)
        return _distinct(d for tile in _tiling(width, height, side) for d in self._small(rgb, tile))

    def around(self, rgb: NDArray[np.uint8], region: Region) -> list[Detection]:
        """Faces in and near a region that is expected to hold one, best first."""
        window = Region(region.x, region.y, region.side * 1.6)
        return _distinct(self._seen(self._near, _NEAR_INPUT, rgb, window))

    def _small(self, rgb: NDArray[np.uint8], window: Region) -> Iterator[Detection]:
        return self._seen(self._far, _FAR_INPUT, rgb, window)

    def _seen(self, graph: Graph, size: int, rgb: NDArray[np.uint8], window: Region) -> Iterator[Detection]:
        for found in graph(Patch(rgb, window, size).crop(window, size)).get("detections", []):
            detection = _detection(found, window)
            if detection.region.side >= 1:
                yield detection


def _detection(found: Any, window: Region) -> Detection:
    box, points = found.location_data.relative_bounding_box, found.location_data.relative_keypoints
    right, left = points[0], points[1]
    corner_x, corner_y = window.x - window.side / 2, window.y - window.side / 2
    region = Region(
        corner_x + (box.xmin + box.width / 2) * window.side,
        corner_y + (box.ymin + box.height / 2) * window.side,
        max(box.width, box.height) * window.side * _MARGIN,
        math.atan2(left.y - right.y, left.x - right.x),
    )
    return Detection(region, float(found.score[0]))


def _tiling(width: int, height: int, side: int) -> Iterator[Region]:
    """Square tiles that overlap by at least two fifths, so that every small face lies whole in one of them."""
    columns, rows = (max(1, math.ceil((n - side) / (0.6 * side)) + 1) for n in (width, height))
    for y in np.linspace(side / 2, max(side / 2, height - side / 2), rows):
        for x in np.linspace(side / 2, max(side / 2, width - side / 2), columns):
            yield Region(float(x), float(y), side)


def _distinct(detections: Iterable[Detection]) -> list[Detection]:
    """Keeps the best of those that frame the same face."""
    kept: list[Detection] = []
    for candidate in sorted(detections, key=lambda d: -d.score):
        if not any(candidate.region.overlaps(other.region) for other in kept):
            kept.append(candidate)
    return kept
