"""Networks that judge coefficients while the motion editor learns: what emotion they show, and whether they move as
people do. None of them ships.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from talkedit_sdk.emotion import EMOTIONS
from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.face.topology import BLENDSHAPES
from talkedit_sdk.motion.windows import RATE

_DIRECTIONS: Final = 24
_INVISIBLE: Final = ("eyeLook", "cheekPuff", "cheekSquint", "noseSneer", "tongueOut")  # never fitted from landmarks
_BATCH: Final = 512


class EmotionClassifier(nn.Module):
    """Names the emotion of frames by the shape of the face.

    It sees the directions in which faces really move (principal ones of the displacement of the vertices) rather than
    coefficients, of which several can do the same.
    """

    def __init__(self, model: FaceModel, samples: Tensor) -> None:
        super().__init__()
        basis = model.rendered.flatten(1)
        _, _, directions = torch.pca_lowrank(samples @ basis, _DIRECTIONS, niter=4)
        shapes = basis @ directions
        scale = (samples @ shapes).std(0)
        self.register_buffer("shapes", shapes / scale)
        self.register_buffer("origin", (samples @ shapes).mean(0) / scale)
        self.judge = nn.Sequential(nn.Linear(_DIRECTIONS, 64), nn.GELU(), nn.Linear(64, len(EMOTIONS)))

    def forward(self, coefficients: Tensor) -> Tensor:
        """(..., 52) -> (..., 8) logits, order `EMOTIONS`."""
        seen = coefficients @ torch.as_tensor(self.shapes) - torch.as_tensor(self.origin)
        logits: Tensor = self.judge(seen)
        return logits


def train_classifier(
    model: FaceModel, frames: Tensor, labels: Tensor, weights: Tensor, steps: int, generator: torch.Generator
) -> EmotionClassifier:
    """Learns from frames (N, 52) with labels (N, 8), drawn by `weights` (N,), blurred by the noise of fits."""
    classifier = EmotionClassifier(model, frames[torch.randperm(len(frames), generator=generator)[:4000]])
    optimiser = torch.optim.AdamW(classifier.parameters(), lr=3e-3, weight_decay=0.05)
    for _ in range(steps):
        rows = torch.multinomial(weights, _BATCH, replacement=True, generator=generator)
        noise = 0.05 * torch.randn(_BATCH, frames.shape[1], generator=generator)
        loss = nn.functional.cross_entropy(classifier(frames[rows] + noise), labels[rows])
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
    return classifier.requires_grad_(False).eval()


class MotionCritic(nn.Module):
    """Tells how real people's coefficients move from how edited ones do.

    It sees speeds, not levels: footage of people talking has few strong expressions, and a critic of levels would take
    them for fakes.
    """

    def __init__(self) -> None:
        super().__init__()
        visible = torch.tensor([float(not name.startswith(_INVISIBLE)) for name in BLENDSHAPES])
        self.register_buffer("visible", visible)
        self.layers = nn.Sequential(
            nn.Conv1d(len(BLENDSHAPES), 64, 5, stride=2), nn.LeakyReLU(0.2),
            nn.Conv1d(64, 64, 5, stride=2), nn.LeakyReLU(0.2), nn.Conv1d(64, 1, 3),
        )  # fmt: skip

    def forward(self, coefficients: Tensor) -> Tensor:
        """(B, T, 52), T at least 24 -> (B, N) scores, 1 real, 0 edited."""
        speeds = (coefficients[:, 1:] - coefficients[:, :-1]) * (RATE / 2) * torch.as_tensor(self.visible)
        scores: Tensor = self.layers(speeds.transpose(1, 2))[:, 0]
        return scores
