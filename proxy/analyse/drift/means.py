"""Means: what signals were in the baseline and are since it changed, as an alarm tells them to people. Pure."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from proxy.analyse.drift.moved import LENGTHS, Sums
from proxy.analyse.drift.told import Moved

Matrix = npt.NDArray[Any]

TOP: Final = 5  # signals that an alarm names


class Means:
    """Of each signal, known or not."""

    def __init__(self, first: Matrix, later: Matrix) -> None:
        """first: answers x signals, of the baseline; later: those of them in which evidence is sought, too."""
        known = np.isfinite(first)
        self.before: Matrix = np.where(known, first, 0.0).sum(0) / np.maximum(known.sum(0), 1)
        self._sums = Sums(np.zeros(first.shape[1]), 0, 0)
        self._sums.add_all(self._known(later))

    def add(self, values: Matrix) -> None:
        """STEP more answers."""
        self._sums.add(self._known(values))

    def moved(self, sums: Matrix, length: int, places: Matrix, names: tuple[str, ...]) -> tuple[Moved, ...]:
        """The signals that moved most, over the last so many. sums: of scores, lengths x places."""
        at = int(np.searchsorted(LENGTHS, length))
        moved, after = sums[at] / length, self.before + self._sums.last()[at] / length
        top = np.argsort(-np.abs(moved))[:TOP]
        return tuple(
            Moved(
                name=names[place],
                before=round(float(self.before[place]), 4),
                after=round(float(after[place]), 4),
                moved=round(float(moved[one]), 3),
            )
            for one, place in zip(top, places[top], strict=True)
        )

    def _known(self, values: Matrix) -> Matrix:
        """How far from the baseline's mean; not at all where that is not known."""
        off: Matrix = values - self.before
        off[~np.isfinite(off)] = 0.0
        return off
