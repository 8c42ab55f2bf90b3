"""How near predicted textures come to real ones, region by region, of editors and of plain ways to do without."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from talkedit_sdk.texture.types import Change, TextureEditor
from talkedit_sdk.training.skins import Skins

_SEEN: Final = 1e-6
_RIDGE: Final = 10.0  # squared coefficients
_PAIRS: Final = 8  # of each person


@dataclass(frozen=True)
class MeanChange:
    """How skin changes with coefficients on average of all people, whoever it is: (52, 3, N, N)."""

    slopes: Tensor

    def know(self, skin: Tensor, visible: Tensor, coefficients: Tensor) -> Change:
        """See `TextureEditor`; everybody is alike."""
        return self.change

    def change(self, before: Tensor, after: Tensor, light: Tensor) -> Tensor:
        """See `Change`."""
        return torch.einsum("tk,kcij->tcij", after - before, self.slopes)


def mean_change(skins: list[Skins]) -> MeanChange:
    """A ridge of each person's skin about its mean on the coefficients about theirs."""
    size = skins[0].skin.shape[1:]
    inner, outer = (
        _RIDGE * torch.eye(skins[0].coefficients.shape[1]),
        torch.zeros(skins[0].coefficients.shape[1], size.numel()),
    )
    for each in skins:
        away = each.coefficients - each.coefficients.mean(0)
        inner += away.T @ away
        outer += away.T @ (each.skin.float() - each.skin.float().mean(0)).flatten(1)
    return MeanChange(torch.linalg.solve(inner, outer).unflatten(1, size))


def score(
    editors: Mapping[str, TextureEditor], skins: list[Skins], regions: dict[str, Tensor]
) -> dict[str, dict[str, float]]:
    """What each editor leaves of the error of no edit on people of whom it sees all views but the one it has to tell.

    Args:
        editors: by name.
        skins: of people with two views at least; others are left out.
        regions: soft masks (N, N) by name, N the side of the skins.

    Returns:
        For each region the error by name of the editor, relative to no edit.
    """
    pairs = [(each, *pair) for each in skins for pair in _pairs(each.coefficients)]
    source, target = (
        torch.stack([each.skin[row].float() for each, *rows in pairs for row in [rows[n]]]) for n in (0, 1)
    )
    visible = torch.stack([each.visible[one].float() * each.visible[other].float() for each, one, other in pairs])
    table: dict[str, dict[str, float]] = {}
    for name, editor in editors.items():
        change = torch.cat([_predicted(editor, *pair) for pair in pairs])
        change = _resized(change, source)
        for region, error in region_errors(source + change, source, target, visible, regions).items():
            if region.endswith(_RATIO):
                table.setdefault(region.removesuffix(_RATIO), {})[name] = round(error, 3)
    return table


def believed(editor: TextureEditor, known: TextureEditor, skins: list[Skins], regions: dict[str, Tensor]) -> Tensor:
    """How much of what an editor adds to another should be drawn: in each region what comes nearest to the person in
    the middle of those it has not learned from, at most all of it, and nothing where nobody shows anything.

    Args:
        editor: who adds to `known`.
        known: whose changes are drawn in any case.
        skins: as for `score`.
        regions: soft masks (N, N) by name; what lies in none is a region too.

    Returns:
        (N, N) in [0, 1].
    """
    masks = regions | {"elsewhere": 1 - torch.stack(list(regions.values())).amax(0)}
    best: dict[str, list[float]] = {name: [] for name in masks}
    for each in skins:
        sums = {name: torch.zeros(2) for name in masks}
        for row, other in _pairs(each.coefficients):
            rendered = _predicted(known, each, row, other)
            added = _resized(_predicted(editor, each, row, other), each.skin) - _resized(rendered, each.skin)
            missing = (each.skin[other] - each.skin[row]).float()[None] - _resized(rendered, each.skin)
            seen = each.visible[row].float() * each.visible[other].float()
            for name, mask in masks.items():
                weight = (seen * mask)[None, None]
                sums[name] += torch.stack([_product(added, missing, weight), _product(added, added, weight)])
        for name, (told, size) in sums.items():
            if float(size) > _SEEN:
                best[name].append(float((told / size).clamp(0, 1)))
    shares = {name: float(np.median(found)) if found else 0.0 for name, found in best.items()}
    total = torch.stack([shares[name] * mask for name, mask in masks.items()]).sum(0)
    return total / torch.stack(list(masks.values())).sum(0)


def _resized(change: Tensor, skin: Tensor) -> Tensor:
    return functional.interpolate(change, size=skin.shape[-2:], mode="bilinear", antialias=True)


def _product(one: Tensor, other: Tensor, weight: Tensor) -> Tensor:
    """Inner product of two (1, 3, N, N) about their weighted means."""
    total = weight.sum().clamp_min(_SEEN)
    one, other = (each - (each * weight).sum((-2, -1), keepdim=True) / total for each in (one, other))
    return (one * other * weight).sum()


def _pairs(coefficients: Tensor) -> list[tuple[int, int]]:
    """Rows with the row that differs most from each of them."""
    count = len(coefficients)
    if count < 2:
        return []
    rows = torch.linspace(0, count - 1, min(count, _PAIRS)).round().long().tolist()
    return [(row, int((coefficients - coefficients[row]).square().sum(1).argmax())) for row in rows]


def _predicted(editor: TextureEditor, person: Skins, row: int, target: int) -> Tensor:
    """(1, 3, N, N)."""
    seen = torch.arange(len(person.skin)) != target
    change = editor.know(person.skin[seen].float(), person.visible[seen].float(), person.coefficients[seen])
    return change(person.coefficients[[row]], person.coefficients[[target]], person.light[[row]]).float().cpu()


_RATIO: Final = " ratio"


def region_errors(
    predicted: Tensor, source: Tensor, target: Tensor, visible: Tensor, regions: dict[str, Tensor]
) -> dict[str, float]:
    """Errors of predicted skin, and what is left of the error of no edit at all.

    The mean over a region is taken out of both, frame by frame and colour by colour: what is left of the light is no
    fold.

    Args:
        predicted, source, target: (T, 3, N, N) log skin as predicted, before the edit, and as it really was.
        visible: (T, N, N) in [0, 1], of source and target both.
        regions: soft masks (N, N) by name.

    Returns:
        For each region `name` the root mean square in log units, and as `name ratio` its ratio to that of the source;
        nothing for a region that no frame shows.
    """
    errors = {}
    for name, region in regions.items():
        weight = (visible * region.to(visible.device))[:, None]
        if float(weight.sum()) > _SEEN:
            error, unedited = (_spread(values - target, weight) for values in (predicted, source))
            errors[name] = error
            errors[name + _RATIO] = error / max(unedited, _SEEN)
    return errors


def _spread(values: Tensor, weight: Tensor) -> float:
    """Root of the weighted mean square of (T, 3, N, N) about its weighted mean in each frame and colour."""
    total = weight.sum((-2, -1), keepdim=True).clamp_min(_SEEN)
    centred = values - (values * weight).sum((-2, -1), keepdim=True) / total
    return float(((centred.square() * weight).sum() / (weight.sum() * values.shape[1])).sqrt())
