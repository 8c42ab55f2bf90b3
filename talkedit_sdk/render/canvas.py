"""The frames that are drawn from: rasterizing and resampling in windows of them, on the CPU or a GPU."""

from __future__ import annotations

from typing import Any, TypeAlias

import torch
from torch import Tensor

from talkedit_sdk.render.sampling import sample

Window: TypeAlias = tuple[int, int, int, int]
"""First row, row after the last, first column, column after the last."""


class Canvas:
    """A batch of frames (B, H, W, 3) uint8 RGB with a rasterizer for their device."""

    def __init__(self, frames: Tensor, rasterizer: Any) -> None:
        self.frames, self.device = frames, frames.device
        self._rasterizer = rasterizer

    @property
    def bounds(self) -> Window:
        """The whole frame."""
        return (0, self.frames.shape[1], 0, self.frames.shape[2])

    def map(self, vertices: Tensor, triangles: Tensor, attributes: Tensor, window: Window) -> tuple[Tensor, Tensor]:
        """Attributes (B, h, w, C) and coverage (B, h, w) of a mesh in a window of the frames."""
        top, bottom, left, right = window
        corner = torch.tensor([left, top, 0.0], device=self.device)
        vertices, size = vertices - corner, (bottom - top, right - left)
        if self.device.type != "cpu":
            drawn: tuple[Tensor, Tensor] = self._rasterizer.map(vertices, triangles, attributes, size)
            return drawn
        values, covered = self._rasterizer.map(vertices.numpy(), triangles.numpy(), attributes.numpy(), size)
        return torch.from_numpy(values), torch.from_numpy(covered)

    def sample(self, shift: Tensor, window: Window) -> Tensor:
        """(B, h, w, 3) uint8 colours of the frames at each pixel of the window plus its shift (B, h, w, 2)."""
        top, bottom, left, right = window
        coordinates = torch.empty_like(shift, memory_format=torch.contiguous_format)
        columns = torch.arange(left, right, dtype=torch.float32, device=shift.device)
        rows = torch.arange(top, bottom, dtype=torch.float32, device=shift.device)
        torch.add(shift[..., 0], columns, out=coordinates[..., 0])
        torch.add(shift[..., 1], rows[:, None], out=coordinates[..., 1])
        if self.device.type != "cpu":
            return sample(self.frames, coordinates)
        pairs = zip(self.frames, coordinates, strict=True)
        return torch.stack([torch.from_numpy(sample(frame.numpy(), where.numpy())) for frame, where in pairs])

    def crop(self, window: Window) -> Tensor:
        """(B, h, w, 3) uint8: the frames in a window."""
        top, bottom, left, right = window
        return self.frames[:, top:bottom, left:right]


def window_around(points: Tensor, bounds: Window) -> Window | None:
    """Rows and columns that points (T, V, 2 or more) in pixels span, within bounds; None if there are none."""
    low, high = points[..., :2].amin((0, 1)).floor(), points[..., :2].amax((0, 1)).ceil() + 1
    top, left = max(int(low[1]), bounds[0]), max(int(low[0]), bounds[2])
    bottom, right = min(int(high[1]), bounds[1]), min(int(high[0]), bounds[3])
    return (top, bottom, left, right) if top < bottom and left < right else None
