"""Shares: evidence that a hard fault became commoner than it was. Counts, never averages. Pure.

Per fault, over the last n answers: how likely is the count under the share that the baseline showed (its uncertainty
integrated out: Beta-binomial), how likely under a few higher shares. Only an answer with the fault adds evidence.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final

HORIZON: Final = 640  # answers
_RISES: Final = (0.015, 0.04, 0.1, 0.25, 0.6, 0.95)  # added to the baseline's share, of what is left
_PRIOR: Final = (0.25, 25.0)  # faulty and sound answers' worth of belief before the baseline


class Share:
    """One fault of one route."""

    def __init__(self, had: int, of: int) -> None:
        """had: how many of the baseline's answers had it."""
        self.had, self.of = had, of
        self._bad, self._good = had + _PRIOR[0], of - had + _PRIOR[1]
        self.base = self._bad / (self._bad + self._good)
        self._rises = [
            (math.log(rate), math.log1p(-rate)) for rate in (self.base + rise * (1 - self.base) for rise in _RISES)
        ]
        self.at: deque[int] = deque()
        self.evidence, self.since = 0.0, 0

    def feed(self, count: int) -> None:
        """An answer with the fault. count: of answers since the baseline, this one included."""
        self.at.append(count)
        while self.at[0] <= count - HORIZON:
            self.at.popleft()
        self._weigh(count)

    def recent(self, count: int, last: int) -> float:
        """Share among the last answers."""
        return sum(at > count - last for at in self.at) / max(min(last, count), 1)

    def _weigh(self, count: int) -> None:
        """Over all starts that a faulty answer begins; the starts before each, up to the last one, stand with it."""
        logs: list[float] = []
        times = list(self.at)
        best, since = -math.inf, count
        for place in range(len(times) - 1, max(len(times) - 80, -1), -1):
            faulty = len(times) - place
            length = count - times[place] + 1
            sound = length - faulty
            log = self._ratio(faulty, sound)
            logs.append(log)
            if log > best:
                best, since = log, times[place]
        top = max(logs)
        # A start d answers before a faulty one is worth (1 - rate)^d of it: some 1 / rate starts in all, up to the gap.
        self.evidence = top + math.log(sum(math.exp(log - top) for log in logs)) + math.log(10.0)
        self.since = since

    def _ratio(self, faulty: int, sound: int) -> float:
        null = (
            math.lgamma(self._bad + faulty) - math.lgamma(self._bad)
            + math.lgamma(self._good + sound) - math.lgamma(self._good)
            - math.lgamma(self._bad + self._good + faulty + sound) + math.lgamma(self._bad + self._good)
        )  # fmt: skip
        logs = [faulty * bad + sound * good for bad, good in self._rises]
        top = max(logs)
        return top + math.log(sum(math.exp(log - top) for log in logs) / len(logs)) - null
