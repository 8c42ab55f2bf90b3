"""Lids that stay lids: closed eyes stay closed, half-shut ones open in proportion, and lids never cross.

An expression says how far lids part from where they usually are; a blink, a wink or a look down is the speaker's own.
So what the expression does to the gap between the lids counts as far as the eye is open in this frame.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from torch import Tensor

from talkedit_sdk.face.fit import FaceFit
from talkedit_sdk.face.smooth import smoothstep
from talkedit_sdk.face.topology import EYE_LEFT, EYE_RIGHT, VERTICES
from talkedit_sdk.face.track import FaceTrack

_SAMPLE: Final = 256  # frames from which the usual opening is taken
_USUAL: Final = 0.75  # quantile of the opening over a clip: blinks and looks down lie below
_PLAUSIBLE: Final = (0.55, 1.1)  # range of the usual opening, relative to the neutral face
_SHUT: Final = (0.22, 0.80)  # opening, relative to the usual one, at which lids keep still and at which they are free
_WIDER: Final = (0.25, 0.30)  # share of the gap by which lids part freely, and by how much more at the very most
_NARROWER: Final = 0.5  # share of the gap that lids leave freely; less and less beyond, never nothing
_TINY: Final = 1e-4
_LOWERED: Final = 0.4  # share of the motion of a lower lid that falls: it hardly can, landmarks go down as brows go up
_SIDEWAYS: Final = 0.3  # share of the motion along the lids: the corners are tied to bone, landmarks drift from there
_UPPER: Final = 0.88  # share of the upper lid in a blink
_NEAR: Final = 0.03  # model units between vertices that move as one
_REACH: Final = 0.05  # model units over which the skin around follows

_EYES: Final = torch.tensor([EYE_RIGHT, EYE_LEFT])
_HALF: Final = len(EYE_LEFT) // 2


def lid_gaps(vertices: Tensor) -> Tensor:
    """(..., 468, 3) model-space vertices -> (..., 2, 7) vertical distances of the lid margins, right eye and left eye,
    from the outer to the inner corner."""
    margin = vertices[..., _EYES.to(vertices.device), 1]
    return margin[..., _HALF + 1 :].flip(-1) - margin[..., 1:_HALF]


def usual_opening(track: FaceTrack, fit: FaceFit) -> Tensor:
    """(2,) mean gap in model units at which each eye of this person counts as open."""
    step = slice(None, None, max(1, len(track.frames) // _SAMPLE))
    landmarks = torch.from_numpy(np.array(track.landmarks[step, :VERTICES], np.float32)).to(fit.neutral.device)
    rest = lid_gaps(fit.neutral).mean(-1)
    opening = torch.quantile(lid_gaps(fit.pose[step].to_model(landmarks)).mean(-1), _USUAL, dim=0)
    return opening.maximum(_PLAUSIBLE[0] * rest).minimum(_PLAUSIBLE[1] * rest)


class LidGuard:
    """Moves the lids with the expression as far as the eye is open and the picture can show it.

    Args:
        mean: (468, 3) mean face of the model.
        usual: (2,) from `usual_opening`.
    """

    def __init__(self, mean: Tensor, usual: Tensor) -> None:
        self._eyes, self._usual = _EYES.to(mean.device), usual
        across = mean[self._eyes, 0]
        outer, inner = across[:, :1], across[:, [_HALF]]
        along = (across - outer) / (inner - outer)
        # The same for two vertices that face each other, or a line that leans would part them.
        self._along = (along + along.flip(1).roll(1, 1)) / 2
        self._weights = _spread(mean, self._eyes)

    def __call__(self, offsets: Tensor, vertices: Tensor) -> Tensor:
        """Corrects displacements of the whole face.

        Args:
            offsets: (T, 468, 3) displacement to be corrected, model units.
            vertices: (T, 468, 3) the source's vertices in model space.

        Returns:
            (T, 468, 3) offsets.
        """
        gap = lid_gaps(vertices)
        free = smoothstep(gap.mean(-1) / self._usual, *_SHUT)[..., None]
        margin = offsets[:, self._eyes, :2]
        up_down = margin[..., 1]
        corners = torch.lerp(up_down[..., :1], up_down[..., [_HALF]], self._along)
        relative = up_down - corners
        wanted = relative.clone()
        wanted[..., _HALF + 1 :] -= (1 - _LOWERED) * relative[..., _HALF + 1 :].clamp_min(0)
        change = wanted[..., _HALF + 1 :].flip(-1) - wanted[..., 1:_HALF]
        share = free * _bounded(free * change / gap.clamp_min(_TINY))
        still = torch.ones_like(free)
        shares = torch.cat([still, share, still, share.flip(-1)], -1)
        correction = torch.stack([(_SIDEWAYS - 1) * margin[..., 0], shares * wanted - relative], -1)
        corrected = offsets.clone()
        corrected[..., :2] += torch.einsum("tic,iv->tvc", correction.flatten(1, 2), self._weights)
        return corrected

    def part(self, offsets: Tensor, vertices: Tensor, open_offsets: Tensor, apart: Tensor) -> Tensor:
        """Corrects displacements so that the lids part exactly so far.

        Args:
            offsets: (T, 468, 3) displacement to be corrected, model units.
            vertices: (T, 468, 3) the source's vertices in model space.
            open_offsets: (T, 468, 3) displacement with the eye open.
            apart: (T, 1 or 2) how far the lids are apart, relative to that.

        Returns:
            (T, 468, 3) offsets; of lids that come nearer the upper one goes most of the way.
        """
        margin = (vertices + open_offsets)[:, self._eyes]
        upper, lower = margin[..., 1:_HALF, 1], margin[..., _HALF + 1 :, 1].flip(-1)
        change = (apart[..., None] - 1) * (lower - upper).clamp_min(0)
        still = torch.zeros_like(change[..., :1])
        up, down = -_UPPER * change, (1 - _UPPER) * change
        wanted = open_offsets[:, self._eyes].clone()
        wanted[..., 1] += torch.cat([still, up, still, down.flip(-1)], -1)
        correction = wanted - offsets[:, self._eyes]
        return offsets + torch.einsum("tic,iv->tvc", correction.flatten(1, 2), self._weights)


def _bounded(change: Tensor) -> Tensor:
    """Change of a gap relative to the gap -> share of it that is carried out, 1 for moderate changes."""
    free, more = _WIDER
    wider = free + more * (1 - torch.exp(-(change - free).clamp_min(0) / more))
    left = _NARROWER * torch.exp((1 + change - _NARROWER).clamp_max(0) / _NARROWER)
    done = torch.where(change > free, wider, torch.where(change < _NARROWER - 1, left - 1, change))
    return torch.where(done == change, torch.ones_like(change), done / change)


def _spread(mean: Tensor, eyes: Tensor) -> Tensor:
    """(32, 468) move of every vertex per unit of move of each vertex of the eyes' contours (2, 16).

    The skin follows the nearest of them and fades out away from the eye.
    """
    weights = torch.zeros(*eyes.shape, VERTICES, device=mean.device)
    for eye, contour in zip(weights, eyes, strict=True):
        distance = torch.cdist(mean[contour], mean)
        near = torch.softmax(-0.5 * (distance / _NEAR) ** 2, dim=0)
        eye[:] = near * torch.exp(-0.5 * (distance.amin(0) / _REACH) ** 2)
        eye[:, eyes.flatten()] = 0
        eye[:, contour] = torch.eye(len(contour), device=mean.device)
    return weights.flatten(0, 1)
