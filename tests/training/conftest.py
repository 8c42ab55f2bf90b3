"""People made with the model that ships, whom training has to learn back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from talkedit_sdk.face.fit import bend
from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.face.pose import Pose
from talkedit_sdk.training.basis import BasisLearner, Recording
from talkedit_sdk.training.face import train_face_model


def head_of(count: int, generator: torch.Generator) -> Pose:
    """A head that wanders about a picture of 500 pixels."""
    time, phase = torch.arange(count) / 25, 6.28 * torch.rand(3, generator=generator)
    pitch, yaw, roll = (0.15 * torch.sin(rate * time + p) for rate, p in zip((1.1, 0.8, 0.5), phase, strict=True))
    zero = torch.zeros_like(pitch)
    turn = torch.stack([zero, -roll, yaw, roll, zero, -pitch, -yaw, pitch, zero], -1).view(-1, 3, 3)
    shift = torch.stack([250 + 20 * torch.sin(time), 250 + 10 * torch.cos(time), 0 * time], -1)
    return Pose(150 + 5 * torch.sin(time), torch.matrix_exp(turn.double()).float(), shift)


@pytest.fixture(scope="session")
def record(model: FaceModel) -> Callable[..., Recording]:
    """Landmarks of someone who makes all kinds of faces, with the scores that a teacher would give."""

    def record(seed: int, count: int = 80, person: str | None = None, noise: float = 0.3) -> Recording:
        generator = torch.Generator().manual_seed(seed)
        alpha = torch.randn(len(model.identity), generator=generator).clamp(-2, 2)
        neutral: Tensor = model.mean + torch.einsum("k,kvc->vc", alpha, model.identity)
        rate, phase, size = torch.rand(3, 52, generator=generator)
        wave = torch.sin(2 * torch.pi * (0.3 + 2 * rate) * torch.arange(count)[:, None] / 25 + 6.28 * phase)
        coefficients = ((0.3 + 0.7 * size) * wave).clamp_min(0)
        pose = head_of(count, generator)
        vertices = pose.to_picture(neutral + model.displacement(coefficients) + bend(model, pose))
        vertices = vertices + noise * torch.randn(vertices.shape, generator=generator)
        name = f"{person or seed}.mp4"
        return Recording(name, person or str(seed), vertices, coefficients ** (1 / model.gamma))

    return record


@pytest.fixture(scope="session")
def people(record: Callable[..., Recording]) -> list[Recording]:
    return [record(seed) for seed in range(8)]


@pytest.fixture(scope="session")
def trained(people: list[Recording]) -> tuple[FaceModel, BasisLearner]:
    return train_face_model(people, epochs=20)
