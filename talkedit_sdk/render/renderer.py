"""From frames and the wanted displacement of the face to edited frames."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.render.eyeball import Eyeball, Window
from talkedit_sdk.render.rasterizer import make_rasterizer
from talkedit_sdk.render.sampling import sample
from talkedit_sdk.render.sheet import Layer, Opening, Placement, Sheet

STILL: Final = 0.02
"""Pixels; what moves less keeps its own value to the bit."""

_CAVITY: Final = (0.20, 0.10, 0.10)  # colour of a mouth that opens on nothing known, relative to what was there
_GUMS: Final = (0.85, 0.62, 0.64)  # colour of gums, relative to the lips
_GUM_EDGE: Final = 2.5  # how abruptly teeth end in them
_SHADOW: Final = 0.6
_LASH_CONTRAST: Final = 40.0  # levels by which a lash is darker than the eyeball behind it


class Renderer:
    """Draws edited faces into frames at native resolution; each pixel is sampled once per layer, nothing is blurred."""

    def __init__(self, model: FaceModel) -> None:
        self.sheet = Sheet(model)
        self.device = model.device
        self._rasterizer = make_rasterizer(model.device)

    def place(self, landmarks: Tensor, offsets: Tensor, jaw: Tensor | None = None) -> Placement:
        """See `Sheet.place`."""
        return self.sheet.place(landmarks, offsets, jaw)

    def draw(self, frames: Tensor, placement: Placement) -> Tensor:
        """Draws one face into each frame.

        Args:
            frames: (B, H, W, 3) uint8 RGB.
            placement: of the B frames.

        Returns:
            (B, H, W, 3) uint8; the very same tensor where nothing moves.
        """
        if float(placement.moved.max()) < STILL:
            return frames
        window = _window(placement.skin.vertices, (0, frames.shape[1], 0, frames.shape[2]))
        if window is None:
            return frames
        shift, covered = self._map(placement.skin, window)
        picture = _sample(frames, shift, window)
        for opening in placement.openings:
            self._fill(frames, opening, picture, covered, window)
        top, bottom, left, right = window
        edited = frames.clone()
        edited[:, top:bottom, left:right] = picture
        return edited

    def _fill(self, frames: Tensor, opening: Opening, picture: Tensor, covered: Tensor, bounds: Window) -> None:
        """Draws an eye or the mouth into `picture` where the skin leaves it open."""
        inner = opening.inside
        reach = inner.reach if isinstance(inner, Eyeball) else inner.vertices[..., :2]
        window = _window(torch.cat([reach, opening.rim.vertices[..., :2]], 1), bounds)
        if window is None:
            return
        band, _ = self._map(opening.rim, window)
        rim, opacity = _sample(frames, band[..., :2], window), band[..., 2:]
        if isinstance(inner, Eyeball):
            colour = self._eyeball(frames, inner, window)
            darker = (colour - rim.float()).mean(-1, keepdim=True) / _LASH_CONTRAST
            opacity = opacity + (1 - opacity) * darker.clamp(0, 1) * (4 * opacity).clamp(0, 1)
        else:
            colour = self._interior(frames, inner, window, _mean(rim.float(), opacity > 0.5))
        colour = colour + opacity * (rim.float() - colour)
        top, left = window[0] - bounds[0], window[2] - bounds[2]
        area = (slice(None), slice(top, top + colour.shape[1]), slice(left, left + colour.shape[2]))
        hidden = covered[area][..., None]
        picture[area] = torch.where(hidden, picture[area], (colour + 0.5).clamp(0, 255).to(torch.uint8))

    def _eyeball(self, frames: Tensor, eye: Eyeball, window: Window) -> Tensor:
        """(B, h, w, 3) float32: the eye as the frame shows it, continued where a lid lifts."""
        if float(eye.bared.max()) < STILL:
            top, bottom, left, right = window
            return frames[:, top:bottom, left:right].float()
        one, other = (_sample(frames, shift, window) for shift in eye.shifts(window))
        return torch.minimum(one, other).float()

    def _interior(self, frames: Tensor, layer: Layer, window: Window, lips: Tensor) -> Tensor:
        """(B, h, w, 3) float32: teeth as the frame shows them, gums where the upper lip lifts off them, darkness where
        jaws part over what the frame does not show. `lips` is the colour of the lips, (B, 1, 1, 3)."""
        values, drawn = self._map(layer, window)
        colour, dark, gums = _sample(frames, values[..., :2], window).float(), values[..., 2:3], values[..., 3:]
        within = dark > 0
        known = within.flatten(1).any(1)[:, None, None, None]
        cavity = torch.where(known, _mean(colour, within), lips) * torch.tensor(_CAVITY, device=self.device)
        colour = colour + (_GUM_EDGE * gums).clamp(0, 1) * (lips * torch.tensor(_GUMS, device=self.device) - colour)
        # The last slivers at the corners, where lips widen over nothing, are in the shadow of the lips.
        dark = torch.where(drawn[..., None], dark, torch.full_like(dark, _SHADOW))
        return colour + dark * (cavity - colour)

    def _map(self, layer: Layer, window: Window) -> tuple[Tensor, Tensor]:
        """Attributes (B, h, w, C) and coverage (B, h, w) of a layer in a window of the frame."""
        top, bottom, left, right = window
        corner = torch.tensor([left, top, 0.0], device=self.device)
        vertices, size = layer.vertices - corner, (bottom - top, right - left)
        if self.device.type != "cpu":
            drawn: tuple[Tensor, Tensor] = self._rasterizer.map(vertices, layer.triangles, layer.attributes, size)
            return drawn
        values, covered = self._rasterizer.map(
            vertices.numpy(), layer.triangles.numpy(), layer.attributes.numpy(), size
        )
        return torch.from_numpy(values), torch.from_numpy(covered)


def _mean(colour: Tensor, where: Tensor) -> Tensor:
    """(B, 1, 1, 3) mean of the colours (B, h, w, 3) in a mask (B, h, w, 1)."""
    return (colour * where).sum((1, 2), keepdim=True) / where.sum((1, 2), keepdim=True).clamp_min(1)


def _sample(frames: Tensor, shift: Tensor, window: Window) -> Tensor:
    """(B, h, w, 3) colours at each pixel of the window plus its shift (B, h, w, 2)."""
    top, bottom, left, right = window
    coordinates = torch.empty_like(shift, memory_format=torch.contiguous_format)
    columns = torch.arange(left, right, dtype=torch.float32, device=shift.device)
    rows = torch.arange(top, bottom, dtype=torch.float32, device=shift.device)
    torch.add(shift[..., 0], columns, out=coordinates[..., 0])
    torch.add(shift[..., 1], rows[:, None], out=coordinates[..., 1])
    if frames.device.type != "cpu":
        return sample(frames, coordinates)
    pairs = zip(frames, coordinates, strict=True)
    return torch.stack([torch.from_numpy(sample(frame.numpy(), where.numpy())) for frame, where in pairs])


def _window(vertices: Tensor, bounds: Window) -> Window | None:
    """Rows and columns that a layer may touch, within bounds; None if there are none."""
    low, high = vertices[..., :2].amin((0, 1)).floor(), vertices[..., :2].amax((0, 1)).ceil() + 1
    top, left = max(int(low[1]), bounds[0]), max(int(low[0]), bounds[2])
    bottom, right = min(int(high[1]), bounds[1]), min(int(high[0]), bounds[3])
    return (top, bottom, left, right) if top < bottom and left < right else None
