"""A first guess of the coefficients from the shape of a face alone, before anything is known of the person."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from talkedit_sdk.face.topology import BLENDSHAPES, VERTICES


class CoefficientRegressor(nn.Module):
    """Rigidly aligned vertices to coefficients; a distilled, person-independent stand-in for the blendshape teacher.

    It anchors the scale of the coefficients (what is a neutral mouth, what a full smile) where the linear model alone
    cannot tell identity from expression.
    """

    def __init__(self, hidden: tuple[int, int] = (192, 128), dropout: float = 0.0) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(3 * VERTICES, hidden[0]),
            nn.SiLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden[0], hidden[1]),
            nn.SiLU(),
            nn.Linear(hidden[1], len(BLENDSHAPES)),
        )

    def forward(self, offsets: Tensor) -> Tensor:
        """offsets: (N, 468, 3) from the mean face, in units of `FaceModel.spread` -> (N, 52), roughly in [0, 1]."""
        return torch.as_tensor(self.layers(offsets.flatten(1)))
