"""What an open mouth shows: upper teeth that keep still with the skull, lower teeth and tongue that move with the jaw,
and between them what is farther back."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import torch
from torch import Tensor

from talkedit_sdk.face.smooth import smoothstep
from talkedit_sdk.face.topology import CHIN, FOREHEAD, LIPS_INNER

_HALF: Final = len(LIPS_INNER) // 2
UPPER: Final = LIPS_INNER[: _HALF + 1]
LOWER: Final = (LIPS_INNER[0], *LIPS_INNER[_HALF:][::-1])
"""Inner lips from the right to the left corner."""

_EDGE: Final = 0.007  # how far the lips' own colour reaches into the opening, face heights
_BETWEEN: Final = 0.03  # share of the gap around the parting of the teeth that is drawn out when the jaw drops
_TOGETHER: Final = (0.75, 0.90)  # parting of teeth that part, and of those that are seen not to
_CLENCHED: Final = 0.30  # share of the gap around their parting that is drawn out
_SHUT: Final = 0.92
_CORNERS: Final = (0.55, 1.0)  # from where to where, between the middle of the mouth and its corners
_WIDER: Final = 0.03  # widths of the mouth by which a corner has moved outwards to take all along
_GIVE: Final = 0.3  # share of it that can be hidden


@dataclass(frozen=True)
class Look:
    """What is seen at some points of an edited mouth.

    Members:
        source: (T, R, C, 2) where it is in the picture, pixels.
        skull: (T, R, C) pixels of upper teeth that are left below a point, negative beyond them.
        lifted, dropped: (T, R, C) pixels by which a point lies beyond what the picture shows.
        parted: (T, R, C) pixels by which teeth have parted, at a point between them.
    """

    source: Tensor
    skull: Tensor
    lifted: Tensor
    dropped: Tensor
    parted: Tensor

    def __truediv__(self, unit: Tensor) -> Look:
        """Lengths in units of (T,) pixels; `source` stays as it is."""
        unit = unit[:, None, None]
        return Look(self.source, self.skull / unit, self.lifted / unit, self.dropped / unit, self.parted / unit)


@dataclass(frozen=True)
class Interior:
    """The insides of mouths in a batch of pictures.

    Members:
        axes: (T, 2, 2) unit vectors along the mouth and down the face.
        upper, lower: (T, N, 2) edges of what is surely not lip, pixels along these axes.
        parting: (T, N, 2) line between upper and lower teeth, like the edges.
        gap: (T,) pixels between the lips in the middle of the mouth.
        height: (T,) of the face, pixels.
    """

    axes: Tensor
    upper: Tensor
    lower: Tensor
    parting: Tensor
    gap: Tensor
    height: Tensor

    def __getitem__(self, rows: slice | Tensor) -> Interior:
        return Interior(*(getattr(self, field.name)[rows] for field in fields(self)))

    @classmethod
    def of(cls, landmarks: Tensor, parting: Tensor, bared: Tensor | None = None) -> Interior:
        """The insides of mouths.

        Args:
            landmarks: (T, 468 or more, 3) pixels.
            parting: (T, 5) of the teeth, see `MouthView`.
            bared: (T, 2, 11) pixels by which the upper and lower lips will uncover what is in the picture; without it
                even what is close to the lips has to be good.
        """
        down = (landmarks[:, CHIN] - landmarks[:, FOREHEAD])[:, :2]
        height = down.norm(dim=-1).clamp_min(1)
        down = down / height[:, None]
        axes = torch.stack([torch.stack([down[:, 1], -down[:, 0]], -1), down], 1)
        upper, lower = (torch.einsum("tij,tnj->tni", axes, landmarks[:, list(side), :2]) for side in (UPPER, LOWER))
        gaps = (lower - upper)[..., 1].clamp_min(0)
        edges = torch.minimum(_EDGE * height[:, None], 0.2 * gaps)[:, None].expand(-1, 2, -1)
        if bared is not None:
            edges = torch.minimum(edges, bared)
        beside = (len(UPPER) - parting.shape[1]) // 2
        share = torch.nn.functional.pad(parting[:, None], (beside, beside), mode="replicate")[:, 0, :, None]
        line = torch.lerp(upper, lower, share)
        upper, lower = upper.clone(), lower.clone()
        upper[..., 1] += edges[:, 0]
        lower[..., 1] -= edges[:, 1]
        gap = gaps[:, _HALF // 2 - 1 : _HALF // 2 + 2].mean(1)
        return cls(axes, upper, lower, line, gap, height)

    def look(self, points: Tensor, jaw: Tensor) -> Look:
        """What is seen when the jaw has moved by (T, 2), at points (T, R, C, 2), all in pixels: R from the upper to the
        lower lip of the result, C from its right to its left corner."""
        count, rows, columns = points.shape[:3]
        x, y = torch.einsum("tij,tmj->tmi", self.axes, points.flatten(1, 2)).unbind(-1)
        aside, drop = torch.einsum("tij,tj->ti", self.axes, jaw)[..., None].unbind(1)
        down = torch.linspace(0, 1, rows, device=x.device)[:, None, None]
        upper, lower = (resampled(edge, columns)[:, None] for edge in (self.upper, self.lower))
        there = torch.lerp(upper, lower, down).flatten(1, 2)
        held = self._held(x.view(count, rows, columns)).flatten(1)
        x = torch.lerp(x, there[..., 0], held)
        top, bottom, parting = (_height(line, x) for line in (self.upper, self.lower, self.parting))
        # Where lips touch, their landmarks may have passed each other.
        top, bottom = torch.minimum(top, bottom), torch.maximum(top, bottom)
        # Without a gap between the teeth to draw out, all of the lower teeth are, a little, before they part.
        together = smoothstep((parting - top) / (bottom - top).clamp_min(1e-3), *_TOGETHER)
        reach = torch.lerp(torch.full_like(together, _BETWEEN), together.new_tensor(_CLENCHED), together)
        reach = reach * (bottom - top)
        first, second = (torch.minimum(torch.maximum(parting + way * reach, top), bottom) for way in (-1, 1))
        between = second - first
        drop = torch.maximum(drop, -_GIVE * between)
        share = ((y - first) / (between + drop).clamp_min(1e-3)).clamp(0, 1)
        level = torch.minimum(y, first) + share * between + (y - second - drop).clamp_min(0)
        source = torch.stack([x - share * aside, torch.minimum(torch.maximum(level, top), bottom)], -1)
        source = torch.lerp(source, there, held[..., None])
        lifted, dropped = ((past.clamp_min(0) * (1 - held)) for past in (top - level, level - bottom))
        parted = drop.clamp_min(0) * 4 * share * (1 - share) * (1 - held) * (1 - _SHUT * together)
        lengths = (values.view(count, rows, columns) for values in (first - y, lifted, dropped, parted))
        return Look(torch.einsum("tij,tmi->tmj", self.axes, source).view(count, rows, columns, 2), *lengths)

    def uncovered(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """(T,) pixels each by which the upper and the lower lip go further, up and down, than what is seen between them
        reaches; points (T, R, C, 2) from the upper to the lower lip, pixels."""
        columns = points.shape[2]
        middle = slice(columns // 6, columns - columns // 6)
        beyond = []
        for row, edge in ((0, self.upper), (-1, self.lower)):
            x, y = torch.einsum("tij,tcj->tci", self.axes, points[:, row]).unbind(-1)
            beyond.append((y - _height(edge, x))[:, middle])
        return (-beyond[0]).amax(1), beyond[1].amax(1)

    def _held(self, x: Tensor) -> Tensor:
        """(T, R, C) share by which what is at points, x (T, R, C) along the mouth, goes along with corners that move
        outwards: there is cheek and darkness, and no tooth. Corners that move inwards slide over what is behind."""
        along = torch.linspace(-1, 1, x.shape[-1], device=x.device)
        right, left = (self.upper[:, 0, 0] - x[:, 0, 0])[:, None], (x[:, 0, -1] - self.upper[:, -1, 0])[:, None]
        wider = torch.where(along < 0, right, left) / (self.upper[:, -1:, 0] - self.upper[:, :1, 0]).clamp_min(1)
        held = smoothstep(along.abs(), *_CORNERS) * smoothstep(wider, 0, _WIDER)
        return held[:, None].expand_as(x)


def resampled(line: Tensor, count: int) -> Tensor:
    """(T, N, D) points along a line -> (T, count, D), evenly between them."""
    at = torch.linspace(0, line.shape[1] - 1, count, device=line.device)
    before = at.long().clamp(max=line.shape[1] - 2)
    return torch.lerp(line[:, before], line[:, before + 1], (at - before)[:, None])


def _height(edge: Tensor, x: Tensor) -> Tensor:
    """(T, M) height of an edge (T, N, 2) at x (T, M): straight between its points, level beyond its ends."""
    knots = edge[..., 0].cummax(1).values.contiguous()
    after = torch.searchsorted(knots, x.contiguous()).clamp(1, knots.shape[1] - 1)
    x0, x1 = knots.gather(1, after - 1), knots.gather(1, after)
    y0, y1 = edge[..., 1].gather(1, after - 1), edge[..., 1].gather(1, after)
    return torch.lerp(y0, y1, ((x - x0) / (x1 - x0).clamp_min(1e-3)).clamp(0, 1))
