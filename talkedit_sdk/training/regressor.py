"""Training the person-independent guess of the coefficients."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from talkedit_sdk.face.model import REACH
from talkedit_sdk.face.pose import align
from talkedit_sdk.face.regressor import CoefficientRegressor
from talkedit_sdk.training.basis import Recording, rigid_weights, with_mirrored

_BATCH: Final = 256
_TURN: Final = 0.08  # radians; residual rotation that the alignment leaves on strangers
_STRETCH: Final = 0.05
_NOISE: Final = 0.05  # in units of the spread


def offsets_of(recording: Recording, mean: Tensor) -> Tensor:
    """(T, 468, 3) offsets from the mean face after rigid alignment, as `fit.first_guess` sees them."""
    return align(recording.vertices, mean, rigid_weights()).to_model(recording.vertices) - mean


def train_regressor(
    recordings: list[Recording], mean: Tensor, mirror: Tensor, gamma: Tensor, spread: Tensor, epochs: int, seed: int
) -> CoefficientRegressor:
    """Fits offsets to teacher coefficients, frames of short recordings weighing more, with rotation, stretch and
    noise.
    """
    torch.manual_seed(seed)
    both = with_mirrored(recordings, mirror)
    x = torch.cat([offsets_of(r, mean) for r in both]) / spread
    y = torch.cat([r.scores**gamma / REACH for r in both])
    weight = torch.cat([torch.full((len(r.scores),), (len(r.scores) / 20 + 1) ** -0.5) for r in both])
    network = CoefficientRegressor(dropout=0.1).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0.05)
    steps = max(epochs * len(x) // _BATCH, 20)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=2e-3, total_steps=steps)
    for _ in range(steps):
        rows = torch.multinomial(weight, _BATCH, replacement=True)
        loss = nn.functional.mse_loss(network(_varied(x[rows], mean / spread)), y[rows])
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        schedule.step()
    return network.eval()


def _varied(offsets: Tensor, mean: Tensor) -> Tensor:
    """Small rotations, stretches and landmark noise that leave the expression what it is."""
    turn = _TURN * torch.randn(len(offsets), 3)
    shapes = offsets + mean
    turned: Tensor = torch.linalg.cross(turn[:, None].expand_as(shapes), shapes)
    stretch: Tensor = 1 + _STRETCH * torch.randn(len(offsets), 1, 1)
    noise = _NOISE * torch.randn_like(offsets)
    return stretch * offsets + turned + noise
