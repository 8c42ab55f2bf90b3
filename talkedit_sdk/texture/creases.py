"""Folds that a person's skin shows already, and that go when the face relaxes: nobody can render them away without
having seen where they are."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.face.smooth import smoothstep
from talkedit_sdk.face.topology import BROW_LEFT, BROW_RIGHT
from talkedit_sdk.texture.folds import FoldLook, lines
from talkedit_sdk.texture.relief import Surface, point_drive
from talkedit_sdk.texture.skin import gaussian_blur
from talkedit_sdk.texture.uv import TexelMap

_BAND = (0.8 / 256, 20.0 / 256)  # sides of the texture, between which folds are; pores are finer, light is broader
_BROAD = 64  # texels of a side on which what is broader is found
_DEEPEST = 0.7  # log units, approached softly: what is darker is no fold
_AROUND = 0.13  # model units, how far from a line the skin relaxes with it
_FAR = 0.06  # of 1 at a line; what is less is not near
_COARSE = 48  # texels of a side on which that is worked out
_CLEAR = (0.015, 0.06)  # model units from lids, lips and outline where nothing is touched, and from where all
_BROWS = (0.0, 0.035)  # likewise from brows, whose hairs are no folds
_LOWEST = 0.3  # height on the mean face, below which beards grow and lips move too much to tell
_LEAST = 0.22  # drive of a point below which what goes counts for less
_ALIKE = 0.08  # difference of the drive around it at which skin shows much the same
_ALWAYS = 0.5  # share that stays of what a person shows in all views, as it may be no fold
_DOUBT = 1e-4  # of 1 for a view that shows the same; what there is otherwise counts so much
_SEEN = 1e-3


@dataclass(frozen=True)
class _Geometry:
    """How texels go along with P points on lines where skin folds. They do so smoothly: it is worked out on a coarser
    texture of C texels.

    Members:
        side: N of the textures.
        where: (S',) texels of them that are near a line.
        reach: (S',) in [0, 1], how near.
        mean: (C, P) sparse, sums to 1 over the points that are near.
        drive: (P, 52) what folds each point.
    """

    side: int
    where: Tensor
    reach: Tensor
    mean: Tensor
    drive: Tensor

    def driven(self, coefficients: Tensor) -> Tensor:
        """(T, 52) -> (T, P) how much folds the skin at each point."""
        return (coefficients @ self.drive.T).clamp_min(0)

    def around(self, values: Tensor) -> Tensor:
        """(T, P) of the points -> (T, S') means around each texel."""
        return _enlarged(torch.sparse.mm(self.mean, values.T).T, self.side)[:, self.where]


class CreaseFinder:
    """Finds folds in what people show.

    Args:
        model: of the face.
        texels: the layout of the textures, of any side.
    """

    def __init__(self, model: FaceModel, texels: TexelMap) -> None:
        self._geometry = _geometry(model, texels)

    def find(self, skin: Tensor, visible: Tensor, coefficients: Tensor, usual: Tensor) -> Creases:
        """The folds of one person.

        Args:
            skin, visible, coefficients: K views as for `TextureEditor.know`, K at least 1.
            usual: (1, 3, n, n) this person's skin without folds.
        """
        size = (self._geometry.side, self._geometry.side)
        seen = interpolate(visible[:, None].float(), size, mode="area")
        beyond = interpolate(skin.float(), size, mode="area") - interpolate(usual, size, mode="bicubic")
        where = self._geometry.where
        folds = _band(beyond, seen).flatten(2)[:, :, where]
        driven = self._geometry.around(self._geometry.driven(coefficients))
        return Creases(self._geometry, folds, seen.flatten(1)[:, where], driven)


@dataclass(frozen=True)
class Creases:
    """What K views of one person show of folds, and how much of that goes.

    Members:
        geometry: of S' texels.
        folds: (K, 3, S') log colours.
        seen: (K, S') in [0, 1].
        driven: (K, S') how much folded the skin in each view, around each texel.
    """

    geometry: _Geometry
    folds: Tensor
    seen: Tensor
    driven: Tensor

    def add_going(self, gain: Tensor, before: Tensor, after: Tensor) -> None:
        """Adds to log gains (T, 3, N, N) what takes folds away between coefficients (T, 52): nothing where they stay or
        come."""
        geometry = self.geometry
        now, then = geometry.driven(before), geometry.driven(after)
        lost, had = (now.square() - then.square()).clamp_min(0), now.square().clamp_min(_LEAST**2)
        gone = geometry.reach * geometry.around(lost) / geometry.around(had)
        shown, _ = self._shown(geometry.around(now), at_most=False)
        left, known = self._shown(geometry.around(then), at_most=True)
        known = known.maximum(_ALWAYS * (self.seen.sum(0) - 1).clamp(0, 1))
        gain.flatten(2)[:, :, geometry.where] += gone[:, None] * (known[:, None] * left - shown)

    def _shown(self, driven: Tensor, at_most: bool) -> tuple[Tensor, Tensor]:
        """(T, S') -> (T, 3, S') what views show of folds so much driven, or at most so much, and (T, S') in [0, 1]
        whether any does."""
        apart = self.driven - driven[:, None]
        apart = apart.clamp_min(0) if at_most else apart
        alike = torch.exp(-0.5 * (apart / _ALIKE).square()) * self.seen
        trust = alike + _DOUBT * self.seen
        shown = torch.einsum("tks,kcs->tcs", trust, self.folds) / trust.sum(1).clamp_min(_DOUBT**2)[:, None]
        return shown, alike.amax(1)


def _geometry(model: FaceModel, texels: TexelMap) -> _Geometry:
    surface = Surface(model, TexelMap(model, _COARSE))
    drives, weights = [], []
    for line in lines(FoldLook()):
        if float(line.points[:, 1].mean()) < _LOWEST:
            points, _, _ = surface.lift(line.points.to(model.device))
            weights.append(torch.exp(-0.5 * (torch.cdist(surface.places, points) / _AROUND).square()))
            drives.append(point_drive(model, surface, line))
    weight = torch.cat(weights, 1)
    weight = weight * (weight > _FAR)
    mean, reach = weight.new_zeros(_COARSE**2, weight.shape[1]), weight.new_zeros(1, _COARSE**2)
    mean[surface.where], reach[0, surface.where] = weight / weight.sum(1, keepdim=True).clamp_min(_FAR), weight.amax(1)
    fine = Surface(model, texels)
    from_brows = torch.cdist(fine.places, _brows(model.mean)).amin(1)
    bare = smoothstep(fine.clear, *_CLEAR) * smoothstep(from_brows, *_BROWS)
    near = bare * _enlarged(reach, texels.side)[0, fine.where]
    used = near > _FAR
    return _Geometry(texels.side, fine.where[used], near[used], mean.to_sparse(), torch.cat(drives))


def _enlarged(values: Tensor, side: int) -> Tensor:
    """(T, C) of the coarse texture -> (T, N · N)."""
    maps = values.view(-1, 1, _COARSE, _COARSE)
    return interpolate(maps, (side, side), mode="bilinear", align_corners=False).flatten(1)


def _brows(mean: Tensor) -> Tensor:
    """(P, 3) points all over the brows of the mean face."""
    points = []
    for brow in (BROW_RIGHT, BROW_LEFT):
        upper, lower = mean[list(brow[:5])], mean[list(brow[:4:-1])]
        edges = torch.stack([torch.lerp(upper, lower, share) for share in (0.0, 0.33, 0.67, 1.0)])
        steps = torch.linspace(0, 1, 9, device=mean.device)[:, None, None, None]
        points.append(torch.lerp(edges[:, :-1], edges[:, 1:], steps).reshape(-1, 3))
    return torch.cat(points)


def _band(skin: Tensor, visible: Tensor) -> Tensor:
    """(K, 3, N, N), (K, 1, N, N) -> the former, only what is as wide as folds."""
    side = skin.shape[-1]
    step = max(1, side // _BROAD)
    fine = _mean(visible * skin, visible, _BAND[0] * side)
    coarse = _mean(avg_pool2d(visible * skin, step), avg_pool2d(visible, step), _BAND[1] * side / step)
    coarse = interpolate(coarse, (side, side), mode="bilinear", align_corners=False)
    return _DEEPEST * torch.tanh((fine - coarse) / _DEEPEST)


def _mean(weighted: Tensor, weight: Tensor, sigma: float) -> Tensor:
    return gaussian_blur(weighted, sigma) / gaussian_blur(weight, sigma).clamp_min(_SEEN)
