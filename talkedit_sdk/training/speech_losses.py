"""What the speech network is trained to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.face.topology import LIP_PAIRS
from talkedit_sdk.motion.mouth import LipProjection
from talkedit_sdk.speech.network import Content
from talkedit_sdk.speech.types import RATE

_LIP_SCALE: Final = 0.03  # model units of a lip feature that count like a coefficient
_LIPS_MORE: Final = 4.0  # weight of vertices of the lips and the jaw beside all others
_PLAIN: Final = 0.3  # share of coefficients as such, which keeps apart those that move the same
_SHUT: Final = 4.0  # by how much an opening counts more where the lips touch
_SPOKEN: Final = 0.01  # model units; windows whose mouth moves less do not count as speech


@dataclass(frozen=True)
class SpeechWeights:
    """Of the terms of the loss; 0 leaves one out."""

    shape: float = 1.0
    lips: float = 0.15
    velocity: float = 0.3
    course: float = 1.5
    cross: float = 0.5
    phones: float = 0.3
    closure: float = 0.3
    speaking: float = 0.2
    emotion: float = 0.4
    strength: float = 1.0
    content: float = 0.1
    mood: float = 0.1


class SpeechLoss:
    """The terms; each takes (B, T, ...) and gives a mean. `mask` (B, T) says which frames count, and how much."""

    def __init__(self, model: FaceModel) -> None:
        weight = 1 + _LIPS_MORE * model.regions[4:6].amax(0)
        basis = (model.rendered * weight.sqrt()[:, None]).flatten(1)
        gram = basis @ basis.T
        self._metric = (1 - _PLAIN) * gram / gram.diagonal().mean() + _PLAIN * torch.eye(len(gram), device=gram.device)
        self._features = LipProjection(model).features / _LIP_SCALE

    def shape(self, found: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
        """Displacement of the vertices, those of lips and jaw more."""
        return mean_over(self._size(found - truth), mask)

    def velocity(self, found: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
        """The same of speeds."""
        speed = torch.diff(found - truth, dim=1) * (RATE / 10)
        return mean_over(self._size(speed), torch.minimum(mask[:, 1:], mask[:, :-1]))

    def lips(self, found: Tensor, truth: Tensor, closed: Tensor, mask: Tensor) -> Tensor:
        """Openings, width, protrusion and lift of the lips; openings more where the lips touch."""
        error = ((found - truth) @ self._features.T).square()
        openings, rest = error[..., : len(LIP_PAIRS)], error[..., len(LIP_PAIRS) :]
        return mean_over((1 + _SHUT * closed) * openings.mean(-1) + rest.mean(-1), mask)

    def course(self, found: Tensor, truth: Tensor) -> Tensor:
        """1 - correlation of the mouth's opening over each window: timing, whoever opens the mouth how far."""
        one, other = (self.opening(values) for values in (found, truth))
        one, other = (course - course.mean(1, keepdim=True) for course in (one, other))
        size = (one.square().mean(1) * other.square().mean(1) + _SPOKEN**4).sqrt()
        return mean_over(1 - (one * other).mean(1) / size, (other.square().mean(1) > _SPOKEN**2).float())

    def opening(self, coefficients: Tensor) -> Tensor:
        """(..., 52) -> (...) mean opening in the middle of the lips, model units."""
        return (coefficients @ self._features[1:4].T).mean(-1) * _LIP_SCALE

    @staticmethod
    def phones(content: Content, classes: Tensor) -> Tensor:
        """Cross-entropy of the phones that are known, -1 where none is."""
        logits = content.phones.flatten(0, 1)
        each = nn.functional.cross_entropy(
            logits, classes.flatten(), ignore_index=-1, label_smoothing=0.1, reduction="sum"
        )
        return each / (classes >= 0).sum().clamp_min(1)

    @staticmethod
    def event(logits: Tensor, truth: Tensor, rare: float = 1.0) -> Tensor:
        """Cross-entropy of closures or of speaking, in which what is rare counts more; -1 where nobody knows."""
        each = nn.functional.binary_cross_entropy_with_logits(
            logits, truth.clamp_min(0), pos_weight=torch.tensor(rare, device=logits.device), reduction="none"
        )
        return mean_over(each, (truth >= 0).float())

    @staticmethod
    def agreement(one: Tensor, other: Tensor, mask: Tensor) -> Tensor:
        """1 - cosine of what should be the same."""
        return mean_over(1 - torch.cosine_similarity(one, other, -1), mask)

    def _size(self, error: Tensor) -> Tensor:
        size: Tensor = ((error @ self._metric) * error).sum(-1)
        return size


def mean_over(values: Tensor, mask: Tensor) -> Tensor:
    return (values * mask).sum() / mask.sum().clamp_min(1)
