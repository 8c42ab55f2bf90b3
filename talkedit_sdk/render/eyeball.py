"""What a lid lays bare: the eyeball, continued from what the source shows of it.

An eyeball looks nearly the same all around the centre of its iris. A point that the source hides behind a lid is
therefore shown as the visible point at the same distance from that centre, found by sliding along the circle: the iris
stays round, the white stays white, catch lights are not doubled.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import torch
from torch import Tensor

from talkedit_sdk.render.canvas import Window

_AROUND: Final = (1.4, 2.2)  # iris radii along the eye: circles up to the first, straight up and down from the second
_FOLD: Final = 0.5
_INNER: Final = 0.75  # share of the visible eye that is surely eyeball and not lid


@dataclass(frozen=True)
class Eyeball:
    """An eye in a batch of frames.

    Members:
        upper, lower: (T, N, 2) pixels, edges of what the source shows, from the outer to the inner corner.
        centre: (T, 2) pixels, of the iris.
        radius: (T,) pixels.
        reach: (T, 2, 2) pixels, top left and bottom right of what the result may show.
        bared: (T,) pixels by which lids lift at most.
    """

    upper: Tensor
    lower: Tensor
    centre: Tensor
    radius: Tensor
    reach: Tensor
    bared: Tensor

    def __getitem__(self, rows: slice | Tensor) -> Eyeball:
        return Eyeball(*(getattr(self, field.name)[rows] for field in fields(self)))

    def shifts(self, window: Window) -> tuple[Tensor, Tensor]:
        """Two shifts (B, h, w, 2) from each pixel of a window to its colour in the source, 0 where it is visible there:
        one found by sliding to the left, one to the right. The darker of both colours is free of catch lights."""
        top, bottom, left, right = window
        device = self.centre.device
        rows = torch.arange(top, bottom, dtype=torch.float32, device=device)
        columns = torch.arange(left, right, dtype=torch.float32, device=device)
        pixels = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1).reshape(1, -1, 2)
        axes = self._axes()
        place, upper, lower = (
            torch.einsum("tij,tnj->tni", axes, points - self.centre[:, None])
            for points in (pixels.expand(len(axes), -1, -1), self.upper, self.lower)
        )
        place, upper, lower, radius, twice = (
            torch.cat([tensor, tensor]) for tensor in (place, upper, lower, self.radius, axes)
        )
        sides = torch.tensor([-1.0, 1.0], device=device).repeat_interleave(len(axes))[:, None]
        moved = _slide(place, upper, lower, radius, sides) - place
        shifts = torch.einsum("tij,tni->tnj", twice, moved).reshape(2, -1, bottom - top, right - left, 2)
        return shifts[0], shifts[1]

    def _axes(self) -> Tensor:
        """(T, 2, 2) unit vectors along the eye and down."""
        along = self.upper[:, -1] - self.upper[:, 0]
        along = along / along.norm(dim=-1, keepdim=True).clamp_min(1e-3)
        down = torch.stack([-along[:, 1], along[:, 0]], -1)
        return torch.stack([along, torch.where(down[:, 1:] < 0, -down, down)], 1)


def _slide(place: Tensor, upper: Tensor, lower: Tensor, radius: Tensor, side: Tensor) -> Tensor:
    """(T, M, 2) points in the eye's axes, origin at the iris -> visible points on the same circle at a side (T, 1)."""
    x, y = place.unbind(-1)
    distance = x.square() + y.square()
    far = ((x.abs() / radius[:, None] - _AROUND[0]) / (_AROUND[1] - _AROUND[0])).clamp(0, 1)
    # Beside the iris a point stays on its own side; only under and over it there is a choice.
    way = torch.where(x.abs() < radius[:, None], side.expand_as(x), torch.sign(x))
    low, high = (_INNER * edge for edge in (upper[:, :1, 0], upper[:, -1:, 0]))
    top, bottom = _height(x, upper), _height(x, lower)
    hidden = (y < top) | (y > bottom)
    aside, level = _on_circle(x, y, distance, way, top, bottom, far, low, high)
    aside, level = _on_circle(x, y, distance, way, _height(aside, upper), _height(aside, lower), far, low, high)
    return torch.where(hidden[..., None], torch.stack([aside, level], -1), place)


def _on_circle(
    x: Tensor,
    y: Tensor,
    distance: Tensor,
    way: Tensor,
    top: Tensor,
    bottom: Tensor,
    far: Tensor,
    low: Tensor,
    high: Tensor,
) -> tuple[Tensor, Tensor]:
    """A height well between the lids' edges, and the place at that height that is as far from the iris as (x, y)."""
    middle = (top + bottom) / 2
    below, above = middle + _INNER * (bottom - middle), middle + _INNER * (top - middle)
    # Folded back rather than cut off, so that no row of pixels is drawn out into streaks.
    level = _clamp(y, above, below)
    level = _clamp(level - _FOLD * (y - level), torch.minimum(above, middle), torch.maximum(below, middle))
    slid = way * (distance - level.square()).clamp_min(0).sqrt()
    return torch.maximum(torch.minimum(slid + far * (x - slid), high), low), level


def _clamp(value: Tensor, low: Tensor, high: Tensor) -> Tensor:
    return torch.minimum(torch.maximum(value, torch.minimum(low, high)), high)


def _height(x: Tensor, edge: Tensor) -> Tensor:
    """(T, M) height of an edge (T, N, 2) at x (T, M), straight between its points."""
    knots = edge[..., 0].cummax(1).values.contiguous()
    after = torch.searchsorted(knots, x.contiguous()).clamp(1, knots.shape[1] - 1)
    x0, x1 = knots.gather(1, after - 1), knots.gather(1, after)
    y0, y1 = edge[..., 1].gather(1, after - 1), edge[..., 1].gather(1, after)
    share = ((x - x0) / (x1 - x0).clamp_min(1e-3)).clamp(0, 1)
    return y0 + share * (y1 - y0)
