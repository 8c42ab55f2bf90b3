"""An emotion classifier from outside the repository, see README.md."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import metrics
import numpy as np
from numpy.typing import NDArray

_EVERY: Final = 6  # frames


class Judge:
    """Knows nothing where there is no folder."""

    def __init__(self, folder: Path | None) -> None:
        self.labels: tuple[str, ...] = ()
        if folder is not None:
            spec = importlib.util.spec_from_file_location("talkedit_judge", folder / "judge.py")
            if spec is None or spec.loader is None:
                raise SystemExit(f"There is no judge.py in {folder}.")
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            self.labels, self._network = tuple(module.LABELS), module.MiniXception()

    def probabilities(
        self, pictures: Sequence[NDArray[np.uint8]], frames: NDArray[Any], landmarks: NDArray[Any]
    ) -> NDArray[Any]:
        """(N, labels): NaN except in every `_EVERY`-th frame of the clip."""
        found = np.full((len(frames), max(len(self.labels), 1)), np.nan)
        if self.labels:
            for row in np.flatnonzero(frames % _EVERY == 0):
                found[row] = self._network.judge(pictures[frames[row]], landmarks[row])
        return found

    def verdict(self, emotion: str, source: NDArray[Any], edited: NDArray[Any]) -> dict[str, float]:
        """Fields of `Row`. `rose` leaves neutral out unless it is the target: every emotion makes a face less
        neutral.
        """
        seen = np.isfinite(source[:, 0]) & np.isfinite(edited[:, 0])
        if emotion not in self.labels or not seen.any():
            return {}
        target = self.labels.index(emotion)
        gains = (metrics.log_odds(edited[seen]) - metrics.log_odds(source[seen])).mean(0)
        rivals = [i for i, label in enumerate(self.labels) if label != "neutral" or i == target]
        return {
            "gain": float(gains[target]),
            "named": float((edited[seen].argmax(1) == target).mean()),
            "named_source": float((source[seen].argmax(1) == target).mean()),
            "rose": float(max(rivals, key=lambda i: gains[i]) == target),
        }
