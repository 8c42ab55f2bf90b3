"""Rasterizer in pure torch, for any device."""

from __future__ import annotations

import torch
from torch import Tensor

from talkedit_sdk.render.types import Fragments

CHUNK = 1 << 21
"""Pairs of a triangle and a pixel of its bounding box that are looked at together, about 200 bytes each."""


class TorchRasterizer:
    """`Rasterizer` of tensors: all of one call lie on the same device, and so do the results.

    Every triangle is tested against each pixel of its bounding box, in chunks of constant memory. The float operations
    are those of `NumbaRasterizer` in the same order, so both choose the same triangle, ties included.
    """

    def rasterize(self, vertices: Tensor, triangles: Tensor, size: tuple[int, int]) -> Fragments[Tensor]:
        """See `Rasterizer.rasterize`."""
        return _fragments(self.nearest_faces(vertices, triangles, size), vertices, triangles)

    def interpolate(self, fragments: Fragments[Tensor], triangles: Tensor, attributes: Tensor) -> Tensor:
        """See `Rasterizer.interpolate`."""
        covered = torch.nonzero(fragments.face_index >= 0, as_tuple=True)
        corners = attributes[covered[0][:, None], triangles[fragments.face_index[covered].long()].long()]  # (N, 3, C)
        values = attributes.new_zeros((*fragments.face_index.shape, attributes.shape[2]))
        values[covered] = (fragments.barycentric[covered][..., None] * corners).sum(1)
        return values

    def map(
        self, vertices: Tensor, triangles: Tensor, attributes: Tensor, size: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        """See `Rasterizer.map`."""
        fragments = self.rasterize(vertices, triangles, size)
        return self.interpolate(fragments, triangles, attributes), fragments.face_index >= 0

    def nearest_faces(self, vertices: Tensor, triangles: Tensor, size: tuple[int, int]) -> Tensor:
        """The `face_index` of `Fragments`."""
        batch, (height, width) = len(vertices), size
        corners = vertices[:, triangles.long()]  # (B, F, 3, 3)
        edges, drawn = _edges(corners)
        first = corners[..., :2].amin(2).clamp(min=0)
        last = corners[..., :2].amax(2).clamp(min=-1)
        limit = first.new_tensor([width, height])
        first, last = torch.minimum(first, limit).ceil().long(), torch.minimum(last, limit - 1).floor().long()
        extent = (last - first + 1).clamp(min=0) * drawn[..., None]
        first, extent = first.flatten(0, 1), extent.flatten(0, 1)
        edges, depths = edges.flatten(0, 1), corners[..., 2].flatten(0, 1)
        starts = extent.prod(1).cumsum(0) - extent.prod(1)
        total = int(extent.prod(1).sum())

        # One number per pixel, ordered by depth and then by index, so that a single minimum decides.
        nearest = torch.full((batch * height * width,), torch.iinfo(torch.int64).max, device=vertices.device)
        for start in range(0, total, CHUNK):
            pair = torch.arange(start, min(start + CHUNK, total), device=vertices.device)
            owner = torch.searchsorted(starts, pair, right=True) - 1
            within, columns = pair - starts[owner], extent[owner, 0]
            x, y = first[owner, 0] + within % columns, first[owner, 1] + within // columns
            weights, inside = _weights(edges[owner], x, y)
            depth = _dot(weights, depths[owner])
            inside &= depth < torch.inf
            mesh, face = owner // len(triangles), owner % len(triangles)
            key = _sortable(depth) << 32 | face
            pixel = (mesh * height + y) * width + x
            nearest.scatter_reduce_(0, pixel[inside], key[inside], "amin")
        face_index = torch.where(nearest == torch.iinfo(torch.int64).max, -1, nearest & 0xFFFFFFFF)
        return face_index.view(batch, height, width).int()


def _edges(corners: Tensor) -> tuple[Tensor, Tensor]:
    """(B, F, 3, 3) corners -> (B, F, 3, 4) edge opposite each corner as (x, y, Δx, Δy), and (B, F) bool: to be drawn.

    As in `raster_numba`, an edge is measured from its left end, so that neighbours get exactly opposite weights.
    """
    a, b, c = corners.unbind(2)
    area = (b[..., 0] - a[..., 0]) * (c[..., 1] - a[..., 1]) - (b[..., 1] - a[..., 1]) * (c[..., 0] - a[..., 0])
    drawn = (area != 0) & area.isfinite() & (a[..., 2] + b[..., 2] + c[..., 2]).isfinite()
    start, end = corners[..., :2].roll(-1, 2), corners[..., :2].roll(-2, 2)
    backward = end[..., :1] < start[..., :1]
    anchor = torch.where(backward, end, start)
    along = torch.where(backward, start, end) - anchor
    along = torch.where(backward == (area > 0)[..., None, None], -along, along)
    return torch.cat((anchor, along), -1), drawn


def _weights(edges: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Barycentric weights (N, 3), none negative, of pixels (N,) in triangles (N, 3, 4), and (N,) bool: inside."""
    weights = edges[..., 2] * (y[:, None] - edges[..., 1]) - edges[..., 3] * (x[:, None] - edges[..., 0])
    inside = (weights >= 0).all(1)
    weights = weights.clamp(min=0)
    return weights * (1 / (weights[:, 0] + weights[:, 1] + weights[:, 2]))[:, None], inside


def _dot(weights: Tensor, values: Tensor) -> Tensor:
    """Sum over the last axis, of three, in the order of `raster_numba`."""
    terms = weights * values
    return terms[..., 0] + terms[..., 1] + terms[..., 2]


def _sortable(depth: Tensor) -> Tensor:
    """Integers in the order of the floats."""
    bits = (depth + 0.0).view(torch.int32)  # the sum turns -0 into 0
    return torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits).long()


def _fragments(face_index: Tensor, vertices: Tensor, triangles: Tensor) -> Fragments[Tensor]:
    """Depth and barycentric weights of the visible triangles at each pixel."""
    covered = torch.nonzero(face_index >= 0, as_tuple=True)
    mesh, y, x = covered
    corners = vertices[mesh[:, None], triangles[face_index[covered].long()].long()]
    weights, _ = _weights(_edges(corners[None])[0][0], x, y)
    barycentric = vertices.new_zeros((*face_index.shape, 3))
    barycentric[covered] = weights
    depth = vertices.new_full(face_index.shape, torch.inf)
    depth[covered] = _dot(weights, corners[..., 2])
    return Fragments(face_index, depth, barycentric)
