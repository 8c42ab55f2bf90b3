"""The mouth opening: teeth that keep still with skull and jaw, gums and darkness where the frame shows nothing, and the
rim of the lips over them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from talkedit_sdk.face.topology import CHIN, FOREHEAD, LIPS_INNER
from talkedit_sdk.render.canvas import Canvas, Window
from talkedit_sdk.render.layer import Layer, between, grid, opposite, rim

_LIP_RIM: Final = 0.008  # depth of the rim of the mouth, face heights
_LIP_EDGE: Final = 0.014  # how far the lips' own colour reaches into the opening, face heights
_GUMS: Final = 0.12  # share of the opening under the upper lip that gives way when the lip lifts
_CLEFT: Final = 0.08  # share of the opening where upper and lower teeth part
_LOWER_TEETH: Final = 0.35  # share of a mouth wide open that moves with the jaw; nothing of one that is hardly open
_CAVITY: Final = (0.20, 0.10, 0.10)  # colour of a mouth that opens on nothing known, relative to what was there
_GUM_COLOUR: Final = (0.85, 0.62, 0.64)  # relative to the lips
_GUM_EDGE: Final = 2.5  # how abruptly teeth end in them
_SHADOW: Final = 0.6


@dataclass(frozen=True)
class MouthOpening:
    """An `Opening`: `interior` is a mesh with shares of darkness and of gums."""

    interior: Layer
    rim: Layer

    @property
    def reach(self) -> Tensor:
        return self.interior.vertices[..., :2]

    def __getitem__(self, rows: slice | Tensor) -> MouthOpening:
        return MouthOpening(self.interior[rows], self.rim[rows])

    def inside(self, canvas: Canvas, window: Window, rim: Tensor, opacity: Tensor) -> tuple[Tensor, Tensor]:
        """Teeth as the frame shows them, gums where the upper lip lifts off them, darkness where jaws part over what
        the frame does not show."""
        lips = _mean(rim.float(), opacity > 0.5)
        values, drawn = self.interior.drawn(canvas, window)
        colour, dark, gums = canvas.sample(values[..., :2], window).float(), values[..., 2:3], values[..., 3:]
        within = dark > 0
        known = within.flatten(1).any(1)[:, None, None, None]
        cavity = torch.where(known, _mean(colour, within), lips) * torch.tensor(_CAVITY, device=canvas.device)
        gum_colour = lips * torch.tensor(_GUM_COLOUR, device=canvas.device)
        colour = colour + (_GUM_EDGE * gums).clamp(0, 1) * (gum_colour - colour)
        # The last slivers at the corners, where lips widen over nothing, are in the shadow of the lips.
        dark = torch.where(drawn[..., None], dark, torch.full_like(dark, _SHADOW))
        return colour + dark * (cavity - colour), opacity


class MouthMesh:
    """Topology of the mouth's layers and how they follow the landmarks."""

    def __init__(self, device: torch.device) -> None:
        half = len(LIPS_INNER) // 2
        self._upper = torch.tensor(LIPS_INNER[: half + 1], device=device)
        self._lower = torch.tensor([LIPS_INNER[0], *LIPS_INNER[half:][::-1]], device=device)
        self._lips = torch.tensor(LIPS_INNER, device=device)
        self._interior = grid(7, half + 1, False, device)
        self._rim = grid(2, len(LIPS_INNER), True, device)

    def place(self, face: Tensor, offsets: Tensor, jaw: Tensor, height: Tensor) -> MouthOpening:
        """Upper teeth keep still with the skull, lower teeth and tongue follow the jaw, lips slide over both.

        Args:
            face: (T, 468, 3) pixels of the source.
            offsets: (T, 468, 3) pixels to the result.
            jaw: (T, 1, 3) pixels by which the bone under the chin moves.
            height: (T,) of the face, pixels.
        """
        upper, lower = face[:, self._upper], face[:, self._lower]
        upper_to, lower_to = upper + offsets[:, self._upper], lower + offsets[:, self._lower]
        down = lower - upper
        axis = (face[:, [CHIN]] - face[:, [FOREHEAD]]) / height[:, None, None]
        gap = down.norm(dim=-1, keepdim=True)
        agape = (
            gap.amax(1, keepdim=True) / (upper[:, -1:] - upper[:, :1]).norm(dim=-1, keepdim=True).clamp_min(1)
        ).clamp(max=1)
        lower_share = _LOWER_TEETH * ((agape - 0.15) / 0.35).clamp(0, 1)
        # What a lip bares must not repeat its own edge, which the landmarks leave inside the opening.
        edge = torch.minimum(_LIP_EDGE * height[:, None, None], 0.3 * gap)
        lifted, dropped = (
            ((move * axis).sum(-1, keepdim=True)).clamp_min(0) for move in (upper - upper_to, lower_to - lower - jaw)
        )
        above, below = upper + torch.minimum(edge, lifted) * axis, lower - torch.minimum(edge, dropped) * axis
        lower_teeth = below - lower_share * down
        gums, teeth = above + _GUMS * down, lower_teeth - _CLEFT * down
        lower_teeth_to = lower_teeth + jaw
        overlap = ((teeth - lower_teeth_to) * axis).sum(-1, keepdim=True).clamp_min(0)
        lower_teeth_to = lower_teeth_to + overlap * axis
        jawline = lower_teeth_to + (below - lower_teeth)
        top, bottom = _further(above, upper_to, -axis), _further(jawline, lower_to, axis)
        middle, middle_to = (torch.lerp(teeth, bound, 0.2) for bound in (lower_teeth, lower_teeth_to))
        source = torch.cat([above, gums, teeth, middle, lower_teeth, below, below], 1)
        result = torch.cat([top, gums, teeth, middle_to, lower_teeth_to, jawline, bottom], 1)
        inside = between(source, result, self._unseen(source, result, lower_share, height), self._interior)
        margin, motion = face[:, self._lips], offsets[:, self._lips]
        inward = (opposite(margin) - margin) / 2
        length = inward.norm(dim=-1, keepdim=True).clamp_min(1e-3)
        inner = margin + inward * (_LIP_RIM * height[:, None, None] / length).clamp(max=0.5)
        return MouthOpening(inside, rim(margin, inner, motion, self._rim))

    def _unseen(self, source: Tensor, result: Tensor, lower_share: Tensor, height: Tensor) -> Tensor:
        """(T, 7 * N, 2) how much of the mouth interior the frame does not show. Darkness: where jaws part, where the
        lower lip drops off the teeth, and in the last slit of lips that close on teeth. Gums: where the upper lip
        lifts in front; at the sides it lifts over shadow."""
        rows, rows_to = (p.reshape(len(p), 7, -1, 3) for p in (source, result))
        slack = 0.02 * height[:, None]
        cleft, floor = (
            ((_length(rows_to, i, j) - _length(rows, i, j)) / slack - 0.2).clamp(0, 1) for i, j in ((2, 4), (5, 6))
        )
        gap, gap_to = _length(rows, 0, 6), _length(rows_to, 0, 6)
        slit = (1 - gap_to / slack).clamp(0, 1) * ((gap - gap_to) / gap.clamp_min(1e-3)).clamp(0, 1)
        bare = 1 - (lower_share[..., 0] / 0.1).clamp(0, 1)  # of lower teeth
        deep = bare * torch.maximum(cleft, floor)
        darkness = [torch.zeros_like(slit)] * 3 + [
            torch.maximum(cleft, deep),
            torch.maximum(0.9 * cleft, deep),
            deep,
            floor,
        ]
        dark = torch.maximum(torch.stack(darkness, 1), slit[:, None])
        lifted = ((_length(rows_to, 0, 1) - _length(rows, 0, 1)) / (0.01 * height[:, None])).clamp(0, 1)
        aside = torch.linspace(-1, 1, lifted.shape[1], device=lifted.device).abs()
        front = ((0.75 - aside) / 0.35).clamp(0, 1)
        gums = torch.zeros_like(dark)
        gums[:, 0] = front * lifted
        dark[:, 0] = torch.maximum(dark[:, 0], (1 - front) * lifted)
        return torch.stack([dark.flatten(1), gums.flatten(1)], -1)


def _length(rows: Tensor, first: int, last: int) -> Tensor:
    """(T, N) distance between two rows of points (T, R, N, 3)."""
    return (rows[:, last] - rows[:, first]).square().sum(-1).sqrt()


def _further(a: Tensor, b: Tensor, direction: Tensor) -> Tensor:
    """Of each pair the point that lies further in a direction."""
    ahead = ((b - a) * direction).sum(-1, keepdim=True) > 0
    return torch.where(ahead, b, a)


def _mean(colour: Tensor, where: Tensor) -> Tensor:
    """(B, 1, 1, 3) mean of the colours (B, h, w, 3) in a mask (B, h, w, 1)."""
    return (colour * where).sum((1, 2), keepdim=True) / where.sum((1, 2), keepdim=True).clamp_min(1)
