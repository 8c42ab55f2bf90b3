"""Which part of a turned face looks at the camera: what faces away keeps still, and what it hides is not dragged."""

from __future__ import annotations

from math import radians
from typing import Final

import torch
from torch import Tensor

from talkedit_sdk.face.model import euler_angles
from talkedit_sdk.face.smooth import smoothstep

_AXIS: Final = 0.64  # z of the axis of the cylinder that is nearest to a face, outer eye corner distances
_TURN: Final = 1.4  # landmarks lag behind a head that turns to profile: by how much it turns further than its pose
_AZIMUTH: Final = radians(65)  # of ears and temples, which count as visible from the front
_HIDDEN: Final = (radians(95), radians(70))  # angle to the camera from where nothing moves, and up to where all does


def facing(rotation: Tensor, mean: Tensor) -> Tensor:
    """How much of its motion each vertex keeps on a turned head.

    A face is nearly a cylinder: where a vertex lies around it says at which turn it goes out of sight, nose and brow in
    front of it included. Of the pose only the turn to the side counts, and nothing of the landmarks, so that the
    weights are as steady as the pose. A chin that points down stays part of the outline.

    Args:
        rotation: (T, 3, 3) from model to picture axes.
        mean: (V, 3) neutral face in model units.

    Returns:
        (T, V) 1 where the surface is seen, 0 where it faces away, smooth between.
    """
    yaw = euler_angles(rotation)[:, 1:2]
    azimuth = torch.atan2(mean[:, 0], _AXIS - mean[:, 2]).clamp(-_AZIMUTH, _AZIMUTH)
    return smoothstep((_TURN * yaw - azimuth).abs(), *_HIDDEN)
