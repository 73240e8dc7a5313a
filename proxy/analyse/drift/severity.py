"""Severity: how large an effect is, never how sure we are of it (evidence grows for ever). Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from proxy.analyse.drift.told import Moved

Severity = Literal["none", "low", "medium", "high"]

_MOVES: Final = (0.35, 0.8)  # mean of the three largest moves, in standard deviations
_RISES: Final = (0.06, 0.2)  # of a share, in answers of all
_FEW: Final = 20  # answers' worth of belief that nothing changed
_SLOWER: Final = (1.4, 2.0)


def of_move(signals: Sequence[Moved]) -> Severity:
    """Of signals, the largest first."""
    largest = [abs(signal.moved or 0.0) for signal in signals[:3]]
    return _graded(sum(largest) / max(len(largest), 1), _MOVES)


def of_share(signal: Moved, answers: int) -> Severity:
    """Of a fault that is commoner than it was, in so many answers: of a few, all may be so by chance."""
    return _graded((signal.after - signal.before) * answers / (answers + _FEW), _RISES)


def of_latency(signal: Moved) -> Severity:
    """Of answers that take that many times as long."""
    return _graded(signal.after / signal.before if signal.before else math.inf, _SLOWER)


def _graded(size: float, bounds: tuple[float, float]) -> Severity:
    low, high = bounds
    return "high" if size >= high else "medium" if size >= low else "low"
