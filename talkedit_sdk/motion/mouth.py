"""Mouth shape preservation, by geometry on the lip vertices.

The paper trades lip sync against exaggeration with a loss; here the same trade is a projection. Lip features (vertical
openings at five pairs of inner-lip vertices, width, protrusion, and the height of the lips over the teeth) are linear
in the coefficients, so the edited coefficients that keep a given share of the source's features are a small bounded
least-squares problem (`LipProjection`). What bounds leave over is corrected on the vertices themselves (`LipGuard`),
inner and outer contour together.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from talkedit_sdk.face.fit import solve_bounded
from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.face.smooth import smoothstep
from talkedit_sdk.face.topology import BLENDSHAPES, INDEX, LIP_PAIRS, LIPS_INNER, LIPS_OUTER, MOUTH_CORNERS, VERTICES

CLOSED: Final = 0.012
"""Inner-lip gap in model units (about 1 mm) under which lips count as closed."""

_OPEN: Final = 0.040
_STIFFNESS: Final = 3e4  # of the lip features, against 1 for a change of coefficient
_ITERATIONS: Final = 100
_SEAL: Final = 0.5  # of the gap that closed lips show
_SEALED_FROM: Final = 0.01  # model units of motion
_LIFT: Final = 0.008  # model units that an upper lip may rise over teeth, and a little more where many are seen
_DRAPE: Final = 0.24  # model units below the lower lip in which skin goes down with it
_LIPS: Final = (*LIPS_INNER, *LIPS_OUTER)
_BELOW: Final = LIPS_OUTER[len(LIPS_OUTER) // 2 + 1 :]
_FREE: Final = ("jaw", "mouth")  # what may give way, by the first letters of its name
_EXPRESSIVE: Final[dict[str, float]] = {"mouthSmile": 12.0, "mouthFrown": 12.0, "mouthDimple": 2.0, "mouthUpperUp": 2.0}


def lip_gaps(vertices: Tensor) -> Tensor:
    """(T, 468, 3) model-space vertices -> (T, 5) vertical distances of the inner lips at `LIP_PAIRS`."""
    upper, lower = (torch.tensor([pair[side] for pair in LIP_PAIRS], device=vertices.device) for side in (0, 1))
    return vertices[:, lower, 1] - vertices[:, upper, 1]


def closedness(gaps: Tensor) -> Tensor:
    """(T, 5) gaps -> (T,) 1 where the lips touch, 0 where they are clearly open, smooth between."""
    return smoothstep(gaps[:, 1:4].mean(1), _OPEN, CLOSED)


class LipProjection:
    """Edited coefficients whose lips keep a share of the source's features."""

    def __init__(self, model: FaceModel) -> None:
        basis = model.rendered
        upper, lower = ([pair[side] for pair in LIP_PAIRS] for side in (0, 1))
        openings = basis[:, lower, 1] - basis[:, upper, 1]
        width = basis[:, [MOUTH_CORNERS[1]], 0] - basis[:, [MOUTH_CORNERS[0]], 0]
        protrusion = basis[:, [0, 13, 14, 17], 2].mean(1, keepdim=True)
        lift = basis[:, [0, 13, 14, 17], 1].mean(1, keepdim=True)
        self.features = torch.cat([openings, width, 0.7 * protrusion, 0.7 * lift], 1).T
        """(8, 52): lip features per unit of each coefficient."""
        free = [name for name in BLENDSHAPES if name.startswith(_FREE)]
        self._free = torch.tensor([INDEX[name] for name in free], device=model.device)
        self._costs = torch.tensor([_cost(name) for name in free], device=model.device)
        self._lips = self.features[:, self._free]
        self._gram = _STIFFNESS * self._lips.T @ self._lips + torch.diag(self._costs)

    def __call__(self, before: Tensor, wanted: Tensor, held: Tensor) -> Tensor:
        """before, wanted: (T, 52); held: (T,) or (T, 8), share of the change of the features that is taken back -> (T,
        52) in [0, 1], equal to `wanted` where held is 0 and outside mouth and jaw."""
        held = held[:, None] if held.ndim == 1 else held
        change = (wanted - before) @ self.features.T
        free = wanted[:, self._free]
        kept = free @ self._lips.T - held * change
        target = _STIFFNESS * kept @ self._lips + self._costs * free
        found = wanted.clone()
        found[:, self._free] = solve_bounded(self._gram, target, free, _ITERATIONS)
        return torch.where((held > 0).any(1, keepdim=True), found, wanted)


def _cost(name: str) -> float:
    """How unwilling a coefficient is to give way: what carries the emotion less than the rest."""
    return next((cost for prefix, cost in _EXPRESSIVE.items() if name.startswith(prefix)), 1.0)


class LipGuard:
    """Moves lip vertices so that the inner lips open as they should, never pass through each other, and do not bare the
    upper teeth beyond what the frame can show.

    Args:
        mean: (468, 3) mean face of the model.
        reach: model units over which the skin around the lips goes along with a correction.
    """

    def __init__(self, mean: Tensor, reach: float = 0.06) -> None:
        half = len(LIPS_INNER) // 2
        self._upper = torch.tensor(LIPS_INNER[1:half], device=mean.device)
        self._lower = torch.tensor(LIPS_INNER[half + 1 :][::-1], device=mean.device)
        self._weights = _spread(mean, reach)
        columns = torch.linspace(-1, 1, half - 1, device=mean.device).abs()
        self._middle = ((1 - columns) / 0.5).clamp(0, 1)
        self._drape = _drape(mean)

    def __call__(self, offsets: Tensor, vertices: Tensor, held: Tensor) -> Tensor:
        """Corrects displacements of the whole face.

        Args:
            offsets: (T, 468, 3) displacement to be corrected, model units.
            vertices: (T, 468, 3) the source's vertices in model space.
            held: (T,) share of the change of opening that is taken back.

        Returns:
            (T, 468, 3) offsets.
        """
        gap = self.gaps(vertices)
        change = self.gaps(offsets)
        kept = (1 - held)[:, None] * change - self._seal(gap, offsets, held)
        return self._opened(offsets, gap, torch.maximum(kept, -gap.clamp_min(0)))

    def part(self, offsets: Tensor, vertices: Tensor, gaps: Tensor) -> Tensor:
        """Corrects displacements so that the inner lips come to be `gaps` (T, 9) apart, see `gaps`; the rest as in a
        call."""
        gap = self.gaps(vertices)
        return self._opened(offsets, gap, gaps - gap)

    def gaps(self, points: Tensor) -> Tensor:
        """(..., 468, 3) vertices or offsets -> (..., 9) vertical distances of the inner lips between the corners."""
        return points[..., self._lower, 1] - points[..., self._upper, 1]

    def _opened(self, offsets: Tensor, gap: Tensor, allowed: Tensor) -> Tensor:
        """Offsets that change the gap (T, 9) of the inner lips by what is allowed (T, 9)."""
        excess = self.gaps(offsets) - allowed
        corrected = offsets.clone()
        corrected[..., 1] += excess @ self._weights
        lifted = -corrected[:, self._upper, 1]
        parted = ((gap + allowed - CLOSED) / (_OPEN - CLOSED)).clamp(0, 1)
        too_high = parted * self._middle * (lifted - _LIFT - 0.3 * gap.clamp_min(0)).clamp_min(0)
        corrected[..., 1] += too_high @ (2 * self._weights.abs())
        below = corrected[:, list(_BELOW), 1].clamp_min(0) @ self._drape
        corrected[..., 1] = torch.where(self._drape.any(0), corrected[..., 1].maximum(below), corrected[..., 1])
        return corrected

    def _seal(self, gap: Tensor, offsets: Tensor, held: Tensor) -> Tensor:
        """(T, 9) by which lips that touch in the source are pressed on, so that moving them does not part them."""
        moving = (offsets[:, self._upper].square().sum(-1).sqrt().amax(1) / _SEALED_FROM).clamp(0, 1)
        touching = ((_OPEN - gap) / (_OPEN - CLOSED)).clamp(0, 1).square()
        return _SEAL * gap.clamp_min(0) * touching * (held * moving)[:, None]


def _drape(mean: Tensor) -> Tensor:
    """(9, 468) share of the way down of the lower lip's edge that the skin below goes along at least, or it would pile
    up in a line right under the lip."""
    edge = mean[list(_BELOW)]
    width = (edge[1:, 0] - edge[:-1, 0]).abs().mean()
    near = torch.exp(-0.5 * ((mean[None, :, 0] - edge[:, None, 0]) / width) ** 2)
    down = mean[:, 1] - (near * edge[:, 1:2]).sum(0) / near.sum(0).clamp_min(1e-3)
    beside = torch.cdist(mean, edge).min(1).values
    share = near / near.sum(0).clamp_min(1e-3) * smoothstep(beside, _DRAPE, 0)
    share[
        :, (down <= 0) | torch.isin(torch.arange(VERTICES, device=mean.device), torch.tensor(_LIPS, device=mean.device))
    ] = 0
    return share


def _spread(mean: Tensor, reach: float) -> Tensor:
    """(9, 468) vertical move per unit of excess opening at each pair of inner-lip vertices: half up below, half down
    above.

    Both lips follow whole, so that they keep their thickness, and the skin around them fades out smoothly.
    """
    half = len(LIPS_INNER) // 2
    weights = torch.zeros(half - 1, VERTICES, device=mean.device)
    sides = (
        (0.5, LIPS_INNER[1:half], LIPS_OUTER[1:half]),
        (-0.5, LIPS_INNER[half + 1 :][::-1], LIPS_OUTER[half + 1 :][::-1]),
    )
    contours = [vertex for _, inner, outer in sides for vertex in inner + outer]
    middle = (mean[LIPS_INNER[half // 2], 1] + mean[LIPS_INNER[-half // 2], 1]) / 2
    for sign, inner, outer in sides:
        columns = mean[list(inner), 0]
        width = (columns[1:] - columns[:-1]).abs().mean()
        own_side = (mean[:, 1] < middle) if sign > 0 else (mean[:, 1] >= middle)
        near = torch.exp(-0.5 * ((mean[None, :, 0] - columns[:, None]) / width) ** 2)
        lips = mean[list(inner) + list(outer)]
        distance = torch.cdist(mean, lips).min(1).values
        fade = torch.exp(-0.5 * (distance / reach) ** 2) * own_side
        share = near / near.sum(0, keepdim=True).clamp_min(1e-3)
        side = share * fade
        side[:, contours] = 0  # of the other lip, which may reach over the middle at the corners
        side[:, list(inner)] = torch.eye(half - 1, device=mean.device)
        side[:, list(outer)] = torch.eye(half - 1, device=mean.device)
        weights += sign * side
    return weights
