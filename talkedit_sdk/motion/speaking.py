"""A face that says something else: lips that part exactly as far as the speech wants, whatever they do in the source,
and lids that blink."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import Tensor

from talkedit_sdk.face.fit import FaceFit, bend
from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.face.pose import Pose
from talkedit_sdk.face.topology import INDEX, LIPS_INNER, LIPS_OUTER, VERTICES
from talkedit_sdk.motion.lids import LidGuard
from talkedit_sdk.motion.mouth import CLOSED, LipGuard

_BLINK: Final = ("eyeBlinkRight", "eyeBlinkLeft")  # in the order of the eyes of `LidGuard`
_MIDDLE: Final = slice(3, 6)  # of the pairs of inner lips
_SLACK: Final = 0.015  # model units that lips close by themselves; the rest is done by the jaw
_HEM: Final = 0.18  # share of the thickness of a lip
_PRESSED: Final = 0.006  # model units, about half a millimetre
_CONTOURS: Final = (*LIPS_INNER, *LIPS_OUTER)
_REACH: Final = 0.11  # model units around the lips over which the skin goes along
_NEAR: Final = 0.04  # model units between vertices that move as one


@dataclass(frozen=True)
class Speaking:
    """What the geometry of T frames has to come to.

    Members:
        gaps: (T, 9) vertical distances of the inner lips, model units, see `LipGuard.gaps`.
        lids: (T,) how far the lids are apart, relative to the source with the expression.
        gaze: (T, 2) by how many of their radii the irises move right and down in the picture.
        strength: (T,) share of all this.
        shape: (T, 468, 3) or (1, 468, 3), model units: what the person's face has beyond the face model, usually. What
            a frame has beyond that is how the source speaks.
        filmed: whether the source is a film, so that what is seen in the mouth belongs to what is said there.
    """

    gaps: Tensor
    lids: Tensor
    gaze: Tensor
    strength: Tensor
    shape: Tensor
    filmed: bool

    def __getitem__(self, rows: slice) -> Speaking:
        return replace(self, **{name: getattr(self, name)[rows] for name in ("gaps", "lids", "gaze", "strength")})


class SpeechGuard:
    """Corrects displacements of the whole face as `Speaking` says.

    Args:
        model: face model.
        lids: as for the expression.
    """

    def __init__(self, model: FaceModel, lids: LidGuard) -> None:
        self._lips, self._lids = LipGuard(model.mean, _REACH), lids
        half = len(LIPS_INNER) // 2
        self._hems = [
            [list(contour[1:half]) for contour in (LIPS_INNER, LIPS_OUTER)],
            [list(contour[:half:-1]) for contour in (LIPS_INNER, LIPS_OUTER)],
        ]
        self._jaw = model.rendered[INDEX["jawOpen"]]
        self._drop = self._lips.gaps(self._jaw)[_MIDDLE].mean()
        self._blink = model.rendered[[INDEX[name] for name in _BLINK]]
        self._around = _around(model.mean) * model.mobility

    def without_teeth(self, landmarks: Tensor, pose: Pose) -> Tensor:
        """(T, 478, 3) landmarks with the inner lips of open mouths a little further into the red: where they touch what
        is behind them, a line of teeth would be left between lips that close."""
        gap = self._lips.gaps(pose.to_model(landmarks[:, :VERTICES]))
        share = _HEM * ((gap - 2 * CLOSED) / CLOSED).clamp(0, 1)[..., None]
        hemmed = landmarks.clone()
        for inner, outer in self._hems:
            hemmed[:, inner] += share * (landmarks[:, outer] - landmarks[:, inner])
        return hemmed

    def __call__(self, offsets: Tensor, vertices: Tensor, explained: Tensor, speaking: Speaking) -> Tensor:
        """offsets: (T, 468, 3) as the coefficients want them, model units; vertices: (T, 468, 3) the source's;
        explained: (T, 468, 3) the source's as the fit has them -> (T, 468, 3)."""
        strength = speaking.strength[:, None]
        own = (vertices - explained - speaking.shape)[:, list(_CONTOURS)]
        offsets = offsets - strength[..., None] * torch.einsum("tlc,lv->tvc", own, self._around)
        gap = self._lips.gaps(vertices)
        wanted = gap + strength * (speaking.gaps - gap)
        excess = (gap + self._lips.gaps(offsets) - wanted)[:, _MIDDLE].mean(1)
        offsets = offsets - ((excess - _SLACK).clamp_min(0) / self._drop)[:, None, None] * self._jaw
        offsets = self._lips.part(offsets, vertices, wanted)
        offsets = self._lids(offsets, vertices)
        apart = 1 + strength * (speaking.lids[:, None] - 1)
        moving = (apart != 1).any(1)
        if moving.any():
            shut = (1 - apart[moving]).clamp_min(0)
            blink = offsets[moving] + torch.einsum("te,evc->tvc", shut.expand(-1, 2), self._blink)
            offsets[moving] = self._lids.part(blink, vertices[moving], offsets[moving], apart[moving])
        return offsets


def _around(mean: Tensor) -> Tensor:
    """(40, 468) how far every vertex goes along with each of the contours of the lips, itself with itself."""
    contours = list(_CONTOURS)
    distance = torch.cdist(mean[contours], mean)
    share = torch.softmax(-0.5 * (distance / _NEAR) ** 2, dim=0)
    share = share * torch.exp(-0.5 * (distance.amin(0) / _REACH) ** 2)
    share[:, contours] = torch.eye(len(contours), device=mean.device)
    return share


def usual_shape(model: FaceModel, fit: FaceFit, vertices: Tensor, rows: slice) -> Tensor:
    """(1, 468, 3) what a person's face usually has beyond the model, from pixels (S, 468, 3) of some rows of a fit."""
    return (fit.pose[rows].to_model(vertices) - explained(model, fit, rows)).median(0, keepdim=True).values


def explained(model: FaceModel, fit: FaceFit, rows: slice) -> Tensor:
    """(T, 468, 3) vertices as the fit has them, model units."""
    return fit.neutral + bend(model, fit.pose[rows]) + model.displacement(fit.coefficients[rows])


def spoken_gaps(model: FaceModel, coefficients: Tensor, closed: Tensor) -> Tensor:
    """How far the inner lips part.

    Coefficients say by how much more than in a face at rest, whose lips touch.

    Args:
        coefficients: (T, 52).
        closed: (T,) 1 where lips have to touch, 0 where they are free.

    Returns:
        (T, 9) model units, see `LipGuard.gaps`; lips that have to touch overlap a little, or specks of what is behind
        would be left between them.
    """
    opening = coefficients @ LipGuard(model.mean).gaps(model.rendered)
    return torch.lerp(opening.clamp_min(0), torch.full_like(opening, -_PRESSED), closed[:, None])
