"""What an edit changed, as small pictures in SVG that follow the page's colours."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from talkedit_sdk.app import texts
from talkedit_sdk.clip import Curves

PANELS: Final = 5
"""Coefficients shown, beside the opening of the mouth."""

_POINTS: Final = 400
_WIDTH, _HEIGHT = 300.0, 80.0
_MOUTH: Final = ("jawOpen", "mouthClose")
"""Together they open the mouth, which is shown as it is seen."""


def what_changed(curves: Sequence[Curves], openings: Sequence[NDArray[np.float32]]) -> str:
    """HTML: the mouth's opening and the coefficients that changed most, of the first edited face, before and after."""
    if not curves or not len(curves[0].times):
        return ""
    first = curves[0]
    panels = [_panel(texts.MOUTH_OPENING, first.times, openings[0][:, 0], openings[0][:, 1], 0.05)]
    for column in _most_changed(first):
        before, after = first.before[:, column], first.after[:, column]
        panels.append(_panel(_spoken(first.names[column]), first.times, before, after, 0.3))
    legend = (
        f'<p class="te-legend"><span class="te-key te-old"></span>{texts.BEFORE}'
        f'<span class="te-key te-new"></span>{texts.AFTER}</p>'
    )
    return f'{legend}<div class="te-plots">{"".join(panels)}</div>'


def _most_changed(curves: Curves) -> list[int]:
    """Columns in order of change, one for each pair of left and right, the mouth's opening left out."""
    change = np.abs(curves.after - curves.before).mean(0)
    chosen: dict[str, int] = {}
    for column in np.argsort(-change).tolist():
        name = curves.names[column]
        if name not in _MOUTH and change[column] > 0.005:
            chosen.setdefault(re.sub("(Left|Right)$", "", name), column)
    return list(chosen.values())[:PANELS]


def _panel(
    title: str, times: NDArray[np.float64], before: NDArray[np.float32], after: NDArray[np.float32], least: float
) -> str:
    """least: what fills the height where both curves stay below it."""
    top = max(least, float(before.max()), float(after.max()))
    lines = "".join(
        f'<polyline class="{kind}" points="{_points(times, values / top)}"/>'
        for kind, values in (("te-old", before), ("te-new", after))
    )
    summary = texts.PLOT_SUMMARY.format(before=float(before.mean()), after=float(after.mean()))
    return (
        f"<figure><figcaption>{html.escape(title)}<small>{summary}</small></figcaption>"
        f'<svg viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" preserveAspectRatio="none" role="img" '
        f'aria-label="{html.escape(title)}: {summary}">{lines}</svg></figure>'
    )


def _points(times: NDArray[np.float64], values: NDArray[np.float32]) -> str:
    rows = np.unique(np.linspace(0, len(times) - 1, min(_POINTS, len(times))).astype(int))
    span = float(times[-1] - times[0]) or 1.0
    x = (times[rows] - times[0]) / span * _WIDTH
    y = _HEIGHT - 3 - values[rows] * (_HEIGHT - 6)
    if len(rows) == 1:  # a photo: a level line
        x, y = np.array([0, _WIDTH]), np.repeat(y, 2)
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))


def _spoken(name: str) -> str:
    """browInnerUp -> Brow inner up; the side is dropped."""
    words = re.sub("(Left|Right)$", "", name)
    return re.sub("([A-Z])", r" \1", words).lower().capitalize()
