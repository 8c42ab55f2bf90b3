"""The mesh that is drawn: the face, a skirt of skin around it, and what lies behind the lids and the lips.

Everything is one triangle mesh with a place in the source and a place in the result for each vertex, so that a single
rasterization tells for each pixel of the result where in the source frame its colour comes from. Depth decides between
layers: eyeballs and mouth interior lie behind the skin and are seen where the edited lids and lips open.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.face.topology import EYE_LEFT, EYE_RIGHT, IRIS_LEFT, IRIS_RIGHT, LIPS_INNER, OVAL, VERTICES

_SKIRT: Final = ((1.10, 0.72), (1.24, 0.36), (1.42, 0.10), (1.62, 0.0))
"""Rings around the outline: distance from the centre relative to the outline, share of its motion."""

_MOUTH_ROWS: Final = (0.0, 0.22, 0.5, 0.78, 1.0)
_EYE_CORE: Final = 0.62
_BEHIND: Final = 0.6  # face heights that inner layers lie behind the skin


@dataclass(frozen=True)
class Placement:
    """The sheet in a batch of frames.

    Members:
        vertices: (T, V, 3) pixels in the result, z away from the camera.
        attributes: (T, V, 3): x and y from the result to the source, pixels, and the share of mouth cavity.
        moved: (T,) largest distance by which any vertex moves, pixels.
    """

    vertices: Tensor
    attributes: Tensor
    moved: Tensor


class Sheet:
    """Topology of the drawn mesh and how it follows the landmarks."""

    def __init__(self, model: FaceModel) -> None:
        self._oval = torch.tensor(OVAL, device=model.device)
        self._eyes = [
            (torch.tensor(contour, device=model.device), iris[0])
            for contour, iris in ((EYE_RIGHT, IRIS_RIGHT), (EYE_LEFT, IRIS_LEFT))
        ]
        half = len(LIPS_INNER) // 2
        self._upper = torch.tensor(LIPS_INNER[: half + 1], device=model.device)
        self._lower = torch.tensor([LIPS_INNER[0], *LIPS_INNER[half:][::-1]], device=model.device)
        self._rows = torch.tensor(_MOUTH_ROWS, device=model.device)
        self.triangles = torch.cat([model.triangles.long(), self._layers(model.device)]).int()
        """(F, 3) int32."""

    def place(self, landmarks: Tensor, offsets: Tensor) -> Placement:
        """landmarks: (T, 478, 3) pixels of the source; offsets: (T, 468, 3) pixels to the result."""
        face = landmarks[:, :VERTICES]
        height = (landmarks[:, 152, :2] - landmarks[:, 10, :2]).norm(dim=-1)
        behind = torch.zeros(len(face), 1, 3, device=face.device)
        behind[:, 0, 2] = _BEHIND * height
        parts = [(face, face + offsets, torch.zeros_like(face[..., 0])), self._skirt(face, offsets, height)]
        parts += [self._eyeball(landmarks, offsets, contour, iris, behind) for contour, iris in self._eyes]
        parts.append(self._mouth(face, offsets, height, behind))
        source, result, cavity = (torch.cat(columns, 1) for columns in zip(*parts, strict=True))
        shift = source[..., :2] - result[..., :2]
        return Placement(result, torch.cat([shift, cavity[..., None]], -1), shift.norm(dim=-1).amax(1))

    def _skirt(self, face: Tensor, offsets: Tensor, height: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        outline, motion = face[:, self._oval], offsets[:, self._oval]
        centre = outline.mean(1, keepdim=True)
        sources, results = [], []
        for reach, share in _SKIRT:
            motion = (motion + motion.roll(1, 1) + motion.roll(-1, 1)) / 3
            ring = centre + reach * (outline - centre)
            ring[..., 2] = outline[..., 2] + (reach - 1) * height[:, None]
            sources.append(ring)
            results.append(ring + share * motion)
        source, result = torch.cat(sources, 1), torch.cat(results, 1)
        return source, result, torch.zeros_like(source[..., 0])

    def _eyeball(
        self, landmarks: Tensor, offsets: Tensor, contour: Tensor, iris: int, behind: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Still inside; its rim follows a lid that opens and stays where a lid closes over it."""
        rim, motion = landmarks[:, contour], offsets[:, contour]
        centre = rim.mean(1, keepdim=True)
        outward = rim - centre
        outward = outward / outward.norm(dim=-1, keepdim=True).clamp_min(1e-3)
        opening = (motion * outward).sum(-1, keepdim=True).clamp_min(0) * outward
        core = centre + _EYE_CORE * (rim - centre)
        source = torch.cat([rim, core, centre], 1) + behind
        result = torch.cat([rim + 1.02 * opening, core, centre], 1) + behind
        return source, result, torch.zeros_like(source[..., 0])

    def _mouth(self, face: Tensor, offsets: Tensor, height: Tensor, behind: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Rows between the inner lips. Where lips part that were closed there is nothing to show but the cavity."""
        edited = face + offsets
        down = self._rows[None, :, None, None]
        sources, results = (
            (1 - down) * points[:, None, self._upper] + down * points[:, None, self._lower] for points in (face, edited)
        )
        gap, wider = ((points[:, self._lower] - points[:, self._upper]).norm(dim=-1) for points in (face, edited))
        opened = ((wider - gap) / (wider + 0.01 * height[:, None])).clamp(0, 1)
        dark = (opened - 0.25).clamp(0, 0.5) * 2
        across = torch.tensor([0.25, 1.0, 1.0, 1.0, 0.25], device=face.device)
        cavity = dark[:, None] * across[None, :, None]
        return sources.flatten(1, 2) + behind, results.flatten(1, 2) + behind, cavity.flatten(1, 2)

    def _layers(self, device: torch.device) -> Tensor:
        rings, around = len(_SKIRT), len(OVAL)
        faces: list[tuple[int, int, int]] = []
        loops = [list(OVAL), *([VERTICES + r * around + i for i in range(around)] for r in range(rings))]
        for inner, outer in zip(loops, loops[1:], strict=False):
            faces += _band(inner, outer)
        first = VERTICES + rings * around
        for contour in (EYE_RIGHT, EYE_LEFT):
            count = len(contour)
            rim, core = list(range(first, first + count)), list(range(first + count, first + 2 * count))
            faces += _band(rim, core)
            faces += [(core[i], core[(i + 1) % count], first + 2 * count) for i in range(count)]
            first += 2 * count + 1
        columns = len(LIPS_INNER) // 2 + 1
        for row in range(len(_MOUTH_ROWS) - 1):
            upper = [first + row * columns + i for i in range(columns)]
            faces += _band(upper, [index + columns for index in upper], closed=False)
        return torch.tensor(faces, device=device)


def _band(inner: list[int], outer: list[int], closed: bool = True) -> list[tuple[int, int, int]]:
    """Triangles between two rows of as many vertices."""
    count = len(inner)
    pairs = [(i, (i + 1) % count) for i in range(count if closed else count - 1)]
    return [t for i, j in pairs for t in ((inner[i], inner[j], outer[i]), (inner[j], outer[j], outer[i]))]
