"""What passes between the render stages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

Array = TypeVar("Array")
"""NDArray on the CPU path, torch.Tensor on the torch path."""


@dataclass(frozen=True)
class Fragments(Generic[Array]):
    """What each pixel shows of a batch of meshes.

    Members:
        face_index: (B, H, W) int32, index of the triangle, -1 where there is none.
        depth: (B, H, W) float32, interpolated z, +inf where there is no triangle. Smaller is nearer.
        barycentric: (B, H, W, 3) float32, weights of the triangle's corners, 0 where there is none.
    """

    face_index: Array
    depth: Array
    barycentric: Array


class Rasterizer(Protocol[Array]):
    """Draws triangle meshes into pixel grids under an orthographic camera.

    Pixel (row, column) samples the point x = column, y = row (OpenCV's convention: integer coordinates are pixel
    centres). A triangle covers a pixel when all barycentric weights are >= 0; the nearest triangle wins, on equal depth
    the one with the lowest index. Both windings are drawn; triangles that are degenerate or not finite are skipped.
    """

    def rasterize(self, vertices: Array, triangles: Array, size: tuple[int, int]) -> Fragments[Array]:
        """vertices: (B, V, 3) float32 pixels (x right, y down, z away from the camera); triangles: (F, 3) int32;
        size: (height, width)."""
        ...

    def interpolate(self, fragments: Fragments[Array], triangles: Array, attributes: Array) -> Array:
        """attributes: (B, V, C) float32 per vertex -> (B, H, W, C) float32, 0 where there is no triangle."""
        ...

    def map(self, vertices: Array, triangles: Array, attributes: Array, size: tuple[int, int]) -> tuple[Array, Array]:
        """`rasterize` and `interpolate` in one step -> (B, H, W, C) float32, the attributes that each pixel shows, and
        (B, H, W) bool, True where there is a triangle."""
        ...
