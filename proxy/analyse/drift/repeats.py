"""Repeats: the same prompt again within a short while tells little new, so it counts for less. Pure.

A retried or regenerated question, or a burst over few prompts, would otherwise weigh as much as so many different ones.
m answers to one prompt weigh as the square root of m. A fault that the same prompt brought before is no further one: a
prompt that some models always refuse is one refusal, however often it is asked. Where a route asks the same all the
time nothing is discounted: its baseline was learned under that.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterable
from typing import Final

_WITHIN: Final = 64  # answers
_FAULTS_WITHIN: Final = 640  # the same for faults; as far back as these are counted
_MOST_FAULTS: Final = 2048  # pairs of prompt and fault; beyond, old ones are let go
_USUAL: Final = 0.6  # share of repeats in the baseline from which they are the route's way


class Repeats:
    """The prompts of the last answers, by what identifies them."""

    def __init__(self, first: Iterable[tuple[bytes, frozenset[str]]] = ()) -> None:
        """first: of the baseline's answers, with their faults."""
        self._recent: deque[bytes] = deque()
        self._counts: Counter[bytes] = Counter()
        self._faulty: dict[tuple[int, str], int] = {}
        self._seen = 0
        self.had: Counter[str] = Counter()  # faults of the baseline, as they are counted
        known = list(first)
        before = [self._before(key) for key, _ in known]
        self._usual = sum(count > 0 for count in before) > _USUAL * len(known)
        self.weights = [self._weight(count) for count in before]  # of the baseline's answers
        self._seen = 0
        for key, faults in known:
            self._seen += 1
            self.had.update(self.fresh(key, faults))

    def weight(self, key: bytes) -> float:
        """Of the next answer, in (0, 1]."""
        return self._weight(self._before(key))

    def fresh(self, key: bytes, faults: frozenset[str]) -> set[str]:
        """Those that the same prompt did not bring lately; notes that it does now. Called after `weight`."""
        found: set[str] = set()
        for fault in faults:
            pair = hash(key), fault
            last = self._faulty.get(pair)
            self._faulty[pair] = self._seen
            if self._usual or last is None or self._seen - last > _FAULTS_WITHIN:
                found.add(fault)
        if len(self._faulty) > _MOST_FAULTS:
            since = self._seen - _FAULTS_WITHIN
            self._faulty = {pair: at for pair, at in self._faulty.items() if at >= since}
        return found

    def _weight(self, before: int) -> float:
        return 1.0 if self._usual else math.sqrt(before + 1) - math.sqrt(before)

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
