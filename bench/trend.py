"""A straight line through measurements: how much something grows, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple


class Slope(NamedTuple):
    """Growth in the unit of y a unit of x, and its standard error."""

    value: float
    error: float


def slope(xs: Sequence[float], ys: Sequence[float]) -> Slope:
    """Least squares. Fewer than three points, or all at one x: (nan, nan).

    The error takes the points as independent, which memory is not: read it as a lower bound.
    """
    count = len(xs)
    if count < 3 or len(set(xs)) < 2:
        return Slope(math.nan, math.nan)
    mean_x, mean_y = math.fsum(xs) / count, math.fsum(ys) / count
    across = math.fsum((x - mean_x) ** 2 for x in xs)
    value = math.fsum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / across
    rest = math.fsum((y - mean_y - value * (x - mean_x)) ** 2 for x, y in zip(xs, ys, strict=True))
    return Slope(value, math.sqrt(rest / (count - 2) / across))


def quantile(values: Sequence[float], q: float) -> float:
    """The value below which a share q lies; nan without values."""
    found = sorted(values)
    return found[min(int(q * len(found)), len(found) - 1)] if found else math.nan
