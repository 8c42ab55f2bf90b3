"""Where a change of the skin has to end: beyond outline, lids and lips nothing of it is drawn, and no seam may show."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import torch
from torch import Tensor

from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.face.smooth import smoothstep
from talkedit_sdk.face.topology import EYE_LEFT, EYE_RIGHT, LIPS_INNER, OVAL
from talkedit_sdk.texture.uv import TexelMap

_BORDERS: Final = ((OVAL, 0.02, 0.16), (EYE_RIGHT, 0.006, 0.035), (EYE_LEFT, 0.006, 0.035), (LIPS_INNER, 0.004, 0.03))
"""Contours, and distances from them up to which there is nothing, and from which there is all; model units of 9 cm."""

_POINTS: Final = 6  # between two vertices of a contour


class Feather:
    """How much of a change each texel takes."""

    def __init__(self, model: FaceModel) -> None:
        self._model = model
        self._of_side = lru_cache(maxsize=2)(self._draw)

    def __call__(self, side: int) -> Tensor:
        """(N, N) in [0, 1] for textures of that side, 0 where there is no skin."""
        return self._of_side(side)

    def _draw(self, side: int) -> Tensor:
        texels = TexelMap(self._model, side)
        mean = self._model.mean.cpu()
        places = torch.from_numpy(texels.spread(mean.numpy()))
        share = torch.ones(len(places))
        for contour, nothing, everything in _BORDERS:
            line = _refined(mean[list(contour)])
            share *= smoothstep(torch.cdist(places, line).amin(1), nothing, everything)
        feather = torch.zeros(side, side)
        feather[torch.from_numpy(texels.inside)] = share
        return feather.to(self._model.device)


def _refined(contour: Tensor) -> Tensor:
    """(V, 3) corners of a closed line -> points along it."""
    along = torch.arange(_POINTS)[:, None, None] / _POINTS
    return torch.lerp(contour, contour.roll(-1, 0), along).flatten(0, 1)
