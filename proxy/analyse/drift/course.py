"""Course: whether what an alarm told of is over. Pure.

The longest sums hold what was for long after. So the last answers are asked: are they moved the same way still?
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from proxy.analyse.drift.moved import LENGTHS, STEP, Joint

Matrix = npt.NDArray[Any]

_PLAIN: Final = 25.0  # squared standard deviations of a mean along the move, at which it is told from none
_LEFT: Final = 1 / 3  # of a move; less is none


class Course:
    """Of one alarm that stands."""

    def __init__(self) -> None:
        self._moved: Matrix | None = None  # of the mean, along each direction
        self._evidence = -np.inf
        self._answers = 0  # since it was raised

    def follow(self, joint: Joint, sums: Matrix, evidence: float, length: int) -> None:
        """Once a step. Where the evidence is the largest so far, the move is seen best. sums: of turned scores."""
        self._answers += STEP
        if evidence > self._evidence:
            self._evidence, self._moved = evidence, joint.likely(sums, length)

    def over(self, joint: Joint, sums: Matrix, quiet: int) -> bool:
        """Whether the last answers are moved no more, seen over so many at least, and more where the move is small."""
        if self._moved is None:
            return False
        squares = self._moved**2
        size = float(squares.sum())
        plain = (LENGTHS * size**2 >= _PLAIN * joint.noise @ squares) & (quiet <= LENGTHS)
        at = int(plain.argmax()) if plain.any() else len(LENGTHS) - 1
        if self._answers < LENGTHS[at] or at >= len(sums):
            return False
        return bool(sums[at] @ self._moved < _LEFT * size * LENGTHS[at])
