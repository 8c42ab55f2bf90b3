"""The editor that the learned one is measured against, set by hand.

It takes the speaker's lasting expression out, puts the target in, and keeps the mouth talking.
"""

from __future__ import annotations

from typing import Final

import prototypes
import torch
from torch import Tensor

from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.face.smooth import gaussian_mean
from talkedit_sdk.face.topology import LIP_PAIRS
from talkedit_sdk.motion.mouth import LipProjection, closedness
from talkedit_sdk.motion.types import MotionEdit, MotionRequest

_LASTING_SIGMA: Final = 0.9  # seconds; longer than a word, shorter than a mood
_EDIT_SIGMA: Final = 0.05


class PrototypeEditor:
    """Emotions as hand-set mixtures of coefficients; see `MotionEditor` for the interface."""

    def __init__(self, model: FaceModel) -> None:
        self._project = LipProjection(model)
        self._lasting = prototypes.lasting().to(model.device)

    def edit(self, request: MotionRequest) -> MotionEdit:
        """Edits a clip; frames of intensity 0 come back untouched."""
        before, strength = request.coefficients, request.intensity[:, None]
        own = gaussian_mean(before, request.times, request.segments, _LASTING_SIGMA)
        change = request.emotion @ prototypes.targets().to(before.device) - self._lasting * own
        wanted = (before + strength * change).clamp(0, 1)
        held = hold(request.mouth_weight, request.lip_gaps)
        edited = self._project(before, wanted, hold_features(held, request.mouth_weight))
        smooth = gaussian_mean(edited - before, request.times, request.segments, _EDIT_SIGMA)
        edited = torch.where(strength > 0, (before + smooth).clamp(0, 1), before)
        return MotionEdit(edited, held)


def hold(mouth_weight: float, gaps: Tensor) -> Tensor:
    """(T,) how firmly the lips are held: the mouth weight, raised where the source's lips are closed.

    0 stays 0 and 1 stays 1; in between closures (b, p, m) are held more firmly than vowels.
    """
    return mouth_weight ** (1 - 0.8 * closedness(gaps))


def hold_features(held: Tensor, mouth_weight: float) -> Tensor:
    """(T,) hold of the openings -> (T, 8) of all features: a closure says nothing of how wide closed lips may smile."""
    rest = torch.full((len(held), 3), mouth_weight, device=held.device)
    return torch.cat([held[:, None].expand(-1, len(LIP_PAIRS)), rest], 1)
