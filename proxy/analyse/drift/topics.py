"""Topics: groups of like prompts, and how long traffic stays with one. Pure.

Answers to prompts of one group are alike beyond what a regression on the prompt takes away, and traffic comes in runs:
so the mean over some answers wanders more than of independent ones. How much is learned here from the baseline.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[Any]

_GROUPS: Final = 8
_ROUNDS: Final = 12
_LAGS: Final = 60


class Topics:
    """k-means over the scaled prompt features of the baseline."""

    def __init__(self, scaled: Matrix) -> None:
        """scaled: answers x prompt features, each of variance about 1."""
        self.centres = _centres(scaled)
        self._squares, self._doubled = (self.centres**2).sum(1), 2 * self.centres.T
        self.labels = self.of(scaled)
        self.likeness = _likeness(self.labels)

    def of(self, scaled: Matrix) -> Matrix:
        """The nearest group of each row."""
        found: Matrix = (self._squares - scaled @ self._doubled).argmin(1)
        return found

    def between(self, scores: Matrix) -> Matrix:
        """Variance, along each column of the baseline's scores, of the groups' means; freed from chance."""
        found = np.zeros(scores.shape[1])
        for group in range(len(self.centres)):
            inside = scores[self.labels == group]
            if len(inside):
                found += len(inside) / len(scores) * (inside.mean(0) ** 2 - 1.0 / len(inside))
        return np.maximum(found, 0.0)

    def apart(self, scores: Matrix) -> Matrix:
        """Covariance of the groups' means, each group counted the same: how the mean moves when the mix does."""
        means = np.stack([scores[self.labels == group].mean(0) for group in np.unique(self.labels)])
        found: Matrix = means.T @ means / len(means)
        return found

    def runs(self, lengths: Matrix) -> Matrix:
        """By how much of `between` the variance of a mean over so many answers grows, times their number."""
        lags = np.arange(1, _LAGS + 1)
        return np.array([2 * float((np.clip(1 - lags / n, 0, 1) * self.likeness).sum()) for n in lengths])


def _centres(scaled: Matrix) -> Matrix:
    dice = np.random.default_rng(7)
    count = min(_GROUPS, len(np.unique(scaled, axis=0)))
    centres = scaled[dice.choice(len(scaled), 1)]
    while len(centres) < count:  # k-means++, taking the farthest of a few
        far = ((scaled[:, None, :] - centres) ** 2).sum(-1).min(1)
        centres = np.concatenate([centres, scaled[[int(dice.choice(len(scaled), p=far / far.sum()))]]])
    for _ in range(_ROUNDS):
        labels = ((scaled[:, None, :] - centres) ** 2).sum(-1).argmin(1)
        centres = np.stack(
            [scaled[labels == at].mean(0) if (labels == at).any() else centres[at] for at in range(len(centres))]
        )
    return centres


def _likeness(labels: Matrix) -> Matrix:
    """Beyond chance, how often answers so many apart are of one group; 0 where that is within chance."""
    shares = np.bincount(labels) / len(labels)
    chance = float((shares**2).sum())
    if chance > 0.98 or len(labels) <= 2 * _LAGS:
        return np.zeros(_LAGS)
    alike = np.array([float((labels[lag:] == labels[:-lag]).mean()) for lag in range(1, _LAGS + 1)])
    found = (alike - chance) / (1 - chance)
    smooth = np.convolve(np.pad(found, 2, mode="edge"), np.full(5, 0.2), "valid")
    doubt = 1.0 / np.sqrt(len(labels) * max(len(shares) - 1, 1))
    return np.where(smooth > doubt, smooth, 0.0)
