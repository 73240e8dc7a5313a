"""Kept: the numbers of a lane's first answers, while its baseline may grow. In half precision: they are many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[Any]


def rounded(numbers: Matrix) -> Matrix:
    """As they would be kept: what is compared with them must be rounded, too. Huge ones: not known."""
    with np.errstate(over="ignore"):
        return _known(numbers.astype(np.float16))


class Kept:
    """Rows in order: features of the answer, of its prompt, and how much it counts."""

    def __init__(self, room: int) -> None:
        """room: rows at first, and more of them each time they are full."""
        self._room, self._wide = room, 0
        self._rows: Matrix = np.zeros((0, 0), np.float16)
        self.count = 0

    def add(self, features: Matrix, prompt: Matrix, weight: float) -> None:
        """One more answer; weight: in (0, 1]."""
        if self.count == len(self._rows):
            self._wide = len(features)
            more = np.zeros((self._room, len(features) + len(prompt) + 1), np.float16)
            self._rows = np.concatenate([self._rows, more]) if self.count else more
        row = self._rows[self.count]
        with np.errstate(over="ignore"):
            row[: self._wide], row[self._wide : -1], row[-1] = features, prompt, weight
        self.count += 1

    def weigh(self, weights: Sequence[float]) -> None:
        """How much the first answers count, after all."""
        self._rows[: len(weights), -1] = weights

    @property
    def features(self) -> Matrix:
        """Answers x features."""
        return _known(self._rows[: self.count, : self._wide])

    @property
    def prompts(self) -> Matrix:
        """Answers x features of prompts."""
        return _known(self._rows[: self.count, self._wide : -1])

    @property
    def weights(self) -> Matrix:
        """Answers x 1."""
        return self._rows[: self.count, -1:].astype(np.float32)


def _known(halves: Matrix) -> Matrix:
    found: Matrix = halves.astype(np.float32)
    found[np.isinf(found)] = np.nan
    return found
