"""From a frame and the wanted displacement of the face to the edited frame."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.render.rasterizer import make_rasterizer
from talkedit_sdk.render.sampling import sample
from talkedit_sdk.render.sheet import Placement, Sheet

STILL: Final = 0.02
"""Pixels; what moves less keeps its own value to the bit."""


class Renderer:
    """Draws edited faces into frames at native resolution, sampling each source pixel once."""

    def __init__(self, model: FaceModel) -> None:
        self.sheet = Sheet(model)
        self._device = model.device
        self._rasterizer = make_rasterizer(model.device)
        triangles = self.sheet.triangles
        self._triangles: Any = triangles.numpy() if self._on_cpu else triangles

    @property
    def _on_cpu(self) -> bool:
        return self._device.type == "cpu"

    def place(self, landmarks: Tensor, offsets: Tensor) -> Placement:
        """See `Sheet.place`."""
        return self.sheet.place(landmarks, offsets)

    def draw(self, rgb: NDArray[np.uint8], placement: Placement, index: int) -> NDArray[np.uint8]:
        """The frame (H, W, 3) uint8 with one face of the batch drawn anew; the frame itself where nothing moves."""
        if float(placement.moved[index]) < STILL:
            return rgb
        vertices, attributes = placement.vertices[index], placement.attributes[index]
        window = _window(vertices, attributes, rgb.shape[:2])
        if window is None:
            return rgb
        top, bottom, left, right = window
        local = vertices - torch.tensor([left, top, 0.0], device=vertices.device)
        shift = self._map(local, attributes, (bottom - top, right - left))
        edited = rgb.copy()
        edited[top:bottom, left:right] = self._compose(rgb, shift, top, left)
        return edited

    def _map(self, vertices: Tensor, attributes: Tensor, size: tuple[int, int]) -> NDArray[np.float32]:
        if self._on_cpu:
            drawn, _ = self._rasterizer.map(vertices[None].numpy(), self._triangles, attributes[None].numpy(), size)
            values: NDArray[np.float32] = drawn[0]
            return values
        drawn, _ = self._rasterizer.map(vertices[None], self._triangles, attributes[None], size)
        moved: NDArray[np.float32] = drawn[0].cpu().numpy()
        return moved

    def _compose(self, rgb: NDArray[np.uint8], shift: NDArray[np.float32], top: int, left: int) -> NDArray[np.uint8]:
        height, width = shift.shape[:2]
        window = rgb[top : top + height, left : left + width]
        still = np.abs(shift[..., 0]) + np.abs(shift[..., 1]) < STILL
        rows, columns = np.mgrid[top : top + height, left : left + width].astype(np.float32)
        coordinates = np.stack([columns + shift[..., 0], rows + shift[..., 1]], -1)
        picture = sample(rgb, coordinates)
        picture[still] = window[still]
        cavity = shift[..., 2]
        if cavity.max() > 0:
            inside = cavity > 0
            dark = 0.22 * np.median(picture[inside], axis=0)
            share = cavity[inside][:, None]
            picture[inside] = (picture[inside] * (1 - share) + dark * share + 0.5).astype(np.uint8)
        return picture


def _window(vertices: Tensor, attributes: Tensor, size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """Rows and columns that the moved triangles can touch, None if all of it lies outside the frame."""
    low = vertices[:, :2].amin(0).floor().long()
    high = vertices[:, :2].amax(0).ceil().long() + 1
    left, top = (max(int(value), 0) for value in low)
    right, bottom = min(int(high[0]), size[1]), min(int(high[1]), size[0])
    return (top, bottom, left, right) if top < bottom and left < right else None
