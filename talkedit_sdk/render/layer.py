"""Meshes that are drawn, and how an opening in the skin is built of them.

Each vertex has a place in the source and a place in the result, so that rasterizing tells for every pixel of the result
where in the source frame its colour comes from.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from talkedit_sdk.render.canvas import Canvas, Window


@dataclass(frozen=True)
class Layer:
    """A mesh in a batch of frames.

    Members:
        vertices: (T, V, 3) pixels in the result, z away from the camera.
        attributes: (T, V, 2 or more): x and y from the result to the source in pixels, then what the layer's owner
            says.
        triangles: (F, 3) int32.
    """

    vertices: Tensor
    attributes: Tensor
    triangles: Tensor

    def __getitem__(self, rows: slice | Tensor) -> Layer:
        return Layer(self.vertices[rows], self.attributes[rows], self.triangles)

    def drawn(self, canvas: Canvas, window: Window) -> tuple[Tensor, Tensor]:
        """Attributes (B, h, w, C) and coverage (B, h, w) in a window of the frames."""
        return canvas.map(self.vertices, self.triangles, self.attributes, window)


class Opening(Protocol):
    """A hole in the skin, an eye or the mouth, filled in two layers: what lies inside (eyeball, teeth, cavity), which
    keeps still while lids and lips slide over it, and the rim, a narrow band of lashes or lip that goes on inwards with
    the skin and fades out."""

    @property
    def rim(self) -> Layer:
        """Its third attribute is the opacity."""
        ...

    @property
    def reach(self) -> Tensor:
        """(T, N, 2) pixels; what is drawn lies in their bounding box."""
        ...

    def inside(self, canvas: Canvas, window: Window, rim: Tensor, opacity: Tensor) -> tuple[Tensor, Tensor]:
        """What lies inside, (B, h, w, 3) float32 levels, and the opacity (B, h, w, 1) of the rim (B, h, w, 3) over
        it."""
        ...

    def __getitem__(self, rows: slice | Tensor) -> Opening: ...


def between(source: Tensor, result: Tensor, extra: Tensor, triangles: Tensor) -> Layer:
    """The layer that takes what is at `source` (T, V, 3) to `result`, with `extra` attributes (T, V, C)."""
    shift = (source - result)[..., :2]
    return Layer(result, torch.cat([shift, extra], -1), triangles)


def rim(margin: Tensor, inner: Tensor, motion: Tensor, triangles: Tensor) -> Layer:
    """The band from a margin to an inner line, all of which moves with the margin and fades out towards the inside."""
    strip = torch.cat([margin, inner], 1)
    opacity = torch.cat([torch.ones_like(margin[..., :1]), torch.zeros_like(inner[..., :1])], 1)
    return between(strip, strip + motion.repeat(1, 2, 1), opacity, triangles)


def opposite(margin: Tensor) -> Tensor:
    """Points of a closed contour across the opening: upper against lower, the two corners against themselves."""
    count = margin.shape[1]
    return margin[:, [-i % count for i in range(count)]]


def grid(rows: int, columns: int, closed: bool, device: torch.device) -> Tensor:
    """(F, 3) int32 triangles between rows of vertices that lie one after the other."""
    lines = [list(range(row * columns, (row + 1) * columns)) for row in range(rows)]
    faces = [t for above, below in itertools.pairwise(lines) for t in band(above, below, closed)]
    return torch.tensor(faces, dtype=torch.int32, device=device)


def band(inner: list[int], outer: list[int], closed: bool = True) -> list[tuple[int, int, int]]:
    """Triangles between two rows of as many vertices."""
    count = len(inner)
    pairs = [(i, (i + 1) % count) for i in range(count if closed else count - 1)]
    return [t for i, j in pairs for t in ((inner[i], inner[j], outer[i]), (inner[j], outer[j], outer[i]))]
