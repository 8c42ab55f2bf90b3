"""The model card of a folder of weights: `README.md`, with a section for each file of weights."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from talkedit_sdk.publish import CARD, read_card
from talkedit_sdk.video.output import explaining, replacing

HEADINGS: Final = (
    "# talkedit face model",
    "# talkedit rim finder",
    "# talkedit mouth of nobody",
    "# talkedit motion editor",
    "# talkedit texture editor",
    "# talkedit speech driver",
)
"""Of the sections, in their order."""
_FRONT_MATTER: Final = """\
---
license: apache-2.0
library_name: talkedit
tags: [face, 3dmm, blendshapes]
---
"""


def write_section(folder: Path, section: str) -> None:
    """Puts a section, whose first line is one of `HEADINGS`, into the card of a folder, or begins a card with it.

    It takes the place of the section with the same heading, with all that was added to that one by hand, as it told of
    weights that are gone. Front matter and other sections stay as they are.

    Raises:
        WeightsError: the card that is there is no text.
        OutputError: it cannot be written.
    """
    parts = _parts(read_card(folder) or _FRONT_MATTER)
    found = [_heading(part) for part in parts]
    own = _heading(section)
    if own in found:
        place = found.index(own)
        del parts[place]
    else:
        later = HEADINGS[HEADINGS.index(own) + 1 :]
        place = next((n for n, heading in enumerate(found) if heading in later), len(parts))
    before, after = "".join(parts[:place]).strip("\n"), "".join(parts[place:]).strip("\n")
    target = folder / CARD
    with replacing(target) as temporary, explaining(target):
        text = "\n\n".join(part for part in (before, section.strip("\n"), after) if part)
        temporary.write_text(text + "\n", encoding="utf-8")


def _parts(card: str) -> list[str]:
    """What stands before the first section, and the sections; a # in a block of code begins none."""
    parts, code = [""], False
    for line in card.splitlines(keepends=True):
        code ^= line.startswith("```")
        if line.startswith("# ") and not code:
            parts.append("")
        parts[-1] += line
    return parts


def _heading(part: str) -> str:
    return part.partition("\n")[0].rstrip()
