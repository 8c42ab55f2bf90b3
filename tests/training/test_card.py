from __future__ import annotations

import json
from string import Formatter

import pytest

from talkedit_sdk.errors import WeightsError
from talkedit_sdk.hub import EMBEDDED
from talkedit_sdk.training import face, glasses, motion, mouth, speech, texture
from talkedit_sdk.training.card import HEADINGS, write_section

FACE, GLASSES, MOUTH, MOTION, TEXTURE, SPEECH = HEADINGS
TEMPLATES = {
    FACE: face.SECTION, GLASSES: glasses.SECTION, MOUTH: mouth.SECTION, MOTION: motion.SECTION,
    TEXTURE: texture.SECTION, SPEECH: speech.SECTION,
}  # fmt: skip


@pytest.fixture
def card(tmp_path):
    """Reads the card of `tmp_path` after sections were written to it."""

    def write(*sections):
        for section in sections:
            write_section(tmp_path, section)
        return (tmp_path / "README.md").read_text()

    return write


def test_the_sections_are_in_order_whichever_comes_first(card):
    text = card(*(f"{heading}\n\nAbout it.\n" for heading in (SPEECH, MOUTH, MOTION, FACE, TEXTURE, GLASSES)))
    assert text.startswith("---\nlicense: apache-2.0\n")
    assert text.count("---\n") == 2
    assert [line for line in text.splitlines() if line.startswith("# ")] == list(HEADINGS)
    assert text.endswith(f"\n\n{SPEECH}\n\nAbout it.\n")


def test_a_section_takes_the_place_of_its_own_and_of_no_other(tmp_path, card):
    others = f"---\nlicense: mit\n# by us\n---\n\nOurs.\n\n{FACE}\n\nA face.\n\n## Limits\nMany.\n\n"
    code = "```\n# talkedit mouth of nobody\n```\n"
    after = f"\n# Thanks\n\n{code}\n{MOTION}\n\nIt moves.\n"
    (tmp_path / "README.md").write_text(f"{others}{GLASSES}\n\nOld.\n\n## By hand\nOld, too.\n{after}")
    text = card(f"{GLASSES}\n\nNew.\n")
    assert text == f"{others}{GLASSES}\n\nNew.\n{after}"
    assert card(f"{GLASSES}\n\nNew.\n") == text
    added = card(f"{MOUTH}\n\nA mouth.\n")
    assert added == text.replace(f"\n{MOTION}\n", f"\n{MOUTH}\n\nA mouth.\n\n{MOTION}\n")


def test_a_card_that_is_no_text_is_left_alone(tmp_path):
    (tmp_path / "README.md").write_bytes(b"\xff\xfe")
    with pytest.raises(WeightsError, match="no text in UTF-8"):
        write_section(tmp_path, f"{FACE}\n")
    assert (tmp_path / "README.md").read_bytes() == b"\xff\xfe"


def test_the_card_that_ships_tells_the_measured_numbers():
    config = json.loads((EMBEDDED / "face.json").read_text())
    card = (EMBEDDED / "README.md").read_text()
    for measure in ("teacher", "fitted"):
        assert f"{config['measured'][f'{measure}_mean']:.3f}" in card
    assert f"of {config['people']} people" in card
    config = json.loads((EMBEDDED / "motion.json").read_text())
    assert f"of {config['people']} people" in card
    for emotion, share in config["measured"].items():
        assert f"| {emotion} | {share:.2f} |" in card


@pytest.mark.parametrize("heading", HEADINGS)
def test_the_card_that_ships_says_what_training_would_write(heading):
    """But for the numbers, and with more of what was found out by hand."""
    card = (EMBEDDED / "README.md").read_text()
    section = " ".join(card.partition(f"{heading}\n")[2].partition("\n# ")[0].split())
    place = 0
    for text, *_ in Formatter().parse(TEMPLATES[heading].removeprefix(heading)):
        for paragraph in text.split("\n\n"):
            words = " ".join(paragraph.split())
            assert words in section[place:]
            place = section.index(words, place) + len(words)
