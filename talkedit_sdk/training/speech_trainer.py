"""The speech network and its optimiser, step by step."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from talkedit_sdk.device import find_device
from talkedit_sdk.errors import OptionError
from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.face.topology import LIP_PAIRS
from talkedit_sdk.motion.mouth import LipProjection
from talkedit_sdk.speech.features import FEATURES
from talkedit_sdk.speech.network import EYES, Content, SpeechNetwork
from talkedit_sdk.training.speech_losses import SpeechLoss, SpeechWeights, mean_over
from talkedit_sdk.training.speech_material import SpeechLesson, SpeechMaterial, prepare
from talkedit_sdk.training.utterance import Utterance

_AVERAGE: Final = 0.998  # of the weights over steps
_HEARD: Final = 0.5  # share of windows whose emotion the decoder is told by the encoder, not by the label
_RARE: Final = 2.5  # by how much a closure counts more than none
_MILD: Final = (0.25, 0.3)  # strength as which a voice counts that nobody labelled, and how much that weighs


@dataclass(frozen=True)
class SpeechSchedule:
    """How long and how to train: the same seed and data give the same weights."""

    steps: int = 4000
    batch: int = 12
    rate: float = 2e-3
    seed: int = 0
    weights: SpeechWeights = field(default_factory=SpeechWeights)
    device: str = "cpu"


class SpeechTrainer:
    """Everything that changes while training; `resume` continues what `save` left."""

    def __init__(self, model: FaceModel, utterances: list[Utterance], schedule: SpeechSchedule) -> None:
        if not utterances:
            raise OptionError(
                "There is no speech to learn from; add videos of people who talk, or install espeak-ng and give a "
                "number of spoken utterances."
            )
        torch.manual_seed(schedule.seed)
        self.schedule = schedule
        self.random = torch.Generator().manual_seed(schedule.seed)
        self.material = SpeechMaterial(prepare(utterances, mouth_opening(model)), self.random)
        self._device = device = find_device(schedule.device)
        self._loss = SpeechLoss(model.to(device))
        self.network, self.average = SpeechNetwork(FEATURES).to(device), SpeechNetwork(FEATURES).to(device)
        self.average.load_state_dict(self.network.state_dict())
        self._optimiser = torch.optim.AdamW(self.network.parameters(), lr=schedule.rate, weight_decay=0.05)
        self._plan = torch.optim.lr_scheduler.OneCycleLR(
            self._optimiser, max_lr=schedule.rate, total_steps=schedule.steps, pct_start=0.1
        )
        self.step = 0

    def advance(self) -> dict[str, float]:
        """One step; returns the terms of the loss."""
        self.network.train()
        lesson = self.material.lesson(self.schedule.batch).to(self._device)
        terms = self._terms(lesson)
        total = torch.stack([getattr(self.schedule.weights, name) * term for name, term in terms.items()]).sum()
        self._optimiser.zero_grad()
        torch.autograd.backward(total)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self._optimiser.step()
        self._plan.step()
        keep = min(_AVERAGE, self.step / (self.step + 10))
        with torch.no_grad():
            for mean, value in zip(self.average.parameters(), self.network.parameters(), strict=True):
                mean.lerp_(value, 1 - keep)
        self.step += 1
        return {name: float(term.detach()) for name, term in terms.items()}

    def _terms(self, lesson: SpeechLesson) -> dict[str, Tensor]:
        loss, network = self._loss, self.network
        content = network.content(lesson.features)
        logits, strength = network.emotion(lesson.features)
        code = self._code(lesson, logits, strength)
        eyes = lesson.truth[..., EYES]
        found = network.decode(content.memory, code, lesson.initial, eyes)
        everywhere = torch.ones_like(lesson.told)
        labelled = lesson.labelled[:, None] * everywhere
        named = -(lesson.emotion * logits.log_softmax(-1)).sum(-1)
        return {
            "shape": loss.shape(found, lesson.truth, everywhere),
            "lips": loss.lips(found, lesson.truth, lesson.closed, everywhere),
            "velocity": loss.velocity(found, lesson.truth, everywhere),
            "course": loss.course(found, lesson.truth),
            "phones": loss.phones(content, lesson.phones),
            "closure": loss.event(content.closure, lesson.closed, _RARE),
            "speaking": loss.event(content.speaking, lesson.speaking),
            "emotion": mean_over(named, labelled),
            "strength": mean_over((strength - lesson.strength).square(), labelled)
            + _MILD[1] * mean_over((strength - _MILD[0]).square(), 1 - labelled),
            **self._crossed(lesson, content, code, logits, strength),
        }

    def _code(self, lesson: SpeechLesson, logits: Tensor, strength: Tensor) -> Tensor:
        """What the decoder is told: the label, or what the encoder heard where the face shows what the voice says."""
        heard = torch.rand(len(logits), generator=self.random) < _HEARD
        heard = heard.to(logits.device) & lesson.labelled & (lesson.told == lesson.strength).all(1)
        shares = torch.where(heard[:, None, None], logits.softmax(-1), lesson.emotion)
        return self.network.code(shares, torch.where(heard[:, None], strength, lesson.told))

    def _crossed(
        self, lesson: SpeechLesson, content: Content, code: Tensor, logits: Tensor, strength: Tensor
    ) -> dict[str, Tensor]:
        """Cross-reconstruction: the content of one window of a pair with the emotion of the other gives the face of the
        other; content of the same words agrees, and so does the mood of two windows of one clip."""
        terms = {}
        partner = torch.arange(len(code), device=code.device) ^ 1
        words = (lesson.aligned >= 0).any(1)
        if bool(words.any()):
            own, other = words.nonzero()[:, 0], partner[words]
            rows, mask = lesson.aligned[words].clamp_min(0), (lesson.aligned[words] >= 0).float()
            there = (other[:, None], rows)
            truth, told = lesson.truth[there], code[there]
            found = self.network.decode(content.memory[own], told, lesson.initial[other], truth[..., EYES])
            closed = lesson.closed[there]
            terms["cross"] = self._loss.shape(found, truth, mask) + self.schedule.weights.lips * self._loss.lips(
                found, truth, closed, mask
            )
            terms["content"] = self._loss.agreement(content.memory[own], content.memory[there], mask)
        clips = ~words
        if bool(clips.any()):
            one, both = logits.softmax(-1).mean(1), strength.mean(1)
            apart = (one - one[partner]).square().sum(-1) + (both - both[partner]).square()
            terms["mood"] = apart[clips].mean()
        return terms

    def save(self, path: Path) -> None:
        """Writes all that `resume` needs."""
        state = {
            "step": self.step, "random": self.random.get_state(), "dropout": torch.get_rng_state(),
            "network": self.network.state_dict(), "average": self.average.state_dict(),
            "optimiser": self._optimiser.state_dict(), "plan": self._plan.state_dict(), "schedule": repr(self.schedule),
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
            self._optimiser.load_state_dict(state["optimiser"])
            self._plan.load_state_dict(state["plan"])
            self.random.set_state(state["random"])
            torch.set_rng_state(state["dropout"])
            self.step = int(state["step"])
        except OptionError:
            raise
        except Exception as error:  # torch.load raises whatever a damaged file makes it stumble over
            raise OptionError(f"{path} cannot be continued from ({error}); delete it to start anew.") from None


def mouth_opening(model: FaceModel) -> Tensor:
    """(52,) mean opening in the middle of the lips, model units, per unit of each coefficient."""
    return LipProjection(model).features[1 : len(LIP_PAIRS) - 1].mean(0)
