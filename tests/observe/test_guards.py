"""Faults are counted by part, and the same one is not logged over and over."""

from __future__ import annotations

import logging

import pytest

from proxy.core.errors import LedgerBusy
from proxy.observe.guards import PARTS, ForcedFault, Guards


def test_each_part_begins_at_zero() -> None:
    assert Guards().errors == dict.fromkeys(PARTS, 0)


def test_nothing_is_forced_unless_asked_for() -> None:
    guards = Guards()

    for part in PARTS:
        guards.force(part)


def test_a_forced_part_fails_each_time_or_as_often_as_said() -> None:
    guards = Guards("reading, ledger:2")

    for _ in range(3):
        with pytest.raises(ForcedFault):
            guards.force("reading")
    for _ in range(2):
        with pytest.raises(ForcedFault):
            guards.force("ledger")
    guards.force("ledger")
    guards.force("pricing")


def test_the_same_error_is_logged_once_a_minute_and_counted_each_time(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    guards = Guards(clock=lambda: now[0])

    for second in (0.0, 1.0, 59.0, 61.0):
        now[0] = second
        guards.note("pricing", ValueError("no such tier"), call_id="a")
    guards.note("pricing", ValueError("another"), call_id="b")

    assert guards.errors["pricing"] == 5
    assert [record.call_id for record in caplog.records] == ["a", "a", "b"]  # type: ignore[attr-defined]


def test_errors_with_foreign_texts_do_not_fill_the_memory(caplog: pytest.LogCaptureFixture) -> None:
    guards = Guards(clock=lambda: 0.0)

    with caplog.at_level(logging.CRITICAL, logger="sightglass.observer"):
        for number in range(10_000):
            guards.note("ledger", LedgerBusy(f"foreign {number}"))

    assert len(guards._logged) <= 256
