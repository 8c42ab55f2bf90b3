"""Unrolling faces: from pixels to a texture in which each texel is the same spot of the skin in every frame."""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.face.topology import VERTICES
from talkedit_sdk.render.raster_numba import NumbaRasterizer

TEXELS: Final = 48
"""Side of the textures that are gathered of every frame; a texel is about 4 mm of the face."""


class TexelMap:
    """Where each texel of a square texture lies on the face mesh. Corners and openings (eyes, mouth) are no skin.

    Args:
        model: gives triangles and their layout in the texture, `FaceModel.uv`.
        side: N texels.

    Members:
        inside: (N, N) bool, True for the S texels of the skin; S counts them row by row.
        corners, weights: (S, 3) vertices around each of them and barycentric weights.
    """

    def __init__(self, model: FaceModel, side: int = TEXELS) -> None:
        uv, triangles = model.uv.cpu().numpy(), model.triangles.cpu().numpy()
        points = np.concatenate([uv * side - 0.5, np.zeros_like(uv[:, :1])], 1)
        fragments = NumbaRasterizer().rasterize(points[None].astype(np.float32), triangles, (side, side))
        face = fragments.face_index[0]
        self.side = side
        self.inside: NDArray[np.bool_] = face >= 0
        self.corners: NDArray[np.int64] = triangles[face[self.inside]].astype(np.int64)
        self.weights: NDArray[np.float32] = fragments.barycentric[0][self.inside]

    def spread(self, values: NDArray[Any]) -> NDArray[Any]:
        """(..., V, C) values of the vertices -> (..., S, C) of the texels."""
        spread: NDArray[Any] = np.einsum("sk,...skc->...sc", self.weights, values[..., self.corners, :])
        return spread

    def facing(self, landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
        """(T, 478, 3) landmarks -> (T, S) cosine of the angle at which each texel is seen, below 0 from behind."""
        a, b, c = (landmarks[:, self.corners[:, k]] for k in range(3))
        normal = np.cross(b - a, c - a)
        cosine: NDArray[np.float32] = normal[..., 2] / np.linalg.norm(normal, axis=-1).clip(1e-6)
        return cosine

    def unwrap(self, rgb: NDArray[np.uint8], landmarks: NDArray[Any]) -> NDArray[np.uint8]:
        """The texture of one frame, averaged where a texel is larger than a pixel.

        Args:
            rgb: (H, W, 3) uint8.
            landmarks: (478, 3) pixels.

        Returns:
            (N, N, 3) uint8, black where there is no skin. Texels beyond the frame repeat its edge.
        """
        points = landmarks[:VERTICES, :2].astype(np.float32)
        low, high = points.min(0), points.max(0)
        shrink = max(1, int((high - low).max() / self.side))
        (left, width), (top, height) = (
            _extent(int(low[axis]), int(high[axis]), rgb.shape[1 - axis], shrink) for axis in (0, 1)
        )
        part = rgb[top : top + height * shrink, left : left + width * shrink]
        if shrink > 1:
            part = np.asarray(cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
        points = (points - np.array([left, top], np.float32) - (shrink - 1) / 2) / shrink
        where = np.zeros((self.side, self.side, 2), np.float32)
        where[self.inside] = self.spread(points)
        texture = cv2.remap(part, where[..., 0], where[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        texture[~self.inside] = 0
        return np.asarray(texture, np.uint8)


def _extent(low: int, high: int, limit: int, shrink: int) -> tuple[int, int]:
    """First pixel and length, in blocks of `shrink` pixels, of what is needed of a side of `limit` pixels."""
    first = max(0, min(low - shrink, limit - shrink))
    return first, max(1, (min(limit, high + 2 * shrink) - first) // shrink)
