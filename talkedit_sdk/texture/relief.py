"""The relief of folded skin: what lines of folds raise on the texels around them, and what drives them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize, softplus

from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.face.smooth import smoothstep
from talkedit_sdk.face.topology import EYE_LEFT, EYE_RIGHT, INDEX, LIPS_INNER, LIPS_OUTER, OVAL
from talkedit_sdk.texture.folds import Line
from talkedit_sdk.texture.light import surface_normals
from talkedit_sdk.texture.uv import TexelMap

_REACH = 6.0  # widths from a line to where its shoulders end
_GAUGE = 0.07  # model units either side of a line between which its skin is measured
_MIDDLE = 0.06  # model units over which the muscles of one side give way to those of the other
_CLEAR = (0.01, 0.05)  # model units from lids, lips and outline where no fold is, and from where all of it
_MARGIN = 0.1  # model units around places in which to look for texels
_FINEST = 0.8  # texels, the narrowest valley that a texture can hold
_SLACK, _ONSET = 0.14, 0.05  # fullness that shows nothing, and how gradually it begins to show
_FULLEST = 1.3


class Surface:
    """The mean face, texel by texel.

    Members:
        where: (S,) int64, which of the N·N texels are inside.
        places, normals: (S, 3) of them.
        clear: (S,) distance from lids, lips and outline, 0 between the lips.
    """

    def __init__(self, model: FaceModel, texels: TexelMap) -> None:
        self._corners = torch.from_numpy(texels.corners).to(model.device)
        self._weights = torch.from_numpy(texels.weights).to(model.device)
        self.where = torch.from_numpy(texels.inside).flatten().nonzero()[:, 0].to(model.device)
        self.places = self.spread(model.mean)
        self.normals = normalize(self.spread(surface_normals(model.mean, model.triangles)), dim=-1)
        edges = model.mean[[*EYE_LEFT, *EYE_RIGHT, *LIPS_OUTER, *LIPS_INNER, *OVAL]]
        lips = torch.tensor(LIPS_INNER, device=model.device)
        between = torch.isin(self._corners, lips).all(1)
        self.clear = torch.cdist(self.places, edges).amin(1) * ~between

    def spread(self, values: Tensor) -> Tensor:
        """(..., 468, C) of the vertices -> (..., S, C) of the texels."""
        return torch.einsum("sk,...skc->...sc", self._weights, values[..., self._corners, :])

    def lift(self, flat: Tensor) -> tuple[Tensor, Tensor, float]:
        """(M, 2) places seen from the front -> points (M, 3) of the surface, its normals, and how far apart texels are
        there, model units."""
        texels, weights = self._around(flat)
        places = self.places[texels]
        depth = (places[..., 2] * weights).sum(-1, keepdim=True)
        normals = normalize((self.normals[texels] * weights[..., None]).sum(-2), dim=-1)
        return torch.cat([flat, depth], -1), normals, float((places[:, 1:] - places[:, :1]).norm(dim=-1).mean())

    def sample(self, values: Tensor, flat: Tensor) -> Tensor:
        """(..., 468, C) of the vertices -> (..., M, C) at places seen from the front."""
        texels, weights = self._around(flat)
        corners = values[..., self._corners[texels], :] * self._weights[texels][..., None]
        return (corners.sum(-2) * weights[..., None]).sum(-2)

    def within(self, flat: Tensor, margin: float) -> Tensor:
        """Texels in the rectangle around places seen from the front."""
        low, high = flat.amin(0) - margin, flat.amax(0) + margin
        return ((self.places[:, :2] > low) & (self.places[:, :2] < high)).all(1).nonzero()[:, 0]

    def _around(self, flat: Tensor) -> tuple[Tensor, Tensor]:
        near = self.within(flat, _MARGIN)
        distance, nearest = torch.cdist(flat, self.places[near, :2]).topk(4, largest=False)
        texels = near[nearest]
        weights = 1 / (distance.square() + 1e-6)
        return texels, weights / weights.sum(-1, keepdim=True)


@dataclass(frozen=True)
class Relief:
    """All folds of a look, P points on lines, over the S' of S texels that they reach.

    Members:
        texels: (S',) int64. normals: (S', 3).
        drive: (P, 52) how full each point gets with each coefficient.
        raised: (4 · S', P) sparse: darkness of the valley and three components of slope that a full point raises.
    """

    texels: Tensor
    normals: Tensor
    drive: Tensor
    raised: Tensor

    def fullness(self, coefficients: Tensor) -> Tensor:
        """(T, 52) -> (T, P) from 0, how far each point is folded."""
        excess = _ONSET * softplus((coefficients @ self.drive.T - _SLACK) / _ONSET)
        return _FULLEST * torch.tanh(excess / _FULLEST)

    def fields(self, fullness: Tensor) -> tuple[Tensor, Tensor]:
        """(T, P) -> how dark the valleys are, (S', T), and the slope of the height, (3, S', T)."""
        fields = torch.sparse.mm(self.raised, fullness.T).view(4, len(self.texels), -1)
        return fields[0], fields[1:]


def point_drive(model: FaceModel, surface: Surface, line: Line) -> Tensor:
    """(M, 52) how full each point of a line gets with each coefficient."""
    flat = line.points.to(model.device)
    return _drive(model, surface, line, flat, _across(*surface.lift(flat)[:2])[1])


def raise_folds(model: FaceModel, surface: Surface, lines: Iterable[Line]) -> Relief:
    """The relief of some lines."""
    parts = [_raised(model, surface, line) for line in lines]
    used = torch.unique(torch.cat([part.texels for part in parts]))
    rows, columns, first = [], [], 0
    for part in parts:
        rows.append(torch.searchsorted(used, part.texels))
        columns.append(part.points + first)
        first += len(part.drive)
    row, column, values = torch.cat(rows), torch.cat(columns), torch.cat([part.values for part in parts])
    where = torch.stack([torch.cat([row + field * len(used) for field in range(4)]), column.repeat(4)])
    size = (4 * len(used), first)
    raised = torch.sparse_coo_tensor(where, values.T.flatten(), size, check_invariants=False).coalesce()
    return Relief(used, surface.normals[used], torch.cat([part.drive for part in parts]), raised)


@dataclass(frozen=True)
class _Raised:
    """Of one line with M points: K pairs of texels and points, values (K, 4) as in `Relief.raised`, drive (M, 52)."""

    texels: Tensor
    points: Tensor
    values: Tensor
    drive: Tensor


def _raised(model: FaceModel, surface: Surface, line: Line) -> _Raised:
    fold, flat = line.fold, line.points.to(model.device)
    points, normals, pitch = surface.lift(flat)
    tangents, across = _across(points, normals)
    width = max(fold.width, _FINEST * pitch)
    reach = _REACH * width
    texels = surface.within(flat, reach)
    distance, first = torch.cdist(surface.places[texels], points).min(1)
    texels, distance, first = (each[distance < reach] for each in (texels, distance, first))
    apart, step = surface.places[texels] - points[first], tangents[first]
    offset = (apart * across[first]).sum(-1).sign() * distance / width
    beyond = (apart * step).sum(-1) / step.square().sum(-1)
    # Between the points of a line its depth runs straight from each to the next.
    second = (first + torch.where(beyond > 0, 1, -1)).clamp(0, len(points) - 1)
    share = beyond.abs().clamp(0, 1)
    depth = line.depth.to(model.device) * (fold.width / width) ** 0.5 / width  # a coarse texture keeps what is seen
    depths = torch.stack([(1 - share) * depth[first], share * depth[second]])
    slope = (_height(offset + 0.05, fold.bulge) - _height(offset - 0.05, fold.bulge)) / 0.1
    values = torch.cat([_cavity(offset, fold.bulge)[:, None], slope[:, None] * across[first]], -1)
    values = values * smoothstep(surface.clear[texels], *_CLEAR)[:, None]
    return _Raised(
        texels.repeat(2),
        torch.cat([first, second]),
        (values * depths[..., None]).flatten(0, 1),
        _drive(model, surface, line, flat, across),
    )


def _across(points: Tensor, normals: Tensor) -> tuple[Tensor, Tensor]:
    """(M, 3) points of a line and normals there -> steps along it, and directions across it on the surface."""
    tangents = torch.gradient(points, dim=0)[0]
    return tangents, normalize(torch.cross(normals, tangents, dim=-1), dim=-1)


def _drive(model: FaceModel, surface: Surface, line: Line, flat: Tensor, across: Tensor) -> Tensor:
    """(M, 52): the share by which the mesh compresses the skin across a line, and the muscles that it does not show."""
    aside = _GAUGE * across[:, :2]
    shapes = torch.cat([model.mean[None], model.rendered])
    one, other = surface.sample(shapes, torch.cat([flat - aside, flat + aside])).chunk(2, dim=1)
    gaps = other - one
    squeezed = -(gaps[1:] * gaps[0]).sum(-1) / gaps[0].square().sum(-1).clamp_min(_GAUGE**2)
    drive = line.fold.strain * squeezed.T
    left = smoothstep(flat[:, 0], -_MIDDLE, _MIDDLE)
    for name, gain in line.fold.muscles.items():
        if name in INDEX:
            drive[:, INDEX[name]] += gain
        else:
            drive[:, INDEX[f"{name}Left"]] += gain * left
            drive[:, INDEX[f"{name}Right"]] += gain * (1 - left)
    return drive


def _height(offset: Tensor, bulge: float) -> Tensor:
    """Profile across a fold at (K,) widths from its middle: a sharp valley of depth 1 between soft shoulders."""
    left = torch.exp(-0.5 * ((offset + 2.3) / 1.3).square())
    right = torch.exp(-0.5 * ((offset - 2.3) / 1.3).square())
    return 0.32 * ((1 + bulge) * right + (1 - bulge) * left) - (1 + offset.square()) ** -1.5


def _cavity(offset: Tensor, bulge: float) -> Tensor:
    """How dark a full fold is there, 1 in the valley, less than 0 on its shoulders."""
    shoulder = torch.exp(-0.5 * ((offset.abs() - 2.6) / 1.2).square()) * (1 + bulge * offset.sign())
    return torch.exp(-0.5 * (offset / 0.9).square()) - 0.16 * shoulder
