"""Latency: evidence that answers take longer than they did, for as many tokens and under as much load. Pure.

Serially dependent, so no e-value: a sum of what is beyond a tolerance (CUSUM) of block means, in units of their own
long-run variance.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]

BLOCK: Final = 25  # answers
_EASE: Final = 0.1  # of the load's moving mean
_LEAST_VARIANCE: Final = 0.15  # long-run variance of the log; a baseline of 500 may have been a quiet one
_UNFELT_S: Final = 0.03  # that nobody feels: twice as long is nothing where it is a few milliseconds
_ENOUGH: Final = 120.0  # the sum grows no further, so that an alarm can end
_MOST: Final = 1.5  # an answer counts for no more than e**1.5 times as slow


class Load:
    """Requests in flight, now and lately."""

    def __init__(self) -> None:
        self.lately: float | None = None

    def add(self, in_flight: float | None) -> tuple[float, float]:
        """(now, lately) as logarithms; the last known where it is not told."""
        if in_flight is None:
            now = self.lately if self.lately is not None else 0.0
            return now, now
        now = math.log1p(in_flight)
        self.lately = now if self.lately is None else self.lately + _EASE * (now - self.lately)
        return now, self.lately


class Latency:
    """How long an answer should take, learned from the baseline, and how much longer they take since."""

    def __init__(self, seconds: Vector, tokens: Vector, prompt_tokens: Vector, loads: Vector, tolerance: float) -> None:
        """loads: answers x (now, lately). All of the baseline's answers that tell their latency."""
        self._tolerance = math.log1p(tolerance)
        seconds = seconds + _UNFELT_S
        costs = np.stack([np.ones_like(tokens), tokens, prompt_tokens], axis=1)
        scaled = costs / seconds[:, None]
        penalty = np.diag([0.01, 0.0, 0.01]) * (scaled**2).mean(0) * len(seconds)
        penalty += np.eye(3) * 1e-9
        fitted = np.linalg.solve(scaled.T @ scaled + penalty, scaled.sum(0))
        self._least_s = float(np.quantile(seconds, 0.01)) / 3
        logs = np.log(seconds / np.maximum(costs @ fitted, self._least_s))
        design = _load_design(loads)
        ridge = np.diag([0.0, 5.0, 5.0, 5.0])
        slopes = np.linalg.solve(design.T @ design + ridge, design.T @ logs)
        left = logs - design @ slopes
        self._centre = float(np.median(left))
        self._clip = max(4 * float(np.std(left)), 0.7)
        left = np.clip(left - self._centre, -self._clip, self._clip)
        self.variance = max(_long_run(left), _LEAST_VARIANCE)
        self._costs, self._slopes = fitted.tolist(), slopes.tolist()  # one answer: no need of arrays
        self._sum = 0.0
        self._since = self._count = 0
        self._all = 0.0  # of the logs since then

    def feed(self, seconds: float, tokens: float, prompt_tokens: float, load: tuple[float, float]) -> float:
        """Evidence in nats: logarithm of the level that a calm route would reach."""
        self._count += 1
        base, a_token, a_prompt_token = self._costs
        expected = max(base + a_token * tokens + a_prompt_token * prompt_tokens, self._least_s)
        log = math.log((max(seconds, 0.0) + _UNFELT_S) / expected) - self._of_load(*load)
        left = min(max(log - self._centre, -self._clip), max(self._clip, _MOST))
        self._all += left
        self._sum += left - self._tolerance
        if self._sum <= 0:
            self._sum, self._all, self._since = 0.0, 0.0, self._count
        self._sum = min(self._sum, _ENOUGH * self.variance)
        return 2 * self._tolerance * self._sum / self.variance

    def _of_load(self, now: float, lately: float) -> float:
        always, at_once, slowly, squared = self._slopes
        return float(always + at_once * now + slowly * lately + squared * lately**2)

    @property
    def effect(self) -> float:
        """Logarithm of how many times as long answers take since it began."""
        return self._all / max(self.ago, 1)

    @property
    def ago(self) -> int:
        """Answers since it began."""
        return self._count - self._since


def _load_design(loads: Vector) -> Vector:
    now, lately = loads[:, 0], loads[:, 1]
    return np.stack([np.ones(len(loads)), now, lately, lately**2], axis=1)


def _long_run(left: Vector) -> float:
    count = len(left) // BLOCK * BLOCK
    if count < 4 * BLOCK:
        return _LEAST_VARIANCE
    means = left[:count].reshape(-1, BLOCK).mean(1)
    return float(BLOCK * means.var(ddof=1))
