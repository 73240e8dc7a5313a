"""Priors: how signals move when one model takes the place of another, and how they go along within any one.

Learned from many models on the same prompts by `python -m bench.drift.learn`. They only say where evidence is sought
first, and what a short baseline leaves open: wrong ones make a change found later, never a false alarm.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from proxy.observe.quality.signals import NAMES

Matrix = npt.NDArray[Any]

# Standard deviations of moves that those answers could not show: their tokens are made, and they call no tools.
_BY_HAND: Final = {
    "chars_per_token": 0.32, "prompt_token_ratio": 0.32, "logprob": 0.32, "reasoning_share": 0.32, "tool_calls": 0.05,
}  # fmt: skip
_UNKNOWN: Final = 0.1  # of signals that are newer than the file


class Priors(NamedTuple):
    """Both signals x signals, in the order of NAMES, of normal scores."""

    moves: Matrix  # second moments of how far their means move
    likeness: Matrix  # correlation of their scores

    def of(self, places: Matrix) -> Priors:
        """Of some signals."""
        chosen = np.ix_(places, places)
        return Priors(self.moves[chosen], self.likeness[chosen])


def read(path: Path) -> Priors:
    """Raises OSError, ValueError for what is no such file."""
    with np.load(path) as file:
        names = list(file["names"])
        found = np.array([names.index(name) if name in names else -1 for name in NAMES])
        moves, likeness = (
            np.where(np.minimum.outer(found, found) >= 0, file[which].astype(float)[np.ix_(found, found)], 0.0)
            for which in ("moves", "likeness")
        )
    for at in range(len(NAMES)):
        by_hand = _BY_HAND.get(NAMES[at], _UNKNOWN if found[at] < 0 else None)
        if by_hand is not None:
            moves[at, :] = moves[:, at] = 0.0
            moves[at, at] = by_hand**2
    np.fill_diagonal(likeness, 1.0)
    return Priors(moves, likeness)


PRIORS = read(Path(__file__).with_name("priors.npz"))
