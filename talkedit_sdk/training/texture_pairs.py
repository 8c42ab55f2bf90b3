"""Batches to learn skin from: textures of people, and how each changes from one expression to another.

Two rows of one person are a real pair. Rendered folds make the others: skin that has been given somebody's folds loses
them again or gets more of them. What a renderer adds for anybody is taken off all of them: the networks learn what is
left, which is what belongs to this person and what goes.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from talkedit_sdk.emotion import EMOTIONS
from talkedit_sdk.face.model import FaceModel
from talkedit_sdk.face.topology import LIP_PAIRS, MIRRORED
from talkedit_sdk.motion.mouth import LipProjection
from talkedit_sdk.texture.folds import FoldLook
from talkedit_sdk.texture.skin import SkinMap
from talkedit_sdk.texture.wrinkles import WrinkleRenderer
from talkedit_sdk.training.facs import Speech, act, random_styles
from talkedit_sdk.training.registration import mirrored
from talkedit_sdk.training.skins import Skins

_RENDERED: Final = 0.5  # share of pairs, where there are others
_FROM_FOLDS: Final = 0.8  # share of these whose source is given folds too
_ACTED: Final = 0.75  # share of these that act an emotion; the others do what somebody else did
_CANDIDATES: Final = 4  # of rows, of which the one that differs most makes the pair
_REAL_TRUST: Final = 0.4  # in the light and the registration of real pairs, relative to rendered ones
_FOLDED: Final = 0.05  # log change from which on rendered folds are the whole truth
_BESIDE: Final = 0.05  # trust in them where there are none: what else goes with an expression they do not know
_MOUTH_TRUST: Final = 1.5  # in what is between the lips, of which only real pairs know
_LOOKS: Final = tuple(FoldLook(age, seed) for seed, age in enumerate((0.25, 0.35, 0.45, 0.55, 0.7, 0.9), start=1))
"""Of folds that a source is given. Those that come are of the average look, since nobody can know better."""
_RIGHT_SIDE: Final = torch.tensor([-1.0, 1.0, 1.0])


@dataclass(frozen=True)
class TextureLesson:
    """A batch of people with even light, in the layout of `SkinMap`.

    Members:
        skin, visible, own: (B, 3, N, N), (B, N, N) and coefficients (B, 52) of the source.
        view, view_visible, view_own: another row of the same person, where there is one.
        goal: (B, 52) what the source is to become.
        light: (B, 3) of the source.
        change: (B, 3, N, N) of the skin, from the source to the goal, beyond what `WrinkleRenderer` does for anybody.
        trust: (B, N, N) weight of each texel of it.
    """

    skin: Tensor
    visible: Tensor
    own: Tensor
    view: Tensor
    view_visible: Tensor
    view_own: Tensor
    goal: Tensor
    light: Tensor
    change: Tensor
    trust: Tensor

    def to(self, device: torch.device) -> TextureLesson:
        """The same on another device."""
        return TextureLesson(**{field.name: getattr(self, field.name).to(device) for field in fields(self)})

    def mirrored(self, rows: Tensor) -> TextureLesson:
        """The same with the `rows` (B,) bool mirrored."""
        flipped = {
            "skin": mirrored(self.skin), "visible": mirrored(self.visible), "view": mirrored(self.view),
            "view_visible": mirrored(self.view_visible), "change": mirrored(self.change), "trust": mirrored(self.trust),
            "own": self.own[:, list(MIRRORED)], "view_own": self.view_own[:, list(MIRRORED)],
            "goal": self.goal[:, list(MIRRORED)], "light": self.light * _RIGHT_SIDE.to(self.light.device),
        }  # fmt: skip
        return TextureLesson(
            **{n: torch.where(rows.view(-1, *[1] * (t.ndim - 1)), t, getattr(self, n)) for n, t in flipped.items()}
        )


class TexturePairs:
    """Draws lessons from the skins of people, all of one side N."""

    def __init__(self, model: FaceModel, skins: list[Skins], generator: torch.Generator) -> None:
        self._random = generator
        texels = SkinMap(model, skins[0].skin.shape[-1])
        self._folds = WrinkleRenderer(model, texels)
        self._openings = LipProjection(model).features[: len(LIP_PAIRS)]
        mouth = texels.regions(model)["mouth"]
        self._mouth = torch.as_tensor(mouth)
        self.skin = torch.cat([each.skin for each in skins])
        self.visible = torch.cat([each.visible for each in skins])
        self.coefficients = torch.cat([each.coefficients for each in skins]).float()
        self.light = torch.cat([each.light for each in skins]).float()
        counts = [len(each.skin) for each in skins]
        ends = torch.tensor(counts).cumsum(0).tolist()
        self._mates = [
            torch.arange(end - count, end) for count, end in zip(counts, ends, strict=True) for _ in range(count)
        ]
        self._weights = torch.cat([torch.full((count,), count**-0.5) for count in counts])

    def lesson(self, count: int) -> TextureLesson:
        """A batch of `count`."""
        rows = torch.multinomial(self._weights, count, replacement=True, generator=self._random)
        mates, views = (torch.tensor(each) for each in zip(*(self._company(row) for row in rows.tolist()), strict=True))
        skin, visible = self.skin[rows].float(), self.visible[rows].float()
        both = visible * self.visible[mates].float()
        lesson = TextureLesson(
            skin, visible, self.coefficients[rows],
            self.skin[views].float(), self.visible[views].float(), self.coefficients[views],
            self.coefficients[mates], self.light[rows],
            (self.skin[mates].float() - skin) * both[:, None],
            both * (_REAL_TRUST + (_MOUTH_TRUST - _REAL_TRUST) * self._mouth),
        )  # fmt: skip
        rendered = (self._chance(count) < _RENDERED) | (mates == rows)
        lesson = self._rendered(lesson, torch.nonzero(rendered).flatten()) if bool(rendered.any()) else lesson
        known = self._folds.change(lesson.own, lesson.goal, lesson.light)
        lesson = replace(lesson, change=lesson.change - known * (lesson.trust > 0)[:, None])
        return lesson.mirrored(self._chance(count) < 0.5)

    def _chance(self, count: int) -> Tensor:
        return torch.rand(count, generator=self._random)

    def _company(self, row: int) -> tuple[int, int]:
        """A row of the same person that differs in expression, and any; the row itself where there is no other."""
        mates = self._mates[row]
        found = mates[torch.randint(len(mates), (_CANDIDATES,), generator=self._random)]
        far = (self.coefficients[found] - self.coefficients[row]).square().sum(1).argmax()
        view = mates[torch.randint(len(mates), (), generator=self._random)]
        return int(found[far]), int(view)

    def _rendered(self, lesson: TextureLesson, rows: Tensor) -> TextureLesson:
        """The lesson with rendered pairs in `rows`."""
        own, light, count = lesson.own[rows], lesson.light[rows], len(rows)
        reached = self._expression(own)
        folded = (self._chance(count) < _FROM_FOLDS).float()
        first = folded * (0.25 + 0.75 * self._chance(count))
        second = self._chance(count) * (1 - folded * (self._chance(count) < 0.6).float())
        begin, goal = (torch.lerp(own, reached, share[:, None]) for share in (first, second))
        folded_look = _LOOKS[int(torch.randint(len(_LOOKS), (), generator=self._random))]
        there, folds = torch.zeros_like(lesson.change[rows]), torch.zeros_like(lesson.change[rows])
        for chosen, look in ((folded > 0, folded_look), (folded == 0, FoldLook())):
            if bool(chosen.any()):
                plain, lit = own[chosen].repeat(2, 1), light[chosen].repeat(2, 1)
                wanted = torch.cat([goal[chosen], begin[chosen]])
                there[chosen], folds[chosen] = self._folds.change(plain, wanted, lit, look).chunk(2)
        values = {field.name: getattr(lesson, field.name).clone() for field in fields(lesson)}
        values["skin"][rows] += folds * lesson.visible[rows, None]
        values["own"][rows], values["goal"][rows] = begin, goal
        values["change"][rows] = there - folds
        near = (torch.maximum(there.abs(), folds.abs()).amax(1) / _FOLDED).clamp(_BESIDE, 1)
        values["trust"][rows] = lesson.visible[rows] * near * (1 - self._mouth)
        return TextureLesson(**values)

    def _expression(self, own: Tensor) -> Tensor:
        """(B, 52) somebody -> the same person in an emotion, or doing what anybody did."""
        count = len(own)
        emotion = torch.eye(len(EMOTIONS))[torch.randint(len(EMOTIONS), (count,), generator=self._random)]
        strength = 0.4 + 0.6 * self._chance(count)
        gaps = (own @ self._openings.T).clamp_min(0)
        calm = Speech(own[:, None], gaps[:, None])
        acted = act(calm, emotion[:, None], strength[:, None], random_styles(count, self._random), self._openings)
        others = self.coefficients[torch.randint(len(self.coefficients), (count,), generator=self._random)]
        chosen = (self._chance(count) < _ACTED)[:, None]
        return torch.where(chosen, acted.coefficients[:, 0].clamp(0, 1), others)


def resized(maps: Tensor, side: int) -> Tensor:
    """(K, C, N, N) -> (K, C, side, side) of the same type, averaged where it gets smaller."""
    if maps.shape[-1] == side:
        return maps
    mode = "area" if maps.shape[-1] > side else "bilinear"
    return functional.interpolate(maps.float(), size=(side, side), mode=mode).to(maps.dtype)
