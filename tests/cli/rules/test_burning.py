"""Burn rates: which windows, which thresholds, and what can never fire."""

from __future__ import annotations

import pytest

from proxy.cli.rules.burning import PAIRS, burn_groups, levels, unreachable
from proxy.cli.rules.rule import Alert
from proxy.core.bounds import SECONDS
from proxy.core.config import Objectives


def exprs(objectives: Objectives) -> dict[tuple[str, str], str]:
    return {
        (rule.name, rule.severity): rule.expr
        for group in burn_groups(objectives)
        for rule in group.rules
        if isinstance(rule, Alert)
    }


def test_the_table_of_the_sre_workbook() -> None:
    """Factor = part of the 30 days' allowance x 30 days / long window; short = long / 12."""
    used = [pair.factor * pair.long_s / (30 * 86400) for pair in PAIRS]

    assert [round(part, 3) for part in used] == [0.02, 0.05, 0.1, 0.1]
    assert all(pair.long_s == 12 * pair.short_s for pair in PAIRS)


def test_thresholds_are_decimal_not_binary() -> None:
    assert "> 14.4 * 0.001\n" in exprs(Objectives(availability=0.999))["SightglassAvailability", "page"]


def test_what_cannot_be_reached_is_left_out_and_said() -> None:
    objectives = Objectives(availability=0.9)

    assert "14.4" not in exprs(objectives)["SightglassAvailability", "page"]
    assert list(unreachable(objectives)) == [
        "SightglassAvailability: factor 14.4 over 1h is left out: with an objective of 0.9 nothing burns so fast"
    ]
    assert list(unreachable(Objectives())) == []


def test_an_objective_so_low_that_nobody_is_woken() -> None:
    found = exprs(Objectives(availability=0.5))

    assert ("SightglassAvailability", "page") not in found
    assert "1 * 0.5" in found["SightglassAvailability", "ticket"]


@pytest.mark.parametrize("bound_s", SECONDS)
def test_a_bound_is_written_as_the_bucket_has_it(bound_s: float) -> None:
    level = levels(Objectives(first_token_s=bound_s))[1]

    assert f'le="{float(bound_s)!r}"' in level.bad.format(window="5m")
