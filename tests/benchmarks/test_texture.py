"""The tables of `benchmarks/texture.py`."""

from __future__ import annotations

import pytest
import torch

from talkedit_sdk.training.motion import held_out
from talkedit_sdk.training.skins import Skins
from talkedit_sdk.training.texture_score import MeanChange, mean_change

SIDE = 16


def person(name: str, role: str, move: float = 1.0, views: int = 4) -> Skins:
    """Somebody whose skin darkens in a corner with the first coefficient."""
    beta = torch.zeros(views, 52)
    beta[:, 0] = move * torch.linspace(0, 1, views)
    skin = torch.zeros(views, 3, SIDE, SIDE)
    skin[:, :, :4, :4] = -beta[:, 0, None, None, None]
    chance = torch.Generator().manual_seed(sum(map(ord, name)))
    skin += 0.05 * torch.randn(1, 3, SIDE, SIDE, generator=chance)
    light = torch.tensor([[0.0, -0.3, -0.5]]).expand(views, -1)
    return Skins(name, role, skin, torch.ones(views, SIDE, SIDE), beta, light, ("",) * views)


def test_strangers_are_those_that_nothing_was_learned_from(texture):
    kept = next(f"p{n}" for n in range(99) if held_out(f"p{n}", texture.HELD_OUT))
    learned = next(f"p{n}" for n in range(99) if not held_out(f"p{n}", texture.HELD_OUT))
    people = [person(kept, "train"), person(learned, "train"), person("e", "eval"), person("calm", "eval", 0.3)]
    assert [each.person for each in texture.strangers([*people, person("photo", "eval", views=1)])] == [kept, "e"]


def test_what_is_predicted_leaves_nothing_of_the_error(texture):
    truth = mean_change([person(f"t{n}", "train") for n in range(30)])
    nothing = MeanChange(torch.zeros_like(truth.slopes))
    corner = torch.zeros(SIDE, SIDE)
    corner[:8, :8] = 1
    people = [person("a", "eval"), person("b", "eval")]
    found = texture.ratios({"mean": truth, "none": nothing}, people, {"corner": corner})
    assert (found["corner"]["mean"] < 0.5).all()
    assert found["corner"]["none"] == pytest.approx([1, 1], abs=1e-3)
    text = texture.table(found)
    assert text.splitlines()[2].startswith("| corner | 2 | 0.")
    assert "| 1.000 [1.000, 1.000] |" in text


def test_the_table_of_details_shows_both(texture_clips, tables):
    def row(gain: float):
        return tables.Row("clip", "angry", 0.5, 1.0, 24, gain=gain, identity=0.5)

    text = texture_clips.table({0.0: [row(0.2), row(0.4)], 0.7: [row(1.0), row(1.2)]}, ("angry",))
    assert "| angry | 2 | 0.30 → 1.10 | – → – | – → – | 0.50 → 0.50 |" in text
    assert "detail 0 → 0.7" in text
