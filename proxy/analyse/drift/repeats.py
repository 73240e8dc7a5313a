"""Repeats: the same prompt again within a short while tells little new, so it counts for less. Pure.

A retried or regenerated question, or a burst over few prompts, would otherwise weigh as much as so many different ones.
m answers to one prompt weigh as the square root of m. Where a route asks the same all the time nothing is discounted:
its baseline was learned under that.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterable
from typing import Final

_WITHIN: Final = 64  # answers
_USUAL: Final = 0.6  # share of repeats in the baseline from which they are the route's way


class Repeats:
    """The prompts of the last answers, by what identifies them."""

    def __init__(self, first: Iterable[bytes] = ()) -> None:
        """first: of the baseline's answers."""
        self._recent: deque[bytes] = deque()
        self._counts: Counter[bytes] = Counter()
        self._faulty: dict[tuple[bytes, str], int] = {}
        self._seen = 0
        again = [self._before(key) > 0 for key in first]
        self._usual = sum(again) > _USUAL * len(again)

    def weight(self, key: bytes) -> float:
        """Of the next answer, in (0, 1]."""
        before = self._before(key)
        return 1.0 if self._usual else math.sqrt(before + 1) - math.sqrt(before)

    def again(self, key: bytes, fault: str) -> bool:
        """Whether the same prompt brought the same fault a short while ago; notes that it does now."""
        last = self._faulty.get((key, fault))
        self._faulty[key, fault] = self._seen
        if len(self._faulty) > 4 * _WITHIN:
            self._faulty = {pair: at for pair, at in self._faulty.items() if self._seen - at <= _WITHIN}
        return not self._usual and last is not None and self._seen - last <= _WITHIN

    def _before(self, key: bytes) -> int:
        """How often it was among the last ones; takes it in."""
        self._seen += 1
        before = self._counts[key]
        self._recent.append(key)
        self._counts[key] += 1
        if len(self._recent) > _WITHIN:
            gone = self._recent.popleft()
            self._counts[gone] -= 1
            if not self._counts[gone]:
                del self._counts[gone]
        return before
