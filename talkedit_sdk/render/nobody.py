"""Mouths that are nobody's: what people show when they open theirs, averaged, for clips that never do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import save_file
from torch import Tensor

from talkedit_sdk.errors import WeightsError
from talkedit_sdk.face.pose import align
from talkedit_sdk.face.topology import CHIN, LIP_PAIRS, LIPS_INNER, VERTICES
from talkedit_sdk.face.track import LANDMARKS, MouthView
from talkedit_sdk.weights_files import read_tensors

FILE: Final = "mouth.safetensors"
_MAX_BYTES: Final = 8 * 2**20
_MOST: Final = 16
_MOUTH: Final = (61, 291, 0, 17, 13, 14, 2)
"""Vertices by which the mouth of the mean face is laid over a person's: corners, lips, and where the nose ends."""


@dataclass(frozen=True)
class Nobody:
    """Pictures of open mouths (L of them), seen from the front in the shape of the mean face.

    Members:
        rgb: (L, h, w, 3) uint8, average skin around the lips.
        landmarks: (L, 468, 3) float32 pixels of the face with the mouth open.
        rest: (468, 3) float32, the neutral face in the same pixels.
        partings: (L, 5) as in `MouthView`.
    """

    rgb: Tensor
    landmarks: Tensor
    rest: Tensor
    partings: Tensor

    def views(self, neutral: Tensor) -> tuple[MouthView, ...]:
        """The mouths in a face of neutral shape (468, 3), any units."""
        mouth = list(_MOUTH)
        neutral = neutral.detach().cpu().float()
        pose = align(self.rest[None, mouth], neutral[mouth], torch.ones(len(mouth)))
        face = pose.to_picture(neutral)[0]
        return tuple(
            MouthView(self._worn(face, opened).numpy(), rgb.numpy(), parting.numpy())
            for rgb, opened, parting in zip(self.rgb, self.landmarks, self.partings, strict=True)
        )

    def _worn(self, face: Tensor, opened: Tensor) -> Tensor:
        """(478, 3) the face with this open mouth: the lips where they are in the picture, the chin as far down."""
        worn = torch.zeros(LANDMARKS, 3)
        worn[:VERTICES] = face
        worn[list(LIPS_INNER)] = opened[list(LIPS_INNER)]
        worn[CHIN] = face[CHIN] + opened[CHIN] - self.rest[CHIN]
        return worn

    def save(self, folder: Path) -> None:
        """Writes `mouth.safetensors`."""
        tensors = {name: getattr(self, name).contiguous() for name in ("rgb", "landmarks", "rest", "partings")}
        save_file(tensors, folder / FILE)

    @classmethod
    def load(cls, folder: Path) -> Nobody:
        """Reads what `save` wrote.

        Raises:
            WeightsError: the file is missing, damaged, or too large.
        """
        path = folder / FILE
        try:
            mouths = cls(**read_tensors(path, "mouth", _MAX_BYTES))
        except TypeError:
            raise WeightsError(f"The mouths at {path} are incomplete; reinstall talkedit.") from None
        mouths._check(path)
        return mouths

    def _check(self, path: Path) -> None:
        count = len(self.rgb) if self.rgb.ndim == 4 else 0
        sound = 0 < count <= _MOST and self.rgb.shape[3] == 3 and min(self.rgb.shape) > 0
        sound = sound and self.rgb.dtype == torch.uint8
        shapes = {"landmarks": (count, VERTICES, 3), "rest": (VERTICES, 3), "partings": (count, len(LIP_PAIRS))}
        for name, shape in shapes.items():
            tensor: Tensor = getattr(self, name)
            sound = sound and tuple(tensor.shape) == shape and tensor.dtype == torch.float32
            sound = sound and bool(torch.isfinite(tensor).all())
        if not sound:
            raise WeightsError(f"The mouths at {path} are damaged; reinstall talkedit.")
