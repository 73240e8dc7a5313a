"""Shares: evidence that a hard fault became commoner than it was. Counts, never averages. Pure.

Per fault, over the last n answers: how likely is the count under the share that the baseline showed (its uncertainty
integrated out: Beta-binomial), how likely under a few higher shares. Only an answer with the fault adds evidence.
"""

from __future__ import annotations

import math
from collections import deque
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

HORIZON: Final = 640  # answers
_RISES: Final = (0.015, 0.04, 0.1, 0.25, 0.6, 0.95)  # added to the baseline's share, of what is left
_STARTS: Final = 80  # faulty answers from which a rise may have begun
_PRIOR: Final = (0.25, 25.0)  # faulty and sound answers' worth of belief before the baseline


class Share:
    """One fault of one route."""

    def __init__(self, had: int, of: int) -> None:
        """had: how many of the baseline's answers had it."""
        self._first = had, of
        self._gone = 0  # faulty answers that lie behind the horizon
        self.at: deque[int] = deque()
        self.evidence, self.since = 0.0, 0
        self._learn(had, of)

    def grow(self, count: int) -> None:
        """What lies behind the horizon was sound enough to be learned from. count: of answers since the baseline."""
        self._drop(count)
        had, of = self._first
        self._learn(had + self._gone, of + max(count - HORIZON, 0))

    def feed(self, count: int) -> None:
        """An answer with the fault. count: of answers since the baseline, this one included."""
        self.at.append(count)
        self._drop(count)
        self._weigh(count)

    def recent(self, count: int, last: int) -> float:
        """Share among the last answers."""
        return sum(at > count - last for at in self.at) / max(min(last, count), 1)

    def _learn(self, had: int, of: int) -> None:
        self.had, self.of = had, of
        self._bad, self._good = had + _PRIOR[0], of - had + _PRIOR[1]
        self.base = self._bad / (self._bad + self._good)
        rates = self.base + np.array(_RISES) * (1 - self.base)
        self._rises = np.log(rates), np.log1p(-rates)

    def _drop(self, count: int) -> None:
        while self.at and self.at[0] <= count - HORIZON:
            self.at.popleft()
            self._gone += 1

    def _weigh(self, count: int) -> None:
        """Over all starts that a faulty answer begins; the starts before each, up to the last one, stand with it."""
        times = np.array(list(self.at)[-_STARTS:])
        faulty = np.arange(len(times), 0, -1)
        logs = self._ratios(faulty, count - times + 1 - faulty)
        best = int(len(logs) - 1 - logs[::-1].argmax())  # the latest of equals
        # A start d answers before a faulty one is worth (1 - rate)^d of it: some 1 / rate starts in all, up to the gap.
        self.evidence = float(logs[best] + math.log(np.exp(logs - logs[best]).sum()) + math.log(10.0))
        self.since = int(times[best])

    def _ratios(self, faulty: npt.NDArray[Any], sound: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Logarithm of how much likelier each pair of counts is under the higher shares."""
        null = (
            _log_rising(self._bad)[faulty] + _log_rising(self._good)[sound]
            - _log_rising(self._bad + self._good)[faulty + sound]
        )  # fmt: skip
        bad, good = self._rises
        logs = np.multiply.outer(faulty, bad) + np.multiply.outer(sound, good)
        top = logs.max(1)
        ratios: npt.NDArray[Any] = top + np.log(np.exp(logs - top[:, None]).mean(1)) - null
        return ratios


@lru_cache(maxsize=256)
def _log_rising(start: float) -> npt.NDArray[Any]:
    """log(start (start + 1) ... (start + n - 1)) for n of 0 to the horizon: what a Beta-binomial is made of."""
    return np.concatenate([[0.0], np.log(start + np.arange(HORIZON)).cumsum()])
