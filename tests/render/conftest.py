"""A tracked face and movements of it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from talkedit_sdk.clip import Clip
from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.face.topology import INDEX, VERTICES


@pytest.fixture(scope="session")
def landmarks(watched: Clip) -> Tensor:
    """(24, 478, 3) pixels of `speech`."""
    return torch.from_numpy(np.array(watched.tracking.faces[0].landmarks))


@pytest.fixture(scope="session")
def moved_by(model: FaceModel, watched: Clip) -> Callable[..., Tensor]:
    """(24, 468, 3) pixels by which coefficients of these names move the face."""

    def moved_by(**change: float) -> Tensor:
        row = torch.zeros(len(INDEX))
        for name, value in change.items():
            for spelled in (name, name + "Left", name + "Right"):
                if spelled in INDEX:
                    row[INDEX[spelled]] = value
        pose = watched.fits[0].pose
        offsets = pose.rotate(model.displacement(row).to(pose.scale.device)).cpu()
        assert offsets.shape == (24, VERTICES, 3)
        return offsets

    return moved_by
