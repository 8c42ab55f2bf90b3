"""Steps without a corner, of arrays: what moves eyes and head starts and stops softly."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def eased(values: NDArray[np.float64], low: float = 0.0, high: float = 1.0) -> NDArray[np.float64]:
    """0 at `low`, 1 at `high`, level at both ends; `low` may be the larger of the two. `smoothstep` of arrays, without
    loading torch."""
    t = np.clip((values - low) / (high - low), 0, 1)
    step: NDArray[np.float64] = t * t * (3 - 2 * t)
    return step
