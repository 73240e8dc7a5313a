"""Confidence intervals, 95 %: shares (Wilson), counts (exact Poisson), medians (order statistics). Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

_Z: Final = 1.959964


def wilson(hits: int, tries: int) -> tuple[float, float]:
    """Of a share. Nothing tried: all is possible."""
    if not tries:
        return 0.0, 1.0
    share, z2 = hits / tries, _Z**2
    middle = share + z2 / (2 * tries)
    reach = _Z * math.sqrt(share * (1 - share) / tries + z2 / (4 * tries**2))
    return max((middle - reach) / (1 + z2 / tries), 0.0), min((middle + reach) / (1 + z2 / tries), 1.0)


def poisson(count: int) -> tuple[float, float]:
    """Of the mean that a count came from (Garwood)."""
    low = 0.0 if not count else _root(lambda mean: 1 - _at_most(count - 1, mean) - 0.025, 0.0, float(count))
    high = _root(lambda mean: 0.025 - _at_most(count, mean), float(count), 4.0 * count + 20.0)
    return low, high


def median_range(sorted_values: Sequence[float]) -> tuple[float, float]:
    """Of a median, by order statistics (normal approximation of the binomial)."""
    count = len(sorted_values)
    reach = _Z * math.sqrt(count) / 2
    low, high = math.floor(count / 2 - reach), math.ceil(count / 2 + reach)
    return sorted_values[max(low, 0)], sorted_values[min(high, count - 1)]


def _at_most(count: int, mean: float) -> float:
    """P(Poisson(mean) <= count)."""
    term = total = math.exp(-mean)
    for number in range(1, count + 1):
        term *= mean / number
        total += term
    return total


def _root(rising: Callable[[float], float], low: float, high: float) -> float:
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < 0 else (low, middle)
    return (low + high) / 2
