"""Evidence of a share: against the formula written out."""

from __future__ import annotations

import math
import random

import pytest

from proxy.analyse.drift import shares
from proxy.analyse.drift.shares import HORIZON, Share


def log_ratio(share: Share, faulty: int, sound: int) -> float:
    """Of a mean over the rises to a Beta-binomial."""
    bad, good = share.had + 0.25, share.of - share.had + 25.0

    def beta(one: float, other: float) -> float:
        return math.lgamma(one) + math.lgamma(other) - math.lgamma(one + other)

    base = bad / (bad + good)
    rates = [base + rise * (1 - base) for rise in (0.015, 0.04, 0.1, 0.25, 0.6, 0.95)]
    likely = sum(math.exp(faulty * math.log(rate) + sound * math.log1p(-rate)) for rate in rates) / len(rates)
    return math.log(likely) - beta(bad + faulty, good + sound) + beta(bad, good)


@pytest.mark.parametrize(("had", "rate"), [(0, 0.01), (0, 0.3), (5, 0.05), (40, 0.2), (400, 0.9)])
def test_the_evidence_is_that_of_all_starts(had: int, rate: float) -> None:
    share, rng = Share(had, 500), random.Random(7)
    at: list[int] = []
    for count in range(1, 900):
        if rng.random() >= rate:
            continue
        at = [one for one in [*at, count] if one > count - HORIZON][-shares._STARTS :]
        share.feed(count)
        ratios = [
            log_ratio(share, len(at) - place, count - at[place] + 1 - len(at) + place) for place in range(len(at))
        ]
        wanted = math.log(sum(map(math.exp, ratios))) + math.log(10)
        assert share.evidence == pytest.approx(wanted, abs=1e-6)
        assert ratios[at.index(share.since)] == pytest.approx(max(ratios))


def test_what_is_older_than_the_horizon_is_no_evidence() -> None:
    share, first = Share(0, 500), Share(0, 500)
    first.feed(1)
    for count in range(1, 40):
        share.feed(count)
    high = share.evidence
    share.feed(40 + HORIZON)

    assert high > 100
    assert share.evidence == pytest.approx(first.evidence)
    assert share.since == 40 + HORIZON
