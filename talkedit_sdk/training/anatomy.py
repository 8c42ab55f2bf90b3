"""What the expression basis looks like before any data: which way muscles pull the skin.

The teacher never reports cheek puffs, cheek squints and nose sneers, and hardly ever a jaw pushed forward, eyes torn
open or lip corners pulled down. Least squares alone would leave those rows empty or noisy; with these displacements as
the mean of a ridge prior they follow the data where there is some and anatomy where there is none.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from talkedit_sdk.face.topology import BLENDSHAPES, INDEX, mirrored_name

# For the person's left side: (vertex at the centre, displacement (x, y, z) there, radius), in outer eye corner
# distances; x right in the picture, y down, z away from the camera. Sources for the directions: Ekman, Friesen & Hager,
# FACS (2002).
_PULLS: Final[dict[str, tuple[tuple[int, tuple[float, float, float], float], ...]]] = {
    "noseSneerLeft": (  # AU9, levator labii superioris alaeque nasi
        (279, (0.008, -0.042, 0.0), 0.06),
        (360, (0.0, -0.022, 0.0), 0.06),
        (391, (0.004, -0.030, 0.0), 0.08),
        (285, (-0.022, 0.030, 0.0), 0.10),
    ),
    "cheekSquintLeft": (  # AU6, orbicularis oculi, pars orbitalis
        (330, (-0.004, -0.030, -0.010), 0.11),
        (346, (-0.010, -0.026, -0.008), 0.11),
        (374, (0.0, -0.008, 0.0), 0.05),
    ),
    "eyeWideLeft": (  # AU5, levator palpebrae
        (386, (0.0, -0.034, 0.004), 0.055),
        (374, (0.0, 0.006, 0.0), 0.05),
    ),
    "mouthFrownLeft": (  # AU15, depressor anguli oris
        (291, (0.012, 0.075, 0.005), 0.11),
        (375, (0.006, 0.040, 0.0), 0.08),
        (432, (0.010, 0.045, 0.0), 0.13),
    ),
    "mouthDimpleLeft": ((291, (0.035, -0.005, 0.025), 0.10),),  # AU14, buccinator
    "mouthStretchLeft": ((291, (0.070, 0.020, 0.020), 0.13), (432, (0.035, 0.025, 0.01), 0.15)),  # AU20, risorius
    "cheekPuff": ((425, (0.060, 0.0, -0.050), 0.16), (205, (-0.060, 0.0, -0.050), 0.16)),  # AU33
    "jawForward": ((152, (0.0, 0.0, -0.100), 0.30), (17, (0.0, 0.0, -0.060), 0.16)),  # AU29
}


def prior(mean: Tensor, mirror: Tensor) -> Tensor:
    """(468, 3) mean face and (468,) mirror -> (52, 468, 3) displacements at coefficient 1, zero where nothing is
    assumed.
    """
    basis = torch.zeros(len(BLENDSHAPES), *mean.shape)
    for name, pulls in _PULLS.items():
        for vertex, displacement, radius in pulls:
            falloff = torch.exp(-0.5 * ((mean - mean[vertex]) / radius).square().sum(1))
            basis[INDEX[name]] += falloff[:, None] * torch.tensor(displacement)
        if mirrored_name(name) != name:
            basis[INDEX[mirrored_name(name)]] = basis[INDEX[name]][mirror] * torch.tensor([-1.0, 1.0, 1.0])
    return basis
