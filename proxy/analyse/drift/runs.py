"""Runs: what lasts from one prompt to the next, and so makes a mean over many wander. Pure.

Bursts are of one kind of question, and a day has its hours. Both show in the baseline as numbers that are alike over
some answers; along these directions a mean over n answers varies more than 1 / n.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[Any]

_NEAR: Final = 8  # lags over which likeness is averaged to find what lasts
_LAGS: Final = 120


def likeness(white: Matrix) -> Matrix:
    """How much each two of some numbers go along over a few answers. white: answers x numbers, of variance 1."""
    count = len(white)
    lagged = np.mean([white[lag:].T @ white[:-lag] / count for lag in range(1, _NEAR + 1)], axis=0)
    found: Matrix = (lagged + lagged.T) / 2
    return found


def lasting(alike: Matrix, count: int) -> tuple[Matrix, Matrix]:
    """Directions that surely last, and how much of their variance does. alike: `likeness` of so many answers."""
    values, vectors = np.linalg.eigh(alike)
    chance = math.sqrt(2.0 * len(alike) / (count * _NEAR))  # of the largest of so many, when none lasts
    chosen = values > chance
    return vectors[:, chosen], values[chosen] - chance


def along(alike: Matrix, directions: Matrix, count: int) -> Matrix:
    """How much lasts along directions that were not chosen for it."""
    found: Matrix = np.maximum((directions * (alike @ directions)).sum(0) - 1 / math.sqrt(count * _NEAR), 0.0)
    return found


def growth(turned: Matrix, lengths: Matrix) -> Matrix:
    """For each length, by how much of what lasts the variance of a mean grows, times the length.

    turned: the baseline along what lasts.
    """
    count = len(turned)
    if not turned.shape[1] or count <= 2 * _LAGS:
        return np.zeros(len(lengths))
    lags = np.arange(1, _LAGS + 1)
    alike = np.array([float((turned[lag:] * turned[:-lag]).mean(0).sum()) for lag in lags])
    near = max(alike[:_NEAR].mean(), 1e-9)
    smooth = np.convolve(np.pad(alike, 4, mode="edge"), np.full(9, 1 / 9), "valid") / near
    last = np.minimum.accumulate(np.clip(smooth, 0.0, 1.5))
    return np.array([2 * float((np.clip(1 - lags / n, 0, 1) * last).sum()) for n in lengths])
