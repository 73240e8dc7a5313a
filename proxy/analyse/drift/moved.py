"""Moved: evidence that the mean of many normal scores moved, some answers ago. Pure.

For each of a few numbers n of last answers the sum of their scores is weighed: how likely is it if they are as the
baseline's, how likely if the mean moved by something drawn from the prior. The ratios are e-values; summed over the
starts that an n stands for they are an e-detector of the Shiryaev-Roberts kind, whose level is in answers. Serial
dependence widens the law of a sum (`spread`), and so does the baseline's own finite length.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from proxy.analyse.drift.topics import Topics

Matrix = npt.NDArray[Any]

LENGTHS: Final = np.array([1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512])
_STARTS: Final = np.log(np.diff(LENGTHS, prepend=0))
_RING: Final = 513
_FOLDS: Final = 5
_ODD: Final = 3.0  # standard deviations of a row's squared length
_AROUND: Final = 3  # directions on each side whose spreads are averaged


class Sums:
    """Sums of the last n rows, for each n of LENGTHS."""

    def __init__(self, width: int) -> None:
        self._totals = np.zeros((_RING, width), np.float32)
        self.count = 0

    def add(self, rows: Matrix) -> None:
        """Some more answers."""
        places = np.arange(self.count, self.count + len(rows) + 1) % _RING
        self.count += len(rows)
        self._totals[places[1:]] = self._totals[places[0]] + np.add.accumulate(rows)

    def last(self) -> Matrix:
        """Lengths x width; only as many lengths as there were answers."""
        lengths = LENGTHS[: np.searchsorted(LENGTHS, self.count, side="right")]
        last: Matrix = self._totals[self.count % _RING] - self._totals[(self.count - lengths) % _RING]
        return last


class Joint:
    """All scores together, along the directions in which models differ: `prior` is the covariance of such moves."""

    def __init__(
        self,
        scores: Matrix,
        prior: Matrix,
        scales: tuple[float, ...],
        topics: Topics,
        *,
        block: int,
        shrink: float,
        wander: float,
    ) -> None:
        """scores: of the baseline. scales: by which the prior is multiplied, one alternative each. block: answers.

        wander: how much more than `topics` tell a mean may wander; runs are longer at times, topics finer than ours.
        """
        count = len(scores)
        self.basis, self.moves = _directions(scores, prior, shrink)
        self.spread = _held_out_spread(scores, prior, shrink, block)
        lengths = LENGTHS[:, None, None]
        runs = topics.runs(LENGTHS)[:, None, None] * topics.between(_bounded(scores @ self.basis))
        noise = (self.spread + wander * runs) * (1 + lengths / count)
        wide = np.array(scales)[:, None] * self.moves
        self._gain = (0.5 * wide / (noise * (noise + lengths * wide))).astype(np.float32)
        self._cost = 0.5 * np.log1p(lengths * wide / noise).sum(-1)
        self._basis = self.basis.astype(np.float32)

    def turn(self, scores: Matrix) -> Matrix:
        """The scores of some answers along the directions; an odd one counts for no more than others."""
        return _bounded(scores @ self._basis)

    def evidence(self, sums: Matrix) -> Matrix:
        """Logarithm of the e-value of each length. sums: of turned scores."""
        squares = sums**2
        logs = np.matmul(self._gain[: len(sums)], squares[:, :, None])[:, :, 0] - self._cost[: len(sums)]
        return log_mean_exp(logs, 1)


class Single:
    """Each score by itself; their mean is an e-value as each is."""

    def __init__(
        self, scores: Matrix, weights: Matrix, scales: tuple[float, ...], topics: Topics, *, block: int, wander: float
    ) -> None:
        count = len(scores)
        self.spread = spread_of(scores, block, weights)
        lengths = LENGTHS[:, None, None]
        runs = topics.runs(LENGTHS)[:, None, None] * topics.between(scores)
        noise = (self.spread + wander * runs) * (1 + lengths / count)
        wide = np.array(scales)[:, None] * np.ones(scores.shape[1])
        log_weight = np.log(np.maximum(weights, 1e-9) / np.maximum(weights, 1e-9).sum()) - math.log(len(scales))
        self._gain = (0.5 * wide / (noise * (noise + lengths * wide))).astype(np.float32)
        self._cost = (0.5 * np.log1p(lengths * wide / noise) - log_weight).astype(np.float32)

    def evidence(self, sums: Matrix) -> Matrix:
        """Logarithm of the e-value of each length."""
        logs = self._gain[: len(sums)] * (sums**2)[:, None, :] - self._cost[: len(sums)]
        flat = logs.reshape(len(sums), -1)
        top = flat.max(1)
        found: Matrix = top + np.log(np.exp(flat - top[:, None]).sum(1))
        return found


def _bounded(turned: Matrix) -> Matrix:
    """Rows drawn in to the length that rows of independent scores have, and a little."""
    most = max(turned.shape[-1], 1) + _ODD * math.sqrt(2 * turned.shape[-1])
    squares = (turned**2).sum(-1, keepdims=True)
    bounded: Matrix = turned * np.sqrt(most / np.maximum(squares, most))
    return bounded


def _directions(scores: Matrix, prior: Matrix, shrink: float) -> tuple[Matrix, Matrix]:
    """A basis in which the scores are uncorrelated with variance 1 and moves are, too, with the variance given."""
    width = scores.shape[1]
    likeness = (1 - shrink) * (scores.T @ scores / len(scores)) + shrink * np.eye(width)
    values, vectors = np.linalg.eigh(likeness)
    white = vectors / np.sqrt(np.maximum(values, 1e-3))
    moves, turned = np.linalg.eigh(white.T @ prior @ white)
    return white @ turned, np.maximum(moves, 0.0)


def _held_out_spread(scores: Matrix, prior: Matrix, shrink: float, block: int) -> Matrix:
    """Long-run variance along each direction, on answers that the directions were not made from.

    Directions of little variance look quieter on the answers that they were found on than they are.
    """
    size = len(scores) // _FOLDS
    found = np.zeros(scores.shape[1])
    if not len(found):
        return found
    for fold in range(_FOLDS):
        inside = slice(fold * size, (fold + 1) * size)
        basis, _ = _directions(np.delete(scores, np.s_[inside], axis=0), prior, shrink)
        turned = _bounded(scores[inside] @ basis)
        means = turned[: size // block * block].reshape(size // block, block, turned.shape[1]).mean(1)
        found += 0.5 * (block * (means**2).mean(0) + (turned**2).mean(0)) / _FOLDS
    around = np.convolve(np.pad(found, _AROUND, mode="edge"), np.full(2 * _AROUND + 1, 1 / (2 * _AROUND + 1)), "valid")
    return np.maximum(around, 1.0)


def spread_of(scores: Matrix, block: int, weights: Matrix) -> Matrix:
    """Long-run variance of each column, from block means; drawn to the weighted mean of all; at least 1."""
    count = len(scores) // block
    means = scores[: count * block].reshape(count, block, scores.shape[1]).mean(1)
    own = block * means.var(0, ddof=1)
    common = float((own * weights).sum() / max(weights.sum(), 1e-9))
    spread: Matrix = np.maximum(0.35 * own + 0.65 * max(common, 1.0), 1.0)
    return spread


def detected(evidence: Matrix) -> tuple[float, int]:
    """Level reached (natural logarithm) over all starts, and the length that says it loudest."""
    logs = evidence + _STARTS[: len(evidence)]
    top = int(logs.argmax())
    return float(logs[top] + math.log(np.exp(logs - logs[top]).sum())), int(LENGTHS[top])


def log_mean_exp(logs: Matrix, axis: int) -> Matrix:
    """log(mean(exp(logs)))."""
    top = logs.max(axis, keepdims=True)
    found: Matrix = (top + np.log(np.exp(logs - top).mean(axis, keepdims=True))).squeeze(axis)
    return found
