"""Means: what signals were in the baseline and are lately, as an alarm tells them to people. Pure."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from proxy.analyse.drift.moved import LENGTHS
from proxy.analyse.drift.told import Moved

Matrix = npt.NDArray[Any]

TOP: Final = 5  # signals that an alarm names
_LATELY: Final = 30.0  # answers


class Means:
    """Of each signal, known or not."""

    def __init__(self, first: Matrix) -> None:
        """first: answers x signals, of the baseline."""
        known = np.isfinite(first)
        with np.errstate(all="ignore"):
            self.before: Matrix = np.where(known, first, 0.0).sum(0) / np.maximum(known.sum(0), 1)
        self._after = self.before.copy()

    def ease(self, values: Matrix) -> None:
        """Draw what is lately towards some more answers."""
        left = values - self._after
        left[~np.isfinite(left)] = 0.0
        self._after += left.sum(0) / _LATELY

    def moved(self, sums: Matrix, length: int, places: Matrix, names: tuple[str, ...]) -> tuple[Moved, ...]:
        """The signals that moved most. sums: of scores, lengths x places."""
        means = sums[int(np.searchsorted(LENGTHS, length))] / length
        top = np.argsort(-np.abs(means))[:TOP]
        return tuple(
            Moved(
                name=names[place],
                before=round(float(self.before[place]), 4),
                after=round(float(self._after[place]), 4),
                moved=round(float(means[at]), 3),
            )
            for at, place in zip(top, places[top], strict=True)
        )  # fmt: skip
