"""From frames and the wanted displacement of the face to edited frames."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.render.canvas import Canvas, Window, window_around
from talkedit_sdk.render.gallery import Behind
from talkedit_sdk.render.layer import Opening
from talkedit_sdk.render.nobody import Nobody
from talkedit_sdk.render.rasterizer import make_rasterizer
from talkedit_sdk.render.sheet import Placement, Sheet
from talkedit_sdk.render.tint import tint

STILL: Final = 0.02
"""Pixels; what moves less keeps its own value to the bit."""


class Renderer:
    """Draws edited faces into frames at native resolution; each pixel is sampled once per layer, nothing is blurred.

    Args:
        model: of the face.
        nobody: what is behind lips that never open in a clip.
    """

    def __init__(self, model: FaceModel, nobody: Nobody) -> None:
        self.nobody = nobody
        self.sheet = Sheet(model, self.nobody)
        self._rasterizer = make_rasterizer(model.device)

    def place(
        self,
        landmarks: Tensor,
        offsets: Tensor,
        jaw: Tensor | None = None,
        behind: Behind | None = None,
        tinted: Tensor | None = None,
        gaze: Tensor | None = None,
    ) -> Placement:
        """See `Sheet.place`."""
        return self.sheet.place(landmarks, offsets, jaw, behind, tinted, gaze)

    def draw(self, frames: Tensor, placement: Placement, gain: Tensor | None = None) -> Tensor:
        """Draws one face into each frame.

        Args:
            frames: (B, H, W, 3) uint8 RGB.
            placement: of the B frames.
            gain: (B, N, N, 3) of the skin, see `tint`; wants a placement that can be tinted.

        Returns:
            (B, H, W, 3) uint8; the very same tensor where nothing moves.
        """
        canvas = Canvas(frames, self._rasterizer)
        window = window_around(placement.skin.vertices, canvas.bounds)
        if window is None or (gain is None and float(placement.moved.max()) < STILL):
            return frames
        values, covered = placement.skin.drawn(canvas, window)
        picture = canvas.sample(values[..., :2], window)
        if gain is not None:
            tint(picture, values[..., 2:], gain)
        for opening in placement.openings:
            _fill(canvas, opening, picture, covered, window)
        top, bottom, left, right = window
        edited = frames.clone()
        edited[:, top:bottom, left:right] = picture
        return edited


def _fill(canvas: Canvas, opening: Opening, picture: Tensor, covered: Tensor, bounds: Window) -> None:
    """Draws an eye or the mouth into `picture`, which shows `bounds`, where the skin leaves it open."""
    window = window_around(torch.cat([opening.reach, opening.rim.vertices[..., :2]], 1), bounds)
    if window is None:
        return
    band, _ = opening.rim.drawn(canvas, window)
    rim = canvas.sample(band[..., :2], window)
    colour, opacity = opening.inside(canvas, window, rim, band[..., 2:])
    colour = colour + opacity * (rim.float() - colour)
    top, left = window[0] - bounds[0], window[2] - bounds[2]
    area = (slice(None), slice(top, top + colour.shape[1]), slice(left, left + colour.shape[2]))
    hidden = covered[area][..., None]
    picture[area] = torch.where(hidden, picture[area], (colour + 0.5).clamp(0, 255).to(torch.uint8))
