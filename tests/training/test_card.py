from __future__ import annotations

import json

from talkedit_sdk.editor import EMBEDDED
from talkedit_sdk.training.card import write_card


def test_the_card_holds_the_numbers(people, record, tmp_path):
    tables = {
        "people left out": {"a.mp4": {"teacher": 0.5, "fitted": 0.9}, "b.mp4": {"teacher": 0.7}},
        "others": {"c.mp4": {"fitted": 0.8124}},
    }
    path = tmp_path / "README.md"
    write_card(path, tables, 7, [*people[:3], record(70, count=1)])
    text = path.read_text()
    assert text.startswith("---\nlicense: apache-2.0\n")
    assert "3 videos (240 frames) and 1 photos of 7 people" in text
    assert "### People left out (2 recordings)" in text
    assert "| teacher | 0.600 | 0.700 | 0.500 | 2 |" in text
    assert "| fitted | 0.900 | 0.900 | 0.900 | 1 |" in text
    assert "| fitted | 0.812 | 0.812 | 0.812 | 1 |" in text
    for part in ("## Made from", "## How", "## Measured", "## Limits"):
        assert part in text


def test_the_card_that_ships_tells_the_measured_numbers():
    config = json.loads((EMBEDDED / "face.json").read_text())
    card = (EMBEDDED / "README.md").read_text()
    for measure in ("teacher", "fitted"):
        assert f"{config['measured'][f'{measure}_mean']:.3f}" in card
    assert f"of {config['people']} people" in card
