"""An eye opening: the eyeball, which keeps still, and the lashes of the lids that slide over it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from talkedit_sdk.face.topology import EYE_LEFT
from talkedit_sdk.render.canvas import Canvas, Window
from talkedit_sdk.render.eyeball import Eyeball
from talkedit_sdk.render.layer import Layer, grid, opposite, rim

_UPPER_LASHES: Final = 0.40  # depth of the rim of an eye, share of the way to its middle line
_LOWER_LASHES: Final = 0.45
_LASH_CONTRAST: Final = 40.0  # levels by which a lash is darker than the eyeball behind it
_STILL: Final = 0.02  # pixels


@dataclass(frozen=True)
class EyeOpening:
    """An `Opening`."""

    eyeball: Eyeball
    rim: Layer

    @property
    def reach(self) -> Tensor:
        return self.eyeball.reach

    def __getitem__(self, rows: slice | Tensor) -> EyeOpening:
        return EyeOpening(self.eyeball[rows], self.rim[rows])

    def inside(self, canvas: Canvas, window: Window, rim: Tensor, opacity: Tensor) -> tuple[Tensor, Tensor]:
        """The eye as the frame shows it, continued where a lid lifts; lashes cover it where they are dark."""
        if float(self.eyeball.bared.max()) < _STILL:
            colour = canvas.crop(window).float()
        else:
            one, other = (canvas.sample(shift, window) for shift in self.eyeball.shifts(window))
            colour = torch.minimum(one, other).float()
        darker = (colour - rim.float()).mean(-1, keepdim=True) / _LASH_CONTRAST
        return colour, opacity + (1 - opacity) * darker.clamp(0, 1) * (4 * opacity).clamp(0, 1)


class EyeMesh:
    """Topology of the layers of one eye and how they follow the landmarks."""

    def __init__(self, contour: tuple[int, ...], iris: tuple[int, ...], device: torch.device) -> None:
        self._contour, self._iris = torch.tensor(contour, device=device), iris
        corner = len(contour) // 2
        depths = [0.0, *[_UPPER_LASHES] * (corner - 1), 0.0, *[_LOWER_LASHES] * (corner - 1)]
        self._lashes = torch.tensor(depths, device=device)
        self._rim = grid(2, len(contour), True, device)

    def place(self, landmarks: Tensor, offsets: Tensor) -> EyeOpening:
        """landmarks: (T, 478, 3) pixels of the source; offsets: (T, 468, 3) pixels to the result."""
        margin, motion = landmarks[:, self._contour], offsets[:, self._contour]
        inward = (opposite(margin) - margin) / 2
        length = inward.norm(dim=-1, keepdim=True).clamp_min(1e-3)
        lashes = self._lashes[:, None] * inward
        # Where a lid lifts, the strip that it lays bare must not repeat its lashes: the eyeball is continued from below
        # them.
        opened = (-(motion * inward).sum(-1, keepdim=True) / length).clamp_min(0)
        seen = (margin + lashes * (opened / (self._lashes[:, None] * length).clamp_min(1e-3)).clamp(0, 1))[..., :2]
        result = torch.cat([margin, margin + motion], 1)[..., :2]
        half = len(EYE_LEFT) // 2
        outline = landmarks[:, self._iris[1:], :2]
        across = [(outline[:, i] - outline[:, i + 2]).norm(dim=-1) / 2 for i in (0, 1)]
        eyeball = Eyeball(
            upper=seen[:, : half + 1],
            lower=torch.cat([seen[:, :1], seen[:, half:].flip(1)], 1),
            centre=landmarks[:, self._iris[0], :2],
            radius=torch.stack(across).amax(0).clamp_min(1),
            reach=torch.stack([result.amin(1), result.amax(1)], 1),
            bared=opened.amax((1, 2)),
        )
        return EyeOpening(eyeball, rim(margin, margin + lashes, motion, self._rim))
