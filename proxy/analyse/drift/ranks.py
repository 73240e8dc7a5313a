"""Ranks: where a value stands among those of the baseline, as a normal score. Conditioned on the prompt. Pure.

A feature of the answer is first freed from what the prompt explains (ridge regression; residuals of the baseline are
out of fold, so that later ones are like them), then ranked, ties by lot: exchangeable answers give normal scores,
whatever the law of the feature.
"""

from __future__ import annotations

import functools
from statistics import NormalDist
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from proxy.analyse.drift.topics import Topics

Matrix = npt.NDArray[Any]

_FOLDS: Final = 5
_RIDGE: Final = 20.0  # answers' worth of no relation
_SPARSE: Final = 0.7  # a feature whose commonest value is this common is ranked as it is
_SAME: Final = 1e-3  # standard deviations that the rounding of a fit may come to
# Of a feature with few values: each fold's fit moves them by as much, which would make an order of what are ties.
_SAME_OF_FEW: Final = 0.05
_FEW: Final = 30
_KNOWN: Final = 0.35  # a feature that is missing more often is left out
_FAR: Final = np.float32(3.0)  # standard deviations beyond which a number of a prompt is as that
_LEAST_SPREAD: Final = np.float32(0.05)
_LOTS: Final = 251  # rows of random numbers that break ties, in turn: the same again after a restart
_TOGETHER: Final = 25  # answers of the baseline that are scored at once
_STEPS: Final = 4096
_ENOUGH: Final = 511  # numbers to rank among
_INFINITE: Final = np.float32(np.inf)
_SCORES: Final = np.array([NormalDist().inv_cdf((step + 0.5) / _STEPS) for step in range(_STEPS)], np.float32)


class Ranks:
    """The baseline's own values, to rank later ones against."""

    def __init__(self, features: Matrix, prompts: Matrix | None, seed: int = 1) -> None:
        """features: answers x features; prompts: answers x prompt features, None = freed of nothing; nan: not known."""
        self._lots = _lots(seed, features.shape[1])
        count = len(features)
        known = np.isfinite(features)
        spread = np.array([_spread(column) for column in features.T])
        self.places = np.flatnonzero((known.mean(0) > _KNOWN) & (spread > 0))
        chosen = features[:, self.places]
        self._centre = np.nanmedian(chosen, axis=0).astype(np.float32)
        self._prompts = _Prompts(prompts) if prompts is not None else None
        design = self._design(features, prompts)
        filled = np.where(np.isfinite(chosen), chosen, self._centre)
        freed = prompts is not None and any(map(_spread, prompts.T))  # else the fit would be noise of the folds alone
        self._dense = np.array([freed and _commonest(column) < _SPARSE for column in filled.T], bool)
        self._slopes = self._fit(design, filled)
        folds = np.arange(count) * _FOLDS // count
        residuals = np.empty_like(filled)
        for fold in range(_FOLDS):
            inside = folds == fold
            residuals[inside] = filled[inside] - design[inside] @ self._fit(design[~inside], filled[~inside])
        residuals[~np.isfinite(chosen)] = np.nan
        own = _thinned(np.nan_to_num(np.sort(residuals, axis=0), nan=np.inf).astype(np.float32))
        same = np.where([len(np.unique(column)) <= _FEW for column in filled.T], _SAME_OF_FEW, _SAME)
        self._sorted = Sorted(own, same * filled.std(axis=0))
        self._to_step = (_STEPS / (np.isfinite(own).sum(0) + 1)).astype(np.float32)
        self.scores = np.concatenate(
            [self._score(residuals[at : at + _TOGETHER], at) for at in range(0, count, _TOGETHER)]
        )

    @property
    def topics(self) -> Topics:
        """Groups of the baseline's prompts; only of ranks that are freed from them."""
        assert self._prompts is not None
        return self._prompts.topics

    def score(self, features: Matrix, prompts: Matrix, first: int) -> Matrix:
        """Normal scores of some answers in a row, the first being the first-th; 0 where a feature is not known."""
        left: Matrix = features.take(self.places, 1)
        left -= self._design(features, prompts) @ self._slopes
        return self._score(left, first)

    def _score(self, residuals: Matrix, first: int) -> Matrix:
        below, to = self._sorted.around(residuals)
        at = first % _LOTS
        to -= below
        to += 1.0
        to *= self._lots[at : at + len(residuals), : residuals.shape[1]]
        to += below
        to *= self._to_step
        scores: Matrix = _SCORES.take(to.astype(np.intp), mode="clip")
        scores[np.isnan(residuals)] = 0.0
        return scores

    def _design(self, features: Matrix, prompts: Matrix | None) -> Matrix:
        if self._prompts is None or prompts is None:
            return np.ones((len(features), 1), np.float32)
        return self._prompts.design(prompts)

    def _fit(self, design: Matrix, values: Matrix) -> Matrix:
        penalty = np.full(design.shape[1], _RIDGE, np.float32)
        penalty[0] = 0.0
        slopes = np.linalg.solve(design.T @ design + np.diag(penalty), design.T @ values)
        slopes[:, ~self._dense] = 0.0
        fitted: Matrix = slopes.astype(np.float32)
        return fitted


class _Prompts:
    """What prompts explain of answers is sought in this design: their features, scaled, and their topic."""

    def __init__(self, prompts: Matrix) -> None:
        self._centre, scale = _standard(prompts)
        self._to_scale = np.float32(1.0) / scale
        self.topics = Topics(self._scaled(prompts))
        self._groups = np.eye(len(self.topics.centres), dtype=np.float32)

    def design(self, prompts: Matrix) -> Matrix:
        """A row for each prompt."""
        scaled = self._scaled(prompts)
        groups = self._groups.take(self.topics.of(scaled), 0)
        return np.concatenate([np.ones((len(scaled), 1), np.float32), scaled, groups], axis=1)

    def _scaled(self, prompts: Matrix) -> Matrix:
        scaled: Matrix = prompts - self._centre
        scaled *= self._to_scale
        scaled[np.isnan(scaled)] = 0.0
        np.minimum(scaled, 3.0, out=scaled)
        np.maximum(scaled, -3.0, out=scaled)
        return scaled


class Scaled:
    """Numbers of prompts as they are, in standard deviations of the baseline. Ranks would blur what is yes or no."""

    def __init__(self, prompts: Matrix) -> None:
        """answers x prompt features; nan: not known."""
        self._centre, scale = _standard(prompts)
        self.places = np.flatnonzero(np.isfinite(scale) & (np.isfinite(prompts).mean(0) > _KNOWN))
        self._centre, self._to_scale = self._centre[self.places], 1.0 / scale[self.places]
        first = self._raw(prompts)
        self._mean, self._to_one = first.mean(0), 1.0 / np.maximum(first.std(0), _LEAST_SPREAD)
        self.scores: Matrix = (first - self._mean) * self._to_one

    def score(self, prompts: Matrix) -> Matrix:
        """Of some prompts; as the mean where a number is not known."""
        scores: Matrix = (self._raw(prompts) - self._mean) * self._to_one
        return scores

    def _raw(self, prompts: Matrix) -> Matrix:
        raw: Matrix = (prompts.take(self.places, 1) - self._centre) * self._to_scale
        raw[np.isnan(raw)] = 0.0
        return np.clip(raw, -_FAR, _FAR)


class Sorted:
    """Columns of sorted numbers, and how many of each are below a value. All columns and values are sought at once."""

    def __init__(self, columns: Matrix, same: Matrix | float = 0.0) -> None:
        """columns: rows in order; inf at the end of those that have fewer. same: of a column, what is no difference."""
        self._same = np.asarray(same, np.float32)
        count, width = columns.shape
        room = 1 << count.bit_length()
        flat = np.full((width, room), np.inf, np.float32)
        flat[:, :count] = columns.T
        flat = flat.reshape(-1)
        # Halves are sought in the numbers from so many places on; it starts one before the first.
        self._halves = [
            (step, flat[step - 1 :]) for power in reversed(range(count.bit_length())) if (step := 1 << power)
        ]
        self._starts = np.arange(width) * room

    def around(self, values: Matrix) -> tuple[Matrix, Matrix]:
        """Of rows of values, one a column: how many numbers are smaller, and how many are not greater."""
        count, width = values.shape
        sought = np.empty((2 * count, width), np.float32)
        np.subtract(values, self._same, out=sought[:count])
        np.nextafter(np.add(values, self._same, dtype=np.float32), _INFINITE, out=sought[count:])
        at = np.empty(sought.shape, np.intp)
        at[:] = self._starts
        for step, numbers in self._halves:
            at += step * (numbers.take(at) < sought)
        at -= self._starts
        found: Matrix = at.astype(np.float32)
        return found[:count], found[count:]


def _thinned(columns: Matrix) -> Matrix:
    """Of many sorted numbers so many evenly among them: ranks are as good, and need a quarter of the room."""
    if len(columns) <= _ENOUGH:
        return columns
    known = np.isfinite(columns).sum(0)
    places = ((np.arange(_ENOUGH) + 0.5)[:, None] * np.maximum(known, _ENOUGH) / _ENOUGH).astype(np.intp)
    thinned: Matrix = np.take_along_axis(columns, places, 0)
    return thinned


@functools.cache
def _lots(seed: int, width: int) -> Matrix:
    """Each column goes evenly through (0, 1), in an order of its own; the first rows come again in the end.

    The same for all lanes: not to be written to.
    """
    steps = (np.arange(_LOTS) + 0.5) / _LOTS
    lots = np.random.default_rng(seed).permuted(np.tile(steps, (width, 1)), axis=1).T.astype(np.float32)
    return np.concatenate([lots, lots[:_TOGETHER]])


def _spread(column: Matrix) -> float:
    known = column[np.isfinite(column)]
    return float(known.max() - known.min()) if len(known) else 0.0


def _commonest(column: Matrix) -> float:
    _, counts = np.unique(column, return_counts=True)
    return float(counts.max() / len(column))


def _standard(values: Matrix) -> tuple[Matrix, Matrix]:
    with np.errstate(all="ignore"):
        known = np.isfinite(values).any(0)
        centre = np.where(known, np.nanmean(np.where(known, values, 0.0), axis=0), 0.0)
        scale = np.where(known, np.nanstd(np.where(known, values, 0.0), axis=0), 1.0)
    return centre.astype(np.float32), np.where(scale > 1e-6, scale, np.inf).astype(np.float32)
