"""Rasterizer for the CPU: a z-buffer in compiled loops on one core."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from talkedit_sdk.errors import OptionError
from talkedit_sdk.render.jit import compiled
from talkedit_sdk.render.types import Fragments

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int32]


class NumbaRasterizer:
    """`Rasterizer` of NumPy arrays. Has no state: one instance may serve several threads, which run in parallel."""

    def rasterize(self, vertices: FloatArray, triangles: IntArray, size: tuple[int, int]) -> Fragments[NDArray[Any]]:
        """See `Rasterizer.rasterize`. Raises OptionError if a triangle names a vertex that is not there."""
        vertices, triangles = _checked(vertices, triangles)
        corners = np.broadcast_to(np.eye(3, dtype=np.float32), (len(vertices), len(triangles), 3, 3))
        depth, face_index, barycentric = _draw_all(vertices, triangles, corners, size)
        return Fragments(face_index, depth, barycentric)

    def interpolate(
        self, fragments: Fragments[NDArray[Any]], triangles: IntArray, attributes: FloatArray
    ) -> FloatArray:
        """See `Rasterizer.interpolate`. Raises OptionError if a triangle names a vertex that is not there."""
        attributes, triangles = _checked(attributes, triangles)
        if len(attributes) != len(fragments.face_index):
            raise OptionError(f"Give attributes of {len(fragments.face_index)} meshes, not of {len(attributes)}.")
        values = np.zeros((*fragments.face_index.shape, attributes.shape[2]), np.float32)
        _interpolate(fragments.face_index, fragments.barycentric, triangles, attributes, values)
        return values

    def map(
        self, vertices: FloatArray, triangles: IntArray, attributes: FloatArray, size: tuple[int, int]
    ) -> tuple[FloatArray, NDArray[np.bool_]]:
        """See `Rasterizer.map`: the same values as in two steps, in one pass over the pixels.

        Raises OptionError if a triangle names a vertex that is not there or the attributes are of other vertices.
        """
        if attributes.shape[:2] != vertices.shape[:2]:
            raise OptionError(
                f"Give attributes for vertices of shape {vertices.shape[:2]}, not {attributes.shape[:2]}."
            )
        vertices, triangles = _checked(vertices, triangles)
        _, face_index, values = _draw_all(vertices, triangles, attributes[:, triangles], size)
        return values, face_index >= 0


def _checked(per_vertex: FloatArray, triangles: IntArray) -> tuple[FloatArray, IntArray]:
    """The arrays as the compiled loops expect them, which do not check their indices."""
    if triangles.size and not 0 <= triangles.min() <= triangles.max() < per_vertex.shape[1]:
        raise OptionError(f"Let triangles name only the {per_vertex.shape[1]} vertices that there are.")
    return np.require(per_vertex, np.float32, ["C", "W"]), np.require(triangles, np.int32, ["C", "W"])


def _draw_all(
    vertices: FloatArray, triangles: IntArray, corners: FloatArray, size: tuple[int, int]
) -> tuple[FloatArray, IntArray, FloatArray]:
    """Depth, face index and the interpolation of `corners` (B, F, 3, C), what each triangle has at its corners."""
    shape = (len(vertices), *size)
    depth = np.full(shape, np.inf, np.float32)
    face_index = np.full(shape, -1, np.int32)
    values = np.zeros((*shape, corners.shape[3]), np.float32)
    _draw(vertices, triangles, np.require(corners, np.float32, ["C", "W"]), depth, face_index, values)
    return depth, face_index, values


@compiled
def _set_edges(vertices: FloatArray, triangle: IntArray, edges: FloatArray) -> bool:
    """Writes the edge opposite each corner as (x, y, Δx, Δy), inside on its right; False for a triangle to skip.

    A pixel's weight for the corner is Δx · (y_pixel − y) − Δy · (x_pixel − x). It is measured from the left end of the
    edge whichever triangle that belongs to: neighbours get exactly opposite weights, and no pixel falls between them.
    """
    a, b, c = triangle
    area = (vertices[b, 0] - vertices[a, 0]) * (vertices[c, 1] - vertices[a, 1]) - (vertices[b, 1] - vertices[a, 1]) * (
        vertices[c, 0] - vertices[a, 0]
    )
    depth = vertices[a, 2] + vertices[b, 2] + vertices[c, 2]
    if area == 0 or not np.isfinite(area) or not np.isfinite(depth):
        return False
    for corner in range(3):
        start = triangle[(corner + 1) % 3]
        end = triangle[(corner + 2) % 3]
        keep = area > 0
        if vertices[end, 0] < vertices[start, 0]:
            start, end = end, start
            keep = not keep
        dx = vertices[end, 0] - vertices[start, 0]
        dy = vertices[end, 1] - vertices[start, 1]
        edges[corner, 0] = vertices[start, 0]
        edges[corner, 1] = vertices[start, 1]
        edges[corner, 2] = dx if keep else -dx
        edges[corner, 3] = dy if keep else -dy
    return True


@compiled
def _bounds(values: FloatArray, triangle: IntArray, axis: int, length: int) -> tuple[int, int]:
    """First and last pixel of an axis that a triangle may cover."""
    a, b, c = values[triangle[0], axis], values[triangle[1], axis], values[triangle[2], axis]
    first = min(max(min(a, b, c), np.float32(0)), np.float32(length))
    last = min(max(max(a, b, c), np.float32(-1)), np.float32(length - 1))
    return int(np.ceil(first)), int(np.floor(last))


@compiled
def _draw(
    vertices: FloatArray,
    triangles: IntArray,
    corners: FloatArray,
    depth: FloatArray,
    face_index: IntArray,
    values: FloatArray,
) -> None:
    batch, height, width = depth.shape
    channels = corners.shape[3]
    edges = np.empty((3, 4), np.float32)
    for mesh in range(batch):
        points = vertices[mesh]
        for face in range(len(triangles)):
            triangle = triangles[face]
            if not _set_edges(points, triangle, edges):
                continue
            left, right = _bounds(points, triangle, 0, width)
            top, bottom = _bounds(points, triangle, 1, height)
            z0, z1, z2 = points[triangle[0], 2], points[triangle[1], 2], points[triangle[2], 2]
            corner = corners[mesh, face]
            for row in range(top, bottom + 1):
                y = np.float32(row)
                e0 = edges[0, 2] * (y - edges[0, 1])
                e1 = edges[1, 2] * (y - edges[1, 1])
                e2 = edges[2, 2] * (y - edges[2, 1])
                entered = False
                for column in range(left, right + 1):
                    x = np.float32(column)
                    w0 = e0 - edges[0, 3] * (x - edges[0, 0])
                    w1 = e1 - edges[1, 3] * (x - edges[1, 0])
                    w2 = e2 - edges[2, 3] * (x - edges[2, 0])
                    if w0 >= 0 and w1 >= 0 and w2 >= 0:
                        entered = True
                        # Dividing by the sum instead of the area keeps slivers within their corners' values.
                        scale = np.float32(1) / (w0 + w1 + w2)
                        w0 *= scale
                        w1 *= scale
                        w2 *= scale
                        z = w0 * z0 + w1 * z1 + w2 * z2
                        if z < depth[mesh, row, column]:
                            depth[mesh, row, column] = z
                            face_index[mesh, row, column] = face
                            for k in range(channels):
                                values[mesh, row, column, k] = w0 * corner[0, k] + w1 * corner[1, k] + w2 * corner[2, k]
                    elif entered:  # weights are monotone along a row, rounding included
                        break


@compiled
def _interpolate(
    face_index: IntArray, barycentric: FloatArray, triangles: IntArray, attributes: FloatArray, values: FloatArray
) -> None:
    batch, height, width, channels = values.shape
    for mesh in range(batch):
        for row in range(height):
            for column in range(width):
                face = face_index[mesh, row, column]
                if face >= 0:
                    a, b, c = triangles[face]
                    w0, w1, w2 = barycentric[mesh, row, column]
                    for k in range(channels):
                        values[mesh, row, column, k] = (
                            w0 * attributes[mesh, a, k] + w1 * attributes[mesh, b, k] + w2 * attributes[mesh, c, k]
                        )
