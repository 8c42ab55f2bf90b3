"""How well lips that are driven by a voice go with those of who spoke: measures of (T,) courses at `speech.RATE`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from talkedit_sdk.speech.types import RATE

LAGS: Final = range(-10, 11)
"""Rows, 200 ms to each side."""

_NEAR: Final = 2  # rows by which a closure may be missed
_REST: Final = 0.1  # quantile of the gap


@dataclass(frozen=True)
class Lips:
    """Lip gap (T,), in widths of the face, and how sure closures are (T,)."""

    gap: NDArray[Any]
    closure: NDArray[Any]

    @property
    def over_rest(self) -> NDArray[Any]:
        """(T,) gap beyond that of the moments when it is least."""
        return np.asarray(self.gap - np.quantile(self.gap, _REST))


def shifted_correlation(found: NDArray[Any], truth: NDArray[Any], lag: int) -> float:
    """Pearson's, `found` taken to be `lag` rows late; 0 where one never changes."""
    pair = (found[lag:], truth[: len(truth) - lag]) if lag >= 0 else (found[:lag], truth[-lag:])
    one, other = (values - values.mean() for values in pair)
    size = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / size if size > 0 else 0.0


def closures(found: NDArray[Any], truth: NDArray[Any]) -> tuple[float, float]:
    """Recall and precision of closed rows (T,) bool, give or take `_NEAR` rows; NaN where there are none."""
    width = np.ones(2 * _NEAR + 1)
    around = [np.convolve(values, width, "same") > 0 for values in (found, truth)]
    recall = float(around[0][truth].mean()) if truth.any() else float("nan")
    return recall, float(around[1][found].mean()) if found.any() else float("nan")


def firmest(closure: NDArray[Any], count: int) -> NDArray[np.bool_]:
    """The `count` rows whose lips are most surely closed, so that no way wins by closing them more often."""
    chosen = np.zeros(len(closure), bool)
    chosen[np.argsort(-closure, kind="stable")[:count]] = True
    return chosen


def compare(found: Sequence[Lips], true: Sequence[Lips]) -> dict[str, NDArray[Any]]:
    """Measures of one way to drive lips, one value for each stretch of speech: correlation of the gap at lag 0 and at
    the best lag, that lag in milliseconds (positive where lips are late), recall and precision of closures, mean error
    of the gap over rest in % of the face's width, and `course`, the correlation at all `LAGS`."""
    truths = [lips.gap for lips in true]
    courses = np.array([
        [shifted_correlation(drawn.gap, truth, lag) for lag in LAGS]
        for drawn, truth in zip(found, truths, strict=True)
    ])  # fmt: skip
    closed = [lips.closure > 0.5 for lips in true]
    pairs = [closures(firmest(drawn.closure, int(true.sum())), true) for drawn, true in zip(found, closed, strict=True)]
    errors = [float(np.abs(drawn.over_rest - lips.over_rest).mean()) for drawn, lips in zip(found, true, strict=True)]
    return {
        "correlation": courses[:, LAGS.index(0)],
        "best": courses.max(1),
        "lag": 1000 / RATE * np.array([LAGS[n] for n in courses.argmax(1)]),
        "recall": np.array([recall for recall, _ in pairs]),
        "precision": np.array([precision for _, precision in pairs]),
        "error": 100 * np.array(errors),
        "course": courses,
    }
