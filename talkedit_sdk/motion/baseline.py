"""The hand-set motion editor: takes the speaker's lasting expression out, puts the target in, keeps the mouth
talking.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.face.smooth import gaussian_mean, smoothstep
from talkedit_sdk.face.topology import BLENDSHAPES
from talkedit_sdk.motion import prototypes
from talkedit_sdk.motion.mouth import LipProjection, hold, hold_features
from talkedit_sdk.motion.types import MotionEdit, MotionRequest

_LASTING_SIGMA: Final = 0.9  # seconds; longer than a word, shorter than a mood
_EDIT_SIGMA: Final = 0.05
_SHUT: Final = (0.80, 0.45)  # eyeBlink at which lids keep their own motion, and at which they are free
_LIDS: Final = ("eyeWide", "eyeSquint", "eyeBlink")


class PrototypeEditor:
    """Emotions as hand-set mixtures of coefficients; see `MotionEditor` for the interface."""

    def __init__(self, model: FaceModel) -> None:
        self._project = LipProjection(model)
        self._lasting = prototypes.lasting().to(model.device)
        self._lids = {
            side: torch.tensor([n.startswith(_LIDS) and n.endswith(side) for n in BLENDSHAPES], device=model.device)
            for side in ("Left", "Right")
        }

    def edit(self, request: MotionRequest) -> MotionEdit:
        """Edits a clip; frames of intensity 0 come back untouched."""
        before, strength = request.coefficients, request.intensity[:, None]
        own = gaussian_mean(before, request.times, request.segments, _LASTING_SIGMA)
        change = prototypes.target(request.emotion).to(before.device) - self._lasting * own
        wanted = (before + strength * self._spare_blinks(change.expand_as(before), before)).clamp(0, 1)
        held = hold(request.mouth_weight, request.lip_gaps)
        edited = self._project(before, wanted, hold_features(held, request.mouth_weight))
        smooth = gaussian_mean(edited - before, request.times, request.segments, _EDIT_SIGMA)
        edited = torch.where(strength > 0, (before + smooth).clamp(0, 1), before)
        return MotionEdit(edited, held)

    def _spare_blinks(self, change: Tensor, before: Tensor) -> Tensor:
        """Takes the change of the lids back while they are closed, so that a blink stays a whole blink."""
        spared = change.clone()
        for side, lids in self._lids.items():
            shut = before[:, BLENDSHAPES.index(f"eyeBlink{side}")]
            spared = torch.where(lids, spared * smoothstep(shut, *_SHUT)[:, None], spared)
        return spared
