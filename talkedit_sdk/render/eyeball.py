"""The eyeball under lids that move.

What lies right under the margin of a lid goes along with it, lashes and shadow included; towards the middle of the eye
the motion dies away, because the eyeball keeps still. In between iris and white are drawn out or pushed together, along
the lids as well as up and down, so that the edge of the iris stays on its circle.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import torch
from torch import Tensor

from talkedit_sdk.face.smooth import smoothstep
from talkedit_sdk.render.canvas import Window

_EDGE: Final = 1.1  # radius of the circle that is kept, iris radii; landmarks lie a little inside or outside
_NARROWEST: Final = 0.6  # of what the iris is as wide as where a lid uncovers it, for it may be less round than thought
_AROUND: Final = (1.4, 2.2)  # iris radii along the eye from which points go straight up and down, if it reaches so far
_WHITE: Final = 0.8  # share of the way to the corners that is surely eyeball
_DEPTH: Final = (0.9, 0.45)  # share of half the gap over which motion dies away: of a lid that lifts, of one that falls
_LOOSE: Final = (0.9, 1.7)  # what goes along around an iris that moves: iris radii, or moves of it, whichever is more
_FREE: Final = 0.7  # share of the way from a lid to the middle of the eye from where it goes up and down freely
_SHUT: Final = (0.7, 0.3)  # gap in iris radii above which the eyeball is seen, and below which there are only lids


@dataclass(frozen=True)
class Eyeball:
    """An eye in a batch of frames, in pixels.

    Members:
        upper, lower: (T, N, 2) margins of the lids in the source, from the outer to the inner corner.
        raising, lowering: (T, N, 2) their motion.
        axes: (T, 2, 2) unit vectors along the eye, from the outer to the inner corner, and down.
        centre: (T, 2) of the iris.
        radius: (T,) of the iris.
        gaze: (T, 2) by which the iris moves in the picture.
    """

    upper: Tensor
    lower: Tensor
    raising: Tensor
    lowering: Tensor
    axes: Tensor
    centre: Tensor
    radius: Tensor
    gaze: Tensor

    def __getitem__(self, rows: slice | Tensor) -> Eyeball:
        return Eyeball(*(getattr(self, field.name)[rows] for field in fields(self)))

    def shift(self, window: Window) -> Tensor:
        """(B, h, w, 2) from each pixel of a window to its colour in the source."""
        top, bottom, left, right = window
        device, size = self.centre.device, (bottom - top, right - left)
        rows = torch.arange(top, bottom, dtype=torch.float32, device=device)
        columns = torch.arange(left, right, dtype=torch.float32, device=device)
        pixels = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1).reshape(1, -1, 2)
        place = self._along(pixels - self.centre[:, None])
        x, y = place.unbind(-1)
        raised, lowered = self._along(self.raising), self._along(self.lowering)
        upper, raised = _at(x, self._along(self.upper - self.centre[:, None]) + raised, raised)
        lower, lowered = _at(x, self._along(self.lower - self.centre[:, None]) + lowered, lowered)
        half = ((lower - upper) / 2).clamp_min(1e-3)
        with_upper = _share((y - upper) / half, raised[..., 1] < 0)
        with_lower = _share((lower - y) / half, lowered[..., 1] > 0)
        shut = smoothstep(2 * half / self.radius[:, None], *_SHUT)[..., None]
        motion = with_upper * raised + with_lower * lowered
        motion = motion + (1 - with_upper - with_lower) * shut * (raised + lowered) / 2
        aside, level = (place - motion).unbind(-1)
        corners = self._along(self.upper[:, [0, -1]] - self.centre[:, None])[..., 0]
        aside = _beside(aside, y, level, self.radius[:, None], corners)
        gaze = self._looking(aside, level, (y - upper) / half)
        moved = torch.stack([aside, level], -1) - gaze - place
        return torch.einsum("tij,tni->tnj", self.axes, moved).reshape(-1, *size, 2)

    def _looking(self, x: Tensor, y: Tensor, depth: Tensor) -> Tensor:
        """(T, M, 2) how far what is seen at places (T, M) in the source has moved with the gaze, in the eye's axes: the
        iris as a whole, what is around it less and less; nothing up and down at the lids. `depth` (T, M) under the
        upper lid is 2 at the lower one."""
        if not bool(self.gaze.any()):
            return torch.zeros(1, 1, 2, device=x.device)
        gaze, radius = self._along(self.gaze[:, None]), self.radius[:, None]
        away = (torch.stack([x, y], -1) - gaze).norm(dim=-1) - _EDGE * radius
        width = (_LOOSE[0] * radius).maximum(_LOOSE[1] * gaze.norm(dim=-1))
        inside = 1 - (1 - depth).abs().clamp(0, 1)
        share = 1 - smoothstep(away / width, 0, 1)
        return gaze * torch.stack([share, share * smoothstep(inside, 0, _FREE)], -1)

    def _along(self, vectors: Tensor) -> Tensor:
        """(T, M, 2) in the picture -> (T, M, 2) along the eye and down."""
        return torch.einsum("tij,tmj->tmi", self.axes, vectors)


def _share(depth: Tensor, lifts: Tensor) -> Tensor:
    """(T, M, 1) how much of the motion of a lid's margin there is at a depth, relative to half the gap, under it."""
    open_, cover = _DEPTH
    return 1 - smoothstep(depth / torch.where(lifts, open_, cover), 0, 1)[..., None]


def _beside(x: Tensor, y: Tensor, level: Tensor, radius: Tensor, corners: Tensor) -> Tensor:
    """(T, M) where at a level there is what belongs to (x, y), in the eye's axes, origin at the iris: as far from its
    middle line relative to the edge of the iris at either height. `corners` (T, 2) are those of the eye."""
    low, high = (bound * radius for bound in _AROUND)
    reach = torch.minimum(torch.maximum(_WHITE * corners.abs(), low), high)
    beyond = torch.where(x < 0, reach[:, :1], reach[:, 1:])
    circle = (_EDGE * radius).square()
    edge, edge_there = ((circle - height.square()).clamp_min(0).sqrt() for height in (y, level))
    edge, aside = torch.maximum(edge, _NARROWEST * edge_there), x.abs()
    iris = aside * edge_there / edge.clamp_min(1e-3)
    white = edge_there + (aside - edge) * (beyond - edge_there) / (beyond - edge)
    return x.sign() * torch.where(aside < edge, iris, torch.where(aside < beyond, white, aside))


def _at(x: Tensor, edge: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Heights (T, M) of an edge (T, N, 2), and what is given along it (T, N, 2 -> T, M, 2), at x (T, M)."""
    knots = edge[..., 0].cummax(1).values.contiguous()
    after = torch.searchsorted(knots, x.contiguous()).clamp(1, knots.shape[1] - 1)
    x0, x1 = knots.gather(1, after - 1), knots.gather(1, after)
    share = ((x - x0) / (x1 - x0).clamp_min(1e-3)).clamp(0, 1)[..., None]
    given = torch.cat([edge[..., 1:], values], -1)
    index = after[..., None].expand(-1, -1, given.shape[-1])
    found = torch.lerp(given.gather(1, index - 1), given.gather(1, index), share)
    return found[..., 0], found[..., 1:]
