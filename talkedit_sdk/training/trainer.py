"""The motion network, its critic and its optimisers, step by step."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from talkedit_sdk.device import find_device
from talkedit_sdk.emotion import EMOTIONS
from talkedit_sdk.errors import OptionError
from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.face.topology import LIP_PAIRS
from talkedit_sdk.motion.mouth import LipProjection
from talkedit_sdk.motion.network import MotionNetwork, changed
from talkedit_sdk.training.corpus import Performance
from talkedit_sdk.training.critics import MotionCritic, train_classifier
from talkedit_sdk.training.losses import MotionLoss, Weights, adversarial, bounded, critical
from talkedit_sdk.training.material import Lesson, Material

_FEWEST: Final = 3
_CLASSIFIER_STEPS: Final = 400
_ACTED_FRAMES: Final = 8192
_REAL_SHARE: Final = 0.4  # of what the classifier sees
_AVERAGE: Final = 0.997  # of the weights over steps, which calms what the critic stirs up
_NEUTRAL: Final = EMOTIONS.index("neutral")


@dataclass(frozen=True)
class Schedule:
    """How long and how to train: the same seed and data give the same weights."""

    steps: int = 2400
    batch: int = 20
    rate: float = 1.5e-3
    seed: int = 0
    weights: Weights = field(default_factory=Weights)
    device: str = "cpu"


class MotionTrainer:
    """Everything that changes while training; `resume` continues what `save` left."""

    def __init__(self, model: FaceModel, performances: list[Performance], schedule: Schedule) -> None:
        if len({p.take.person for p in performances}) < _FEWEST:
            raise OptionError(f"Fewer than {_FEWEST} people with a face were found; add videos of more people.")
        torch.manual_seed(schedule.seed)
        self.schedule = schedule
        self.random = torch.Generator().manual_seed(schedule.seed)
        openings = LipProjection(model).features[: len(LIP_PAIRS)]
        self.material = Material(performances, openings, self.random)
        frames, labels, weights = _labelled(performances, self.material)
        classifier = train_classifier(model, frames, labels, weights, _CLASSIFIER_STEPS, self.random)
        self._device = device = find_device(schedule.device)
        self._loss = MotionLoss(model.to(device), classifier.to(device))
        self.network, self.average = MotionNetwork().to(device), MotionNetwork().to(device)
        self.average.load_state_dict(self.network.state_dict())
        self._critic = MotionCritic().to(device)
        self._optimiser = torch.optim.AdamW(self.network.parameters(), lr=schedule.rate, weight_decay=0.01)
        self._critic_optimiser = torch.optim.AdamW(self._critic.parameters(), lr=schedule.rate / 4, betas=(0.5, 0.99))
        self._plan = torch.optim.lr_scheduler.OneCycleLR(
            self._optimiser, max_lr=schedule.rate, total_steps=schedule.steps, pct_start=0.15
        )
        self.step = 0

    def advance(self) -> dict[str, float]:
        """One step; returns the terms of the loss."""
        schedule = self.schedule
        lesson = self.material.lesson(schedule.batch).to(self._device)
        change, edited = self._edit(lesson)
        weights, terms = schedule.weights, {}
        terms["acting"] = self._loss.acting(lesson, change)
        terms["lips"] = self._loss.lips(lesson, change)
        terms["emotion"] = self._loss.emotion(lesson, edited)
        terms["adversarial"] = adversarial(self._critic, edited)
        terms["smooth"] = self._loss.smooth(change)
        total = torch.stack([getattr(weights, name) * term for name, term in terms.items()]).sum()
        self._optimiser.zero_grad()
        torch.autograd.backward(total)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self._optimiser.step()
        self._plan.step()
        if weights.adversarial:
            loss = critical(self._critic, lesson.filmed, edited)
            self._critic_optimiser.zero_grad()
            torch.autograd.backward(loss)
            self._critic_optimiser.step()
            terms["critic"] = loss
        self._follow()
        self.step += 1
        return {name: float(term.detach()) for name, term in terms.items()}

    def _edit(self, lesson: Lesson) -> tuple[Tensor, Tensor]:
        """Change at intensity 1 and edited coefficients, (B, T, 52) each."""
        found = self.network(
            lesson.source.coefficients, lesson.source.gaps, lesson.emotion, lesson.intensity, lesson.mouth_weight,
            lesson.style,
        )  # fmt: skip
        source = lesson.source.coefficients
        change = changed(source, found, torch.ones_like(lesson.intensity)) - source
        return change, bounded(source + lesson.intensity[..., None] * change)

    @torch.no_grad()
    def _follow(self) -> None:
        keep = min(_AVERAGE, self.step / (self.step + 10))
        for mean, value in zip(self.average.parameters(), self.network.parameters(), strict=True):
            mean.lerp_(value, 1 - keep)

    def save(self, path: Path) -> None:
        """Writes all that `resume` needs."""
        state = {
            "step": self.step, "random": self.random.get_state(), "network": self.network.state_dict(),
            "average": self.average.state_dict(), "critic": self._critic.state_dict(),
            "optimiser": self._optimiser.state_dict(), "critic_optimiser": self._critic_optimiser.state_dict(),
            "plan": self._plan.state_dict(), "schedule": repr(self.schedule),
        }  # fmt: skip
        partial = path.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(path)

    def resume(self, path: Path) -> None:
        """Continues from what `save` wrote with the same schedule.

        Raises:
            OptionError: the file is damaged, or of another schedule.
        """
        try:
            state: dict[str, Any] = torch.load(path, weights_only=True)
            if state["schedule"] != repr(self.schedule):
                raise OptionError(f"{path} belongs to a training with other settings; delete it to start anew.")
            self.network.load_state_dict(state["network"])
            self.average.load_state_dict(state["average"])
            self._critic.load_state_dict(state["critic"])
            self._optimiser.load_state_dict(state["optimiser"])
            self._critic_optimiser.load_state_dict(state["critic_optimiser"])
            self._plan.load_state_dict(state["plan"])
            self.random.set_state(state["random"])
            self.step = int(state["step"])
        except OptionError:
            raise
        except Exception as error:  # torch.load raises whatever a damaged file makes it stumble over
            raise OptionError(f"{path} cannot be continued from ({error}); delete it to start anew.") from None


def _labelled(performances: list[Performance], material: Material) -> tuple[Tensor, Tensor, Tensor]:
    """Frames, labels and weights for the classifier: acted ones, and those of videos that somebody labelled."""
    frames, labels = material.frames(_ACTED_FRAMES)
    weights = torch.full((len(frames),), (1 - _REAL_SHARE) / len(frames))
    real, named = [], []
    for performance in performances:
        take = performance.take
        if take.emotion is not None and len(performance.coefficients) > 1:
            label = take.strength * torch.tensor(take.emotion.shares)
            label[_NEUTRAL] += 1 - take.strength
            real.append(performance.coefficients)
            named.append(label.expand(len(performance.coefficients), -1))
    if not real:
        return frames, labels, weights
    shown, told = torch.cat(real), torch.cat(named)
    rarity = 1 / (told.sum(0) + 1)
    common = told @ rarity
    return (
        torch.cat([frames, shown]),
        torch.cat([labels, told]),
        torch.cat([weights, _REAL_SHARE * common / common.sum()]),
    )
