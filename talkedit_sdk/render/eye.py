"""An eye opening: the eyeball, which keeps still, and the margins of the lids that slide over it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from talkedit_sdk.render.canvas import Canvas, Window
from talkedit_sdk.render.eyeball import Eyeball
from talkedit_sdk.render.layer import Layer, grid, opposite, rim

_RIM: Final = 0.15  # depth of the rim of an eye, share of the way to its middle line
_STILL: Final = 0.02  # pixels


@dataclass(frozen=True)
class EyeOpening:
    """An `Opening`. `moved` is (T,), the largest distance of a point of the lids' margins or of the iris, pixels."""

    eyeball: Eyeball
    rim: Layer
    reach: Tensor
    moved: Tensor

    def __getitem__(self, rows: slice | Tensor) -> EyeOpening:
        return EyeOpening(self.eyeball[rows], self.rim[rows], self.reach[rows], self.moved[rows])

    def inside(self, canvas: Canvas, window: Window, rim: Tensor, opacity: Tensor) -> tuple[Tensor, Tensor]:
        """The eyeball as the frame shows it, drawn out or covered under the lids."""
        if float(self.moved.max()) < _STILL:
            return canvas.crop(window).float(), opacity
        return canvas.sample(self.eyeball.shift(window), window).float(), opacity


class EyeMesh:
    """Topology of the layers of one eye and how they follow the landmarks."""

    def __init__(self, contour: tuple[int, ...], iris: tuple[int, ...], device: torch.device) -> None:
        self._contour, self._iris = torch.tensor(contour, device=device), iris
        self._upper = torch.arange(len(contour) // 2 + 1, device=device)
        self._lower = -self._upper % len(contour)
        self._rim = grid(2, len(contour), True, device)

    def place(self, landmarks: Tensor, offsets: Tensor, gaze: Tensor | None = None) -> EyeOpening:
        """landmarks: (T, 478, 3) pixels of the source; offsets: (T, 468, 3) pixels to the result; gaze: (T, 2) by how
        many of its radii the iris moves right and down in the picture."""
        margin, motion = landmarks[:, self._contour], offsets[:, self._contour]
        result = torch.cat([margin, margin + motion], 1)[..., :2]
        outline = landmarks[:, self._iris[1:], :2]
        across = [(outline[:, i] - outline[:, i + 2]).norm(dim=-1) / 2 for i in (0, 1)]
        radius = torch.stack(across).mean(0).clamp_min(1)
        gaze = torch.zeros_like(margin[:, 0, :2]) if gaze is None else radius[:, None] * gaze
        eyeball = Eyeball(
            upper=margin[:, self._upper, :2],
            lower=margin[:, self._lower, :2],
            raising=motion[:, self._upper, :2],
            lowering=motion[:, self._lower, :2],
            axes=_axes(margin[:, self._upper[-1], :2] - margin[:, 0, :2]),
            centre=landmarks[:, self._iris[0], :2],
            radius=radius,
            gaze=gaze,
        )
        return EyeOpening(
            eyeball,
            rim(margin, margin + _RIM * (opposite(margin) - margin) / 2, motion, self._rim),
            reach=torch.stack([result.amin(1), result.amax(1)], 1),
            moved=motion[..., :2].norm(dim=-1).amax(1).maximum(gaze.norm(dim=-1)),
        )


def _axes(along: Tensor) -> Tensor:
    """(T, 2) direction of an eye in the picture -> (T, 2, 2) unit vectors along it and down."""
    along = along / along.norm(dim=-1, keepdim=True).clamp_min(1e-3)
    down = torch.stack([-along[:, 1], along[:, 0]], -1)
    return torch.stack([along, torch.where(down[:, 1:] < 0, -down, down)], 1)
