"""Latency: slower in a way that people feel. Load and tokens are explained first (see the bench)."""

from __future__ import annotations

import numpy as np
import pytest

from proxy.analyse.drift.latency import Latency


def evidence(seconds: float, factor: float) -> float:
    """Of answers that take so long, and then so many times as long."""
    dice = np.random.default_rng(1)
    tokens = dice.integers(20, 200, 500).astype(float)
    first = seconds * tokens / 100 * np.exp(0.1 * dice.normal(size=500))
    latency = Latency(first, tokens, np.full(500, 50.0), np.zeros((500, 2)), 0.22)
    found = 0.0
    for _ in range(200):
        count = float(dice.integers(20, 200))
        found = latency.feed(factor * seconds * count / 100 * np.exp(0.1 * dice.normal()), count, 50.0, (0.0, 0.0))
    return found


@pytest.mark.parametrize(("seconds", "factor", "told"), [(2.0, 1.6, True), (2.0, 1.0, False), (0.003, 3.0, False)])
def test_what_nobody_feels_is_not_slower(seconds: float, factor: float, told: bool) -> None:
    assert (evidence(seconds, factor) > 12) == told
