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

from proxy.analyse.drift import runs
from proxy.analyse.drift.priors import Priors
from proxy.analyse.drift.topics import Topics

Matrix = npt.NDArray[Any]

STEP: Final = 4  # answers that are taken in at once: for numpy one row costs as much as five
LENGTHS: Final = np.array([4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024])
REGAIN: Final = 100  # answers after which what a longer baseline is worth is reckoned anew
_STARTS: Final = np.log(np.diff(LENGTHS, prepend=0))
_IN_STEPS: Final = LENGTHS // STEP
_LENGTHS: Final = LENGTHS[:, None].astype(np.float32)
_RING: Final = 257  # steps
_LONG: Final = 11  # place of a length over which most of what lasts has passed
_WANDERS: Final = 1.5  # variance of a mean over so many prompts, in that of independent ones
_FEW_PROMPTS, _MANY_PROMPTS = 48, 512
_FOLDS: Final = 5
_ODD: Final = 3.0  # standard deviations of a row's squared length
_AROUND: Final = 3  # directions on each side whose spreads are averaged


class Sums:
    """Sums of the last n rows, for each n of LENGTHS, less what they would be if they were as all before them."""

    def __init__(self, first: Matrix, count: int, most: int) -> None:
        """first: the sum of the first rows, so many; most: rows that the last ones are ever compared with."""
        self._totals = np.zeros((_RING, len(first)), np.float32)
        self._totals[0] = first
        self._first = count
        self._steps = self._forgotten = 0
        self._until = max(most - count, 0) // STEP  # step up to which rows count as what was before
        self._mean: Matrix | None = None  # up to there; None: not yet there
        self._look_back(0)
        self.count = 0

    def add(self, rows: Matrix) -> None:
        """STEP more answers."""
        before = self._totals[self._steps % _RING]
        self._steps += 1
        self.count += len(rows)
        np.add(before, rows.sum(0), out=self._totals[self._steps % _RING])
        self._look_back(self._steps)
        if self._steps % _RING == 0 and not self.growing:
            self._totals -= self._totals[0].copy()  # only differences count now, and those of large numbers are coarse

    def add_all(self, rows: Matrix) -> None:
        """Many more answers."""
        for at in range(0, len(rows), STEP):
            self.add(rows[at : at + STEP])

    def forget(self) -> None:
        """No answer so far counts in later sums, but there is always one."""
        self._forgotten = self._steps - 1

    def freeze(self, ago: int) -> None:
        """The last answers, so many, and later ones are no part of what others are compared with."""
        until = max(self._steps - -(-ago // STEP), self._steps - _RING + 1, 0)
        if until < self._until:
            self._until = until
            self._look_back(until)

    @property
    def growing(self) -> bool:
        """Whether what a sum is compared with may still change."""
        return self._steps <= self._until + _RING

    def compared(self) -> Matrix:
        """For each of LENGTHS, how many rows its sum is compared with."""
        compared: Matrix = self._first + STEP * np.clip(self._steps - _IN_STEPS, 0, self._until)
        return compared

    def last(self) -> Matrix:
        """Lengths x width; only as many lengths as there were answers."""
        steps = _IN_STEPS[: np.searchsorted(_IN_STEPS, self._steps - self._forgotten, side="right")]
        since = self._steps - steps
        before = self._totals[since % _RING]
        last: Matrix = self._totals[self._steps % _RING] - before
        fixed = 0 if self._mean is None else int(np.count_nonzero(since > self._until))
        if fixed and self._mean is not None:
            last[:fixed] -= _LENGTHS[:fixed] * self._mean
        if fixed < len(steps):
            weights = _LENGTHS[fixed : len(steps)] / np.maximum(self._first + STEP * since[fixed:, None], 1)
            last[fixed:] -= weights.astype(np.float32) * before[fixed:]
        return last

    def _look_back(self, step: int) -> None:
        if step == self._until:
            self._mean = self._totals[step % _RING] / np.float32(max(self._first + STEP * step, 1))


class Joint:
    """All scores together, along directions in which neither their noise nor what is expected of a change goes along.

    In sum: the e-value of a Gaussian mixture over moves of the mean, whose covariance is the prior.
    """

    def __init__(
        self, basis: Matrix, moves: Matrix, noise: Matrix, scales: tuple[float, ...], count: int, *, shortest: int = 0
    ) -> None:
        """moves: variance that a change gives to the mean along each direction. noise: lengths x directions, variance
        of a sum over its length. scales: by which moves are multiplied, one alternative each. count: of the baseline.
        shortest: answers below which nothing is sure.
        """
        self.shortest = int(np.searchsorted(LENGTHS, shortest))
        self.noise = noise
        self._wide = np.array(scales)[:, None] * moves
        self._basis = basis.astype(np.float32)
        self.weigh(np.full(len(LENGTHS), count))

    def weigh(self, compared: Matrix) -> None:
        """compared: for each length, how many answers its sum is compared with."""
        lengths = LENGTHS[:, None, None]
        spread = self.noise[:, None, :] * (1 + lengths / compared[:, None, None])
        self._gain = (0.5 * self._wide / (spread * (spread + lengths * self._wide))).astype(np.float32)
        self._cost = 0.5 * np.log1p(lengths * self._wide / spread).sum(-1)

    def turn(self, scores: Matrix) -> Matrix:
        """The scores of some answers along the directions; an odd one counts for no more than others."""
        return _bounded(scores @ self._basis)

    def likely(self, sums: Matrix, length: int) -> Matrix:
        """How far the mean moved over the last so many, along each direction: what the prior makes of it."""
        at = int(np.searchsorted(LENGTHS, length))
        moves = self._wide.max(0)
        likely: Matrix = sums[at] / length * moves / (moves + self.noise[at] / length)
        return likely

    def evidence(self, sums: Matrix) -> Matrix:
        """Logarithm of the e-value of each length. sums: of turned scores."""
        squares = sums**2
        logs = np.matmul(self._gain[: len(sums)], squares[:, :, None])[:, :, 0] - self._cost[: len(sums)]
        return log_mean_exp(logs, 1)


def joint_of_answers(
    scores: Matrix,
    prior: Priors,
    scales: tuple[float, ...],
    topics: Topics,
    *,
    block: int,
    shrink: float,
    wander: float,
) -> Joint:
    """scores: of the baseline. block: answers over which means are taken to see how much they wander.

    wander: how much more than `topics` tell a mean may wander; runs are longer at times, topics finer than ours.
    """
    basis, moves = _basis(scores, prior, shrink)
    spread = _held_out_spread(scores, prior, shrink, block)
    noise = spread + wander * topics.runs(LENGTHS)[:, None] * topics.between(_bounded(scores @ basis))
    return Joint(basis, np.maximum(moves, 0.0), noise, scales, len(scores))


def joint_of_prompts(
    scores: Matrix, apart: Matrix, scales: tuple[float, ...], *, floor: float, shrink: float, wander: float
) -> Joint:
    """The same of prompts, which come in runs and swing over the day: some directions last, and there means wander.

    apart: covariance of moves when the mix of prompts changes; floor: variance of moves in any direction besides.

    Those directions are taken as they are, the prior's in what is left.
    """
    white = _white(scores, shrink, np.eye(scores.shape[1]))
    turned = _bounded(scores @ white)
    alike = runs.likeness(turned)
    lasting, lasts = runs.lasting(alike, len(scores))
    left = np.linalg.svd(lasting, full_matrices=True)[0][:, lasting.shape[1] :]
    prior = white.T @ (apart + floor * np.eye(len(apart))) @ white
    others = left @ np.linalg.eigh(left.T @ prior @ left)[1]
    rotation = np.concatenate([lasting, others], axis=1)
    moves = (rotation * (prior @ rotation)).sum(0)
    lasts = np.concatenate([lasts, runs.along(alike, others, len(scores))])
    noise = 1 + wander * runs.growth(turned @ lasting, LENGTHS)[:, None] * lasts
    # A run of one kind is no change of the mix, however much it looks like one: several must have gone by.
    shortest = _MANY_PROMPTS if noise[_LONG].max() > _WANDERS else _FEW_PROMPTS
    return Joint(white @ rotation, np.maximum(moves, 0.0), noise, scales, len(scores), shortest=shortest)


class Single:
    """Each score by itself; their mean is an e-value as each is."""

    def __init__(
        self, scores: Matrix, weights: Matrix, scales: tuple[float, ...], topics: Topics, *, block: int, wander: float
    ) -> None:
        spread = spread_of(scores, block, weights)
        self._noise = spread + wander * topics.runs(LENGTHS)[:, None, None] * topics.between(scores)
        self._wide = np.array(scales)[:, None]
        self._log_weight = np.log(np.maximum(weights, 1e-9) / np.maximum(weights, 1e-9).sum()) - math.log(len(scales))
        self.weigh(np.full(len(LENGTHS), len(scores)))

    def weigh(self, compared: Matrix) -> None:
        """As Joint.weigh."""
        lengths = LENGTHS[:, None, None]
        noise = self._noise * (1 + lengths / compared[:, None, None])
        self._gain = (0.5 * self._wide / (noise * (noise + lengths * self._wide))).astype(np.float32)
        self._cost = (0.5 * np.log1p(lengths * self._wide / noise) - self._log_weight).astype(np.float32)

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


def _basis(scores: Matrix, prior: Priors, shrink: float) -> tuple[Matrix, Matrix]:
    """Directions in which neither scores nor moves go along, and the variance of moves along each."""
    white = _white(scores, shrink, prior.likeness)
    moves, turned = np.linalg.eigh(white.T @ prior.moves @ white)
    return white @ turned, moves


def _white(scores: Matrix, shrink: float, target: Matrix) -> Matrix:
    """A basis in which the scores are uncorrelated with variance 1. shrink: their covariance, towards the target."""
    likeness = (1 - shrink) * (scores.T @ scores / len(scores)) + shrink * target
    values, vectors = np.linalg.eigh(likeness)
    white: Matrix = vectors / np.sqrt(np.maximum(values, 1e-3))
    return white


def _held_out_spread(scores: Matrix, prior: Priors, shrink: float, block: int) -> Matrix:
    """Long-run variance along each direction, on answers that the directions were not made from.

    Directions of little variance look quieter on the answers that they were found on than they are.
    """
    size = len(scores) // _FOLDS
    found = np.zeros(scores.shape[1])
    if not len(found):
        return found
    for fold in range(_FOLDS):
        inside = slice(fold * size, (fold + 1) * size)
        turned = _bounded(scores[inside] @ _basis(np.delete(scores, np.s_[inside], axis=0), prior, shrink)[0])
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


def detected(evidence: Matrix, shortest: int = 0) -> tuple[float, int]:
    """Level reached (natural logarithm) over all starts, and the length that says it loudest.

    shortest: the first of LENGTHS that counts, by its place.
    """
    logs = (evidence + _STARTS[: len(evidence)])[shortest:]
    if not len(logs):
        return -math.inf, 1
    top = int(logs.argmax())
    return float(logs[top] + math.log(np.exp(logs - logs[top]).sum())), int(LENGTHS[shortest + top])


def log_mean_exp(logs: Matrix, axis: int) -> Matrix:
    """log(mean(exp(logs)))."""
    top = logs.max(axis, keepdims=True)
    found: Matrix = (top + np.log(np.exp(logs - top).mean(axis, keepdims=True))).squeeze(axis)
    return found
