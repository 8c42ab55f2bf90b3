"""Means over people, and how far other people would have moved them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_SAMPLES: Final = 2000
_INTERVAL: Final = (5, 95)  # per cent


def by_person(values: NDArray[Any], people: Sequence[str]) -> NDArray[Any]:
    """One value for each person, the mean over clips; NaN where nothing was measured."""
    groups = [values[[n for n, other in enumerate(people) if other == person]] for person in dict.fromkeys(people)]
    return np.array([np.nanmean(group) if np.isfinite(group).any() else np.nan for group in groups])


def bootstrapped(values: NDArray[Any]) -> tuple[float, float, float]:
    """Mean of what was measured of people, and the 5th and 95th percentile of what it would be of as many others drawn
    from them; NaN of nobody."""
    seen = values[np.isfinite(values)]
    if not len(seen):
        return (float("nan"),) * 3
    picks = np.random.default_rng(0).integers(len(seen), size=(_SAMPLES, len(seen)))
    low, high = np.percentile(seen[picks].mean(1), _INTERVAL)
    return float(seen.mean()), float(low), float(high)


def interval(values: NDArray[Any], places: int = 3) -> str:
    """`bootstrapped` as text."""
    mean, low, high = bootstrapped(values)
    return "–" if np.isnan(mean) else f"{mean:.{places}f} [{low:.{places}f}, {high:.{places}f}]"
