"""Everything that is drawn of a face: the skin with a skirt around it, and the openings of eyes and mouth in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.face.smooth import smoothstep
from talkedit_sdk.face.topology import (
    CHIN,
    EYE_LEFT,
    EYE_RIGHT,
    FOREHEAD,
    IRIS_LEFT,
    IRIS_RIGHT,
    OVAL,
    VERTICES,
)
from talkedit_sdk.render.eye import EyeMesh
from talkedit_sdk.render.gallery import Behind, Gallery
from talkedit_sdk.render.layer import Layer, Opening, band
from talkedit_sdk.render.mouth import MouthMesh
from talkedit_sdk.render.nobody import Nobody

_SKIRT: Final = ((0.20, 0.90), (0.45, 0.57), (0.72, 0.19), (1.0, 0.0))
"""Rings around the outline: distance from it relative to the reach of the skirt, share of its motion."""

_REACH: Final = (0.09, 0.45)
"""Of the skirt beside the face, where hair, ears and what is behind them have to keep still, and under the chin, where
the skin of the throat is pulled along; relative to the distance of the outline from its centre."""
_THROAT: Final = (0.6, 0.95)  # height on the mean face from where to where the one turns into the other
_ROOM: Final = 2.0  # reach on top of that, relative to the motion, so that a skirt pushed outwards never folds


@dataclass(frozen=True)
class Placement:
    """Everything to draw in a batch of frames. `moved` is (T,), the largest distance of a vertex, pixels. Of skin that
    can be tinted, the third to fifth attribute are the places that `tint` asks for.
    """

    skin: Layer
    openings: tuple[Opening, ...]
    moved: Tensor

    def __getitem__(self, rows: slice | Tensor) -> Placement:
        return Placement(self.skin[rows], tuple(opening[rows] for opening in self.openings), self.moved[rows])


class Sheet:
    """Topology of the drawn meshes and how they follow the landmarks."""

    def __init__(self, model: FaceModel, nobody: Nobody) -> None:
        device = model.device
        self._oval = torch.tensor(OVAL, device=device)
        self._uv = torch.cat([model.uv, *[model.uv[self._oval]] * len(_SKIRT)])
        self._eyes = [EyeMesh(EYE_RIGHT, IRIS_RIGHT, device), EyeMesh(EYE_LEFT, IRIS_LEFT, device)]
        self._mouth = MouthMesh(device)
        self._nobody = Gallery((), nobody.views(model.mean), device)
        throat = smoothstep(model.mean[self._oval, 1:2], *_THROAT)
        self._reach = _REACH[0] + (_REACH[1] - _REACH[0]) * throat
        rings = [[VERTICES + r * len(OVAL) + i for i in range(len(OVAL))] for r in range(len(_SKIRT))]
        bands = [t for inner, outer in zip([list(OVAL), *rings], rings, strict=False) for t in band(inner, outer)]
        self._skin = torch.cat([model.triangles.long(), torch.tensor(bands, device=device)]).int()

    def place(
        self,
        landmarks: Tensor,
        offsets: Tensor,
        jaw: Tensor | None = None,
        behind: Behind | None = None,
        tinted: Tensor | None = None,
        gaze: Tensor | None = None,
    ) -> Placement:
        """Meshes of T frames.

        Args:
            landmarks: (T, 478, 3) pixels of the source.
            offsets: (T, 468, 3) pixels to the result.
            jaw: (T, 3) pixels by which the bone under the chin moves, and the lower teeth with it; by default the
                chin's own offset, which is wrong where its skin alone is pulled up.
            behind: what is known of the mouth beyond these frames; by default a mouth of nobody.
            tinted: (T, 468) in [0, 1], how much of a tint each vertex takes; None where there will be no tint.
            gaze: (T, 2) by how many of their radii the irises move right and down; None where they look as they do.
        """
        face = landmarks[:, :VERTICES]
        height = (face[:, CHIN, :2] - face[:, FOREHEAD, :2]).norm(dim=-1)
        around, motion = self._skirt(face, offsets, height)
        result = torch.cat([face + offsets, around + motion], 1)
        shift = -torch.cat([offsets, motion], 1)[..., :2]
        attributes = shift.contiguous() if tinted is None else torch.cat([shift, self._places(tinted)], -1)
        skin = Layer(result, attributes, self._skin)
        eyes = [eye.place(landmarks, offsets, gaze) for eye in self._eyes]
        openings: list[Opening] = [*eyes]
        bone = offsets[:, CHIN] if jaw is None else jaw
        if behind is None:
            behind = self._nobody.hang(landmarks)
        openings.append(self._mouth.place(landmarks, offsets, bone, height, behind))
        moved = torch.stack([shift.norm(dim=-1).amax(1), *(eye.moved for eye in eyes)]).amax(0)
        return Placement(skin, tuple(openings), moved)

    def _places(self, tinted: Tensor) -> Tensor:
        """(T, 468) -> (T, V, 3) u, v and how much of a tint each vertex takes, the skirt nothing."""
        share = torch.nn.functional.pad(tinted, (0, len(self._uv) - VERTICES))
        return torch.cat([self._uv.expand(len(tinted), -1, -1), share[..., None]], -1)

    def _skirt(self, face: Tensor, offsets: Tensor, height: Tensor) -> tuple[Tensor, Tensor]:
        outline, motion = face[:, self._oval], offsets[:, self._oval]
        outwards = outline - outline.mean(1, keepdim=True)
        length = outwards[..., :2].norm(dim=-1, keepdim=True).clamp_min(1e-3)
        rings, motions = [], []
        for distance, share in _SKIRT:
            motion = (motion + motion.roll(1, 1) + motion.roll(-1, 1)) / 3
            reach = distance * (self._reach + _ROOM * motion[..., :2].norm(dim=-1, keepdim=True) / length)
            ring = outline + reach * outwards
            ring[..., 2] = outline[..., 2] + reach[..., 0] * height[:, None]
            rings.append(ring)
            motions.append(share * motion)
        return torch.cat(rings, 1), torch.cat(motions, 1)
