"""Ranks: where a value stands among those of the baseline, as a normal score. Conditioned on the prompt. Pure.

A feature of the answer is first freed from what the prompt explains (ridge regression; residuals of the baseline are
out of fold, so that later ones are like them), then ranked, ties by lot: exchangeable answers give normal scores,
whatever the law of the feature.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from proxy.analyse.drift.topics import Topics

Matrix = npt.NDArray[Any]

_FOLDS: Final = 5
_RIDGE: Final = 20.0  # answers' worth of no relation
_SPARSE: Final = 0.7  # a feature whose commonest value is this common is ranked as it is
_KNOWN: Final = 0.35  # a feature that is missing more often is left out
_LOTS: Final = 251  # rows of random numbers that break ties, in turn: the same again after a restart
_STEPS: Final = 4096
_SCORES: Final = np.array([NormalDist().inv_cdf((step + 0.5) / _STEPS) for step in range(_STEPS)], np.float32)


class Ranks:
    """The baseline's own values, to rank later ones against."""

    def __init__(self, features: Matrix, prompts: Matrix, seed: int = 1) -> None:
        """features: answers x features; prompts: answers x prompt features; nan = not known."""
        self._lots = _lots(seed, features.shape[1])
        count = len(features)
        known = np.isfinite(features)
        spread = np.array([_spread(column) for column in features.T])
        self.places = np.flatnonzero((known.mean(0) > _KNOWN) & (spread > 0))
        chosen = features[:, self.places]
        self._centre = np.nanmedian(chosen, axis=0).astype(np.float32)
        self._prompt_centre, self._prompt_scale = _standard(prompts)
        self.topics = Topics(self._scaled(prompts))
        design = self._design(prompts)
        filled = np.where(np.isfinite(chosen), chosen, self._centre)
        self._dense = np.array([_commonest(column) < _SPARSE for column in filled.T], bool)
        self._slopes = self._fit(design, filled)
        folds = np.arange(count) * _FOLDS // count
        residuals = np.empty_like(filled)
        for fold in range(_FOLDS):
            inside = folds == fold
            residuals[inside] = filled[inside] - design[inside] @ self._fit(design[~inside], filled[~inside])
        residuals[~np.isfinite(chosen)] = np.nan
        self._own = np.nan_to_num(np.sort(residuals, axis=0), nan=np.inf).astype(np.float32)
        self._count = np.isfinite(residuals).sum(0)
        self.scores = np.stack([self._score(row, at) for at, row in enumerate(residuals)]).astype(np.float32)

    def score(self, features: Matrix, prompt: Matrix, count: int) -> Matrix:
        """Normal scores of one answer, the count-th; 0 where a feature is not known."""
        design = self._design(prompt[None, :])[0]
        left: Matrix = features[self.places] - design @ self._slopes
        return self._score(left, count)

    def _score(self, residual: Matrix, count: int) -> Matrix:
        below = np.count_nonzero(self._own < residual, axis=0)
        to = np.count_nonzero(self._own <= residual, axis=0)
        lot = self._lots[count % _LOTS, : len(residual)]
        rank: Matrix = (below + lot * (to - below + 1)) / (self._count + 1)
        scores: Matrix = _SCORES[np.minimum((rank * _STEPS).astype(np.intp), _STEPS - 1)]
        scores[~np.isfinite(residual)] = 0.0
        return scores

    def _design(self, prompts: Matrix) -> Matrix:
        scaled = self._scaled(prompts)
        groups = np.zeros((len(scaled), len(self.topics.centres)), np.float32)
        groups[np.arange(len(scaled)), self.topics.of(scaled)] = 1.0
        return np.concatenate([np.ones((len(scaled), 1), np.float32), scaled, groups], axis=1)

    def _scaled(self, prompts: Matrix) -> Matrix:
        scaled = np.nan_to_num((prompts - self._prompt_centre) / self._prompt_scale, nan=0.0)
        np.clip(scaled, -3.0, 3.0, out=scaled)
        found: Matrix = scaled
        return found

    def _fit(self, design: Matrix, values: Matrix) -> Matrix:
        penalty = np.full(design.shape[1], _RIDGE, np.float32)
        penalty[0] = 0.0
        slopes = np.linalg.solve(design.T @ design + np.diag(penalty), design.T @ values)
        slopes[:, ~self._dense] = 0.0
        fitted: Matrix = slopes.astype(np.float32)
        return fitted


def _lots(seed: int, width: int) -> Matrix:
    """Each column goes evenly through (0, 1), in an order of its own."""
    steps = (np.arange(_LOTS) + 0.5) / _LOTS
    return np.random.default_rng(seed).permuted(np.tile(steps, (width, 1)), axis=1).T.astype(np.float32)


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
