"""What the motion network is trained to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.face.smooth import smoothstep
from talkedit_sdk.face.topology import BLENDSHAPES, INDEX, LIP_PAIRS
from talkedit_sdk.motion.mouth import LipProjection
from talkedit_sdk.motion.windows import RATE
from talkedit_sdk.training.critics import EmotionClassifier, MotionCritic
from talkedit_sdk.training.facs import contacts, smoothed
from talkedit_sdk.training.material import Lesson

_LIP_SCALE: Final = 0.03  # model units of a lip feature that count like a coefficient
_PHRASE: Final = 0.4  # seconds; slower changes of width, protrusion and lift are rest shape, quicker ones are speech
_REST: Final = 0.5  # how firmly the rest shape of the lips is held, relative to what the goal asks for
_LIPS: Final = 0.12  # of lip features, relative to coefficients
_OPENINGS: Final = slice(0, len(LIP_PAIRS))
_SHAPE: Final = slice(len(LIP_PAIRS), None)
_LEAK: Final = 0.05
_MOUTH: Final = ("mouth", "jaw")
_LIDS: Final = ("eyeBlink", "eyeWide", "eyeSquint")


@dataclass(frozen=True)
class Weights:
    """Of the terms of the loss; 0 leaves one out."""

    acting: float = 1.0
    lips: float = 1.0
    emotion: float = 0.03
    adversarial: float = 0.05
    smooth: float = 0.04


class MotionLoss:
    """The terms, each a mean over the batch."""

    def __init__(self, model: FaceModel, classifier: EmotionClassifier) -> None:
        basis = model.rendered.flatten(1)
        gram = basis @ basis.T
        share = gram.diagonal().mean()
        metric = 0.7 * gram / share + 0.3 * torch.eye(len(gram), device=gram.device)
        mouth = torch.tensor([float(name.startswith(_MOUTH)) for name in BLENDSHAPES], device=gram.device)
        self._face_metric = metric * torch.outer(1 - mouth, 1 - mouth)
        self._mouth_metric = metric * torch.outer(mouth, mouth)
        self._lids = torch.tensor([float(name.startswith(_LIDS)) for name in BLENDSHAPES], device=gram.device)
        self._features = LipProjection(model).features / _LIP_SCALE
        self._classifier = classifier

    def acting(self, lesson: Lesson, change: Tensor) -> Tensor:
        """How far the edit at intensity 1 is from the goal: as a shape and as coefficients, the lips less where they
        are to be kept, the lids more where they are shut."""
        error = lesson.source.coefficients + change - lesson.goal
        face = self._size(error * (1 + 2 * self._lids * self._shut(lesson)), self._face_metric)
        free = 1 - lesson.mouth_weight[:, None]
        mouth = self._size(error, self._mouth_metric) * (0.4 + 0.6 * free)
        features = (error @ self._features.T).square()
        lips = free.square() * features[..., _OPENINGS].sum(-1) + features[..., _SHAPE].sum(-1)
        return torch.mean(face + mouth + _LIPS * lips)

    def lips(self, lesson: Lesson, change: Tensor) -> Tensor:
        """Mouth shape preservation: openings, and the motion of width, protrusion and lift over a phrase, change as
        little as the mouth weight says; closures of speech never.

        The weight of the loss is the condition: Dosovitskiy & Djolonga, *You only train once*, ICLR 2020.
        """
        features = change @ self._features.T
        openings, shape = features[..., _OPENINGS], features[..., _SHAPE]
        weight = lesson.mouth_weight[:, None, None]
        quick = shape - smoothed(shape, _PHRASE)
        kept = torch.maximum(weight.square() / (1.1 - weight), 4 * contacts(lesson.source.gaps)) * openings.square()
        rest = weight * (4 * quick.square() + _REST * shape.square())
        return _LIPS * torch.mean(kept.sum(-1) + rest.sum(-1))

    def _size(self, error: Tensor, metric: Tensor) -> Tensor:
        size: Tensor = ((error @ metric) * error).sum(-1)
        return size

    def _shut(self, lesson: Lesson) -> Tensor:
        """(B, T, 1) 1 where the source blinks."""
        return smoothstep(
            lesson.source.coefficients[..., [INDEX["eyeBlinkLeft"], INDEX["eyeBlinkRight"]]], 0.4, 0.8
        ).amax(-1, keepdim=True)

    def emotion(self, lesson: Lesson, edited: Tensor) -> Tensor:
        """Cross-entropy of what a classifier sees, against what was asked for, where it was asked for in full."""
        logits = self._classifier(edited)
        each = -(lesson.emotion * logits.log_softmax(-1)).sum(-1)
        full = (lesson.intensity >= 0.8).float()
        return torch.sum(each * full) / full.sum().clamp_min(1)

    @staticmethod
    def smooth(change: Tensor) -> Tensor:
        """Accelerations of what is added, that speech does not ask for."""
        acceleration = (change[:, 2:] - 2 * change[:, 1:-1] + change[:, :-2]) * (RATE / 3)
        mean: Tensor = acceleration.square().sum(-1).mean()
        return mean


def bounded(coefficients: Tensor) -> Tensor:
    """[0, 1], with a slope beyond it that leads back."""
    return nn.functional.leaky_relu(1 - nn.functional.leaky_relu(1 - coefficients, _LEAK), _LEAK)


def adversarial(critic: MotionCritic, edited: Tensor) -> Tensor:
    """Least squares GAN (Mao et al., ICCV 2017), the editor's side."""
    loss: Tensor = (critic(edited) - 1).square().mean()
    return loss


def critical(critic: MotionCritic, real: Tensor, edited: Tensor) -> Tensor:
    """The critic's side."""
    loss: Tensor = (critic(real) - 1).square().mean() + critic(edited.detach()).square().mean()
    return loss
