"""The texture networks, what tells them apart from real skin, and their optimisers, step by step."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from talkedit_sdk.device import find_device
from talkedit_sdk.errors import OptionError
from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.texture.learned import TextureNetwork
from talkedit_sdk.texture.network import LATENT, RESOLUTIONS
from talkedit_sdk.training.augment import Augmentation
from talkedit_sdk.training.gan import (
    Discriminator,
    LatentDiscriminator,
    PathLength,
    gradient_penalty,
    taken_for_real,
    told_apart,
)
from talkedit_sdk.training.skins import Skins
from talkedit_sdk.training.texture_pairs import TextureLesson, TexturePairs, resized

_FEWEST: Final = 3
_UNLOCKED: Final = 0.05  # share of the steps after which the encoder has all its offsets
_PAIRS: Final = 0.05  # and from which on pairs are learned
_FALLING: Final = 0.6  # and from which on the rates fall
_LEAST_RATE: Final = 0.05
_PENALTY_EVERY: Final = 16  # steps between penalties, which count for all of them
_PATH_EVERY: Final = 8
_AVERAGE: Final = 0.998  # of the weights over steps
_MEAN: Final = 0.99  # of the codes over steps
_ENCODER_SHARE: Final = 0.3  # of the gradient of pairs that goes on to the encoder
_LEVELS: Final = 4  # of the pyramid
_NOISE: Final = 0.05  # log units


@dataclass(frozen=True)
class Terms:
    """How much each term of the loss counts."""

    pixels: float = 15.0
    features: float = 0.3
    pairs: float = 60.0
    sampled: float = 0.15
    rebuilt: float = 0.05
    codes: float = 0.03
    offsets: float = 0.02
    penalty: float = 0.2
    path: float = 1.0


@dataclass(frozen=True)
class TextureSchedule:
    """How long and how to train: the same seed and data give the same weights. `half` computes convolutions in
    bfloat16, by half faster where the processor knows it."""

    steps: int = 4000
    resolution: int = 128
    batch: int = 8
    rate: float = 3e-3
    seed: int = 0
    half: bool = False
    terms: Terms = field(default_factory=Terms)
    device: str = "cpu"

    @property
    def stages(self) -> tuple[tuple[int, int], ...]:
        """(side, first step) of the stages: each side gets twice as long as the one before it."""
        sides = [side for side in RESOLUTIONS if side <= self.resolution]
        shares = [2**number for number in range(len(sides))]
        return tuple((side, self.steps * sum(shares[:n]) // sum(shares)) for n, side in enumerate(sides))

    def side(self, step: int) -> int:
        """The side of what is made in a step."""
        return next(side for side, first in reversed(self.stages) if step >= first)


@dataclass(frozen=True)
class _Made:
    """What a step made, detached: fakes (F, 3, N, N), codes (B, L, D) of the encoder and drawn ones (B', D)."""

    fakes: Tensor
    codes: Tensor
    drawn: Tensor


class TextureTrainer:
    """Everything that changes while training; `resume` continues what `save` left.

    One step trains the generator as the decoder of the encoder, as a GAN and, after the first steps, together with
    the latent editor on pairs.
    """

    def __init__(self, model: FaceModel, skins: list[Skins], schedule: TextureSchedule) -> None:
        if schedule.resolution not in RESOLUTIONS:
            known = ", ".join(map(str, RESOLUTIONS))
            raise OptionError(f"The resolution is {schedule.resolution}; give one of {known}.")
        if len({each.person for each in skins}) < _FEWEST:
            raise OptionError(f"Fewer than {_FEWEST} people with a face were found; add videos of more people.")
        torch.manual_seed(schedule.seed)
        self.schedule = schedule
        self.random = torch.Generator().manual_seed(schedule.seed)
        self.pairs = TexturePairs(model, skins, self.random)
        self.device = device = find_device(schedule.device)
        layout: Any = {"device": device, "memory_format": torch.channels_last}  # by a third faster
        self.network = TextureNetwork(schedule.resolution).to(**layout)
        self.average = copy.deepcopy(self.network).requires_grad_(False).eval()
        self._judge = Discriminator(schedule.resolution).to(**layout)
        self._code_judge = LatentDiscriminator().to(device)
        self._augment, self._path = Augmentation(self.random), PathLength()
        network, rate = self.network, schedule.rate
        self._optimiser = torch.optim.Adam(
            [
                {"params": [*network.generator.parameters(), *network.mapping.parameters()], "betas": (0.8, 0.99)},
                {"params": [*network.encoder.parameters(), *network.editor.parameters()], "betas": (0.9, 0.99)},
            ],
            lr=rate,
        )
        self._judge_optimiser = torch.optim.Adam(
            [*self._judge.parameters(), *self._code_judge.parameters()], lr=rate, betas=(0.0, 0.99)
        )
        self.step = 0

    def advance(self) -> dict[str, float]:
        """One step; returns the terms of the loss."""
        schedule = self.schedule
        side = schedule.side(self.step)
        lesson = self.pairs.lesson(schedule.batch).to(self.device)
        real, visible = resized(lesson.skin, side), resized(lesson.visible[:, None], side)
        for optimiser in (self._optimiser, self._judge_optimiser):
            for group in optimiser.param_groups:
                group["lr"] = schedule.rate * self._pace()
        penalised = self.step % _PENALTY_EVERY == 0
        with torch.autocast(self.device.type, torch.bfloat16, enabled=schedule.half):
            total, made, terms = self._make(lesson, real, visible, side)
        if self.step % _PATH_EVERY == 0:
            total = total + _PATH_EVERY * schedule.terms.path * self._path_penalty(side)
        self._descend(total)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=schedule.half and not penalised):
            terms |= self._tell(real * visible, made, penalised)
        self._follow(made.drawn)
        self.step += 1
        return {name: float(value.detach()) for name, value in terms.items()} | {"augmentation": self._augment.p}

    def _make(
        self, lesson: TextureLesson, real: Tensor, visible: Tensor, side: int
    ) -> tuple[Tensor, _Made, dict[str, Tensor]]:
        """The loss of what makes textures, what it made, and the terms of the loss."""
        network, count, weights = self.network, len(real), self.schedule.terms
        half = max(count // 2, 1)
        w, offsets = self._encode(lesson.skin, lesson.visible)
        drawn = network.mapping(self._normal(half))
        wanted = [w, network.spread(drawn)]
        pairs = self.step >= _PAIRS * self.schedule.steps
        alone = float(torch.rand((), generator=self.random)) < 0.5
        if pairs:
            wanted += self._edited(lesson, w, alone)
        pictures = network.generator(torch.cat(wanted), side)
        rebuilt, sampled = pictures[:count], pictures[count : count + half]
        terms = {"pixels": pyramid_error(rebuilt - real, visible)}
        masks = visible[torch.randperm(count, generator=self.random)]
        fakes = [rebuilt[:half] * visible[:half], sampled * masks[:half]]
        if pairs:
            after = pictures[count + half : 2 * count + half]
            before = rebuilt if alone else pictures[2 * count + half :]
            error = after - before - resized(lesson.change, side)
            terms["pairs"] = pyramid_error(error, resized(lesson.trust[:, None], side))
            fakes.append((after * visible)[half : half + half // 2])
        self._judge.requires_grad_(False)
        found, goal = list[Tensor](), list[Tensor]()
        scores = self._judge(torch.cat([fakes[0], self._augment(fakes[1]), *fakes[2:]]), found)
        terms["sampled"] = taken_for_real(scores[half : 2 * half])
        terms["rebuilt"] = taken_for_real(torch.cat([scores[:half], scores[2 * half :]]))
        with torch.no_grad():
            self._judge((real * visible)[:half], goal)
        apart = [(f[:half] - g).abs().mean() / (g.abs().mean() + 1e-3) for f, g in zip(found, goal, strict=True)]
        terms["features"] = torch.stack(apart).mean()
        terms["codes"] = taken_for_real(self._code_judge(w))
        terms["offsets"] = offsets.square().mean()
        total = torch.stack([getattr(weights, name) * term for name, term in terms.items()]).sum()
        return total, _Made(torch.cat(fakes).detach(), w.detach().float(), drawn.detach().float()), terms

    def _descend(self, total: Tensor) -> None:
        """A step of what makes textures."""
        self._optimiser.zero_grad()
        torch.autograd.backward(total)
        nn.utils.clip_grad_norm_(self.network.parameters(), 10.0)
        self._optimiser.step()
        self._judge.requires_grad_(True)

    def _edited(self, lesson: TextureLesson, w: Tensor, alone: bool) -> list[Tensor]:
        """Codes after the edit and, where not `alone`, before it. At run time a person is the mean of some views: `w`
        stands for it alone, or together with another view or only that."""
        network, own = self.network, lesson.own
        if not alone:
            view, _ = self._encode(lesson.view, lesson.view_visible)
            share = torch.randint(2, (len(w),), generator=self.random).to(w) / 2
            w = torch.lerp(view, w, share[:, None, None])
            own = torch.lerp(lesson.view_own, own, share[:, None])
        w = torch.lerp(w.detach(), w, _ENCODER_SHARE)
        after = network.moved(w, own, lesson.goal, lesson.light)
        return [after] if alone else [after, network.moved(w, own, lesson.own, lesson.light)]

    def _encode(self, skin: Tensor, visible: Tensor) -> tuple[Tensor, Tensor]:
        """(B, L, D) codes and the offsets (B, L-1, D) in them, as many of these as are let in by now."""
        base, offsets = self.network.encoder(skin.contiguous(memory_format=torch.channels_last), visible)
        layers = offsets.shape[1]
        progress = self.step / (_UNLOCKED * self.schedule.steps) * layers
        open_ = (progress - torch.arange(layers, device=offsets.device)).clamp(0, 1)
        offsets = offsets * open_[:, None]
        return self.network.assembled(base, offsets), offsets

    def _tell(self, real: Tensor, made: _Made, penalised: bool) -> dict[str, Tensor]:
        """Trains what tells real from made."""
        seen = self._augment(real).requires_grad_(penalised)
        scores = self._judge(seen)
        told = told_apart(scores, self._judge(self._augment(made.fakes)))
        drawn = made.drawn.clone().requires_grad_(penalised)
        known = self._code_judge(drawn)
        apart = told_apart(known, self._code_judge(made.codes.flatten(0, 1)))
        total = told + apart
        if penalised:
            penalty = gradient_penalty(scores, seen) + gradient_penalty(known, drawn)
            total = total + _PENALTY_EVERY * self.schedule.terms.penalty / 2 * penalty
        self._judge_optimiser.zero_grad()
        torch.autograd.backward(total)
        self._judge_optimiser.step()
        self._augment.adapt(scores)
        return {"judge": told, "code_judge": apart}

    def _path_penalty(self, side: int) -> Tensor:
        codes = self.network.spread(self.network.mapping(self._normal(max(self.schedule.batch // 2, 1))))
        return self._path.penalty(self.network.generator(codes, side), codes, self.random)

    def _normal(self, count: int) -> Tensor:
        return torch.randn(count, LATENT, generator=self.random).to(self.device)

    def _pace(self) -> float:
        """Of the learning rates at this step, relative to the first."""
        begin = _FALLING * self.schedule.steps
        done = max(self.step - begin, 0) / (self.schedule.steps - begin)
        return _LEAST_RATE + (1 - _LEAST_RATE) * (1 + math.cos(math.pi * done)) / 2

    @torch.no_grad()
    def _follow(self, drawn: Tensor) -> None:
        keep = min(_AVERAGE, self.step / (self.step + 10))
        for mean, value in zip(self.average.parameters(), self.network.parameters(), strict=True):
            mean.lerp_(value, 1 - keep)
        centre = torch.as_tensor(self.network.mean)
        centre.lerp_(drawn.mean(0), 1 - min(_MEAN, keep))
        torch.as_tensor(self.average.mean).copy_(centre)

    def save(self, path: Path) -> None:
        """Writes all that `resume` needs."""
        state = {
            "step": self.step, "random": self.random.get_state(), "schedule": repr(self.schedule),
            "augmentation": (self._augment.p, self._augment.sureness), "path": self._path.mean,
            **{name: part.state_dict() for name, part in self._parts().items()},
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
            state: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
            if state["schedule"] != repr(self.schedule):
                raise OptionError(f"{path} belongs to a training with other settings; delete it to start anew.")
            for name, part in self._parts().items():
                part.load_state_dict(state[name])
            self._augment.p, self._augment.sureness = state["augmentation"]
            self._path.mean = float(state["path"])
            self.random.set_state(state["random"])
            self.step = int(state["step"])
        except OptionError:
            raise
        except Exception as error:  # torch.load raises whatever a damaged file makes it stumble over
            raise OptionError(f"{path} cannot be continued from ({error}); delete it to start anew.") from None

    def _parts(self) -> dict[str, Any]:
        return {
            "network": self.network, "average": self.average, "judge": self._judge, "code_judge": self._code_judge,
            "optimiser": self._optimiser, "judge_optimiser": self._judge_optimiser,
        }  # fmt: skip


def pyramid_error(error: Tensor, weight: Tensor) -> Tensor:
    """Mean error of (B, 3, N, N), weighted by (B, 1, N, N), summed over the bands of a Laplacian pyramid and the whole:
    folds are small, and would drown among what is large. What is less than noise counts by its square, so that it does
    not drown them either (Charbonnier et al., *Two deterministic half-quadratic regularization algorithms for computed
    imaging*, ICIP 1994)."""
    total = error.new_zeros(())
    remaining = error * weight
    scale = weight.mean().clamp_min(1e-3)
    for _ in range(_LEVELS):
        smaller = nn.functional.avg_pool2d(remaining, 2)
        band = remaining - nn.functional.interpolate(smaller, scale_factor=2, mode="nearest")
        total = total + _robust(remaining) / _LEVELS + _robust(band)
        remaining = smaller
    return total / scale


def _robust(error: Tensor) -> Tensor:
    return ((error.square() + _NOISE**2).sqrt() - _NOISE).mean()
