"""Unrolling faces: from pixels to a texture in which each texel is the same spot of the skin in every frame."""

from __future__ import annotations

import math
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
        uv, triangles, vertices = self._layout(model)
        points = np.concatenate([uv * side - 0.5, np.zeros_like(uv[:, :1])], 1)
        fragments = NumbaRasterizer().rasterize(points[None].astype(np.float32), triangles, (side, side))
        face = fragments.face_index[0]
        self.side = side
        self.inside: NDArray[np.bool_] = face >= 0
        self.corners: NDArray[np.int64] = vertices[triangles[face[self.inside]]]
        self.weights: NDArray[np.float32] = fragments.barycentric[0][self.inside]

    def _layout(self, model: FaceModel) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.int64]]:
        """Places (P, 2) of points in the texture, in [0, 1], triangles (F, 3) between them, and which vertex of the
        face each of them is (P,)."""
        return model.uv.cpu().numpy(), model.triangles.cpu().numpy(), np.arange(VERTICES)

    def _shrink(self, extent: float) -> float:
        """How many pixels of a face that extends over so many of them are averaged to one before it is sampled, 1 or
        more."""
        return max(1, int(extent / self.side))

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
        shrink = self._shrink(float((high - low).max()))
        first, size = _extent(low, high, np.array(rgb.shape[1::-1]), math.ceil(shrink))
        part = rgb[first[1] : first[1] + size[1], first[0] : first[0] + size[0]]
        if shrink > 1:
            width, height = (max(1, int(length / shrink)) for length in size)
            part = np.asarray(cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
        points = (points - first + 0.5) / (size / part.shape[1::-1]).astype(np.float32) - 0.5
        where = np.zeros((self.side, self.side, 2), np.float32)
        where[self.inside] = self.spread(points)
        texture = cv2.remap(part, where[..., 0], where[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        texture[~self.inside] = 0
        return np.asarray(texture, np.uint8)


def _extent(
    low: NDArray[np.float32], high: NDArray[np.float32], limits: NDArray[np.int64], block: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First pixel (2,) and number of pixels (2,) that are needed of a picture, x and y, in whole blocks."""
    first = np.minimum(low.astype(np.int64) - block, limits - block).clip(0)
    size = (np.minimum(limits, high.astype(np.int64) + 2 * block) - first) // block * block
    return first, np.minimum(size.clip(block), limits)
