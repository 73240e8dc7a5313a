"""Watching: a real ledger; observers that end at any moment. Nothing is told twice or forgotten, all is bounded."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.analyse.drift import watching
from proxy.analyse.drift.detector import LATE, full_length
from proxy.analyse.drift.lane import Lane
from proxy.analyse.drift.watching import NEWEST, DriftWatch
from proxy.core.errors import LedgerUnavailable
from proxy.core.event import Event
from proxy.observe.guards import Guards
from proxy.store import Ledger, UpstreamChanges
from proxy.store.signal_rows import StoredSignals
from tests.analyse.drift.ledgers import WARM_UP, Source, Traffic, begun, read_all, told


def turns(watch: DriftWatch, source: Source) -> None:
    while True:
        watch.turn(source)


RAISED = [("baseline", "output"), ("raised", "share:leak")]


def test_an_alarm_is_told_once_whoever_ends_when(
    ledger: Ledger, source: Source, traffic: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "TURN_S", 0.0)  # a row each turn
    traffic.answers(WARM_UP + 20)
    traffic.answers(15, faulty=["leak"])
    for turns in (1, 90, 150, 205, 230, 7, 3, 2, 1, 1, 1, 1, 1):
        watch = begun()  # the one before was killed
        for _ in range(turns):
            watch.turn(source)
    read_all(begun(), source)
    assert told(ledger) == RAISED


def test_an_alarm_stands_over_a_restart_and_recovers_once(ledger: Ledger, source: Source, traffic: Traffic) -> None:
    traffic.answers(WARM_UP)
    traffic.answers(15, faulty=["leak"])
    read_all(begun(), source)
    traffic.answers(3 * NEWEST)  # so that no row of the alarm is among the newest
    watch = begun()
    watch.turn(source)
    read_all(watch, source)
    assert told(ledger) == [*RAISED, ("recovered", "share:leak")]
    traffic.answers(5)
    later = begun()
    read_all(later, source)
    assert told(ledger) == [*RAISED, ("recovered", "share:leak")]
    assert [state.state for state in later.states()] == ["calm"]


def test_what_stands_is_as_the_events_say(ledger: Ledger, source: Source, traffic: Traffic) -> None:
    traffic.answers(WARM_UP)
    traffic.answers(15, faulty=["leak"])
    read_all(begun(), source)
    traffic.answers(1)
    watch = begun()
    read_all(watch, source)
    [state] = watch.states()
    assert (state.state, state.alarms, state.version) == ("alarmed", ("share:leak",), 1)
    assert told(ledger) == RAISED


def test_a_restart_reads_a_bounded_number(ledger: Ledger, source: Source, traffic: Traffic) -> None:
    traffic.answers(6 * NEWEST)
    ledger.note_changes(UpstreamChanges(read=(watching.READER, 6 * NEWEST)))
    traffic.answers(1)
    watch = begun()
    read_all(watch, source)
    assert source.rows <= full_length(WARM_UP) + LATE + NEWEST + 1
    assert [state.answers for state in watch.states()] == [full_length(WARM_UP) + LATE + NEWEST + 1]


def test_a_turn_is_bounded_and_goes_on_where_it_was(
    ledger: Ledger, source: Source, traffic: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    traffic.answers(WARM_UP + 10)
    monkeypatch.setattr(watching, "BUSY_TURN_S", 0.0)
    watch = begun()
    watch.turn(source, busy=True)  # looks what the ledger has of the lane
    for rows in range(1, 6):
        watch.turn(source, busy=True)
        assert [state.answers for state in watch.states()] == [rows]
    read_all(watch, source)
    assert told(ledger) == RAISED[:1]


def test_what_cannot_be_written_is_written_later(ledger: Ledger, source: Source, traffic: Traffic) -> None:
    traffic.answers(WARM_UP)
    traffic.answers(15, faulty=["leak"])
    watch = begun()
    source.fails = 10
    for _ in range(10):
        with pytest.raises(LedgerUnavailable):
            turns(watch, source)
    assert told(ledger) == []
    read_all(watch, source)
    read_all(begun(), source)
    assert told(ledger) == RAISED


def test_a_lane_that_fails_is_set_aside(
    ledger: Ledger, source: Source, traffic: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = Lane.steps

    def fails(lane: Lane, stored: StoredSignals) -> Any:
        if stored.route == "/0" and len(lane.calls) > 20:
            raise ValueError("cannot be")
        return steps(lane, stored)

    monkeypatch.setattr(Lane, "steps", fails)
    guards = Guards()
    watch = begun(guards)
    traffic.answers(2 * WARM_UP + 20, lanes=2)
    read_all(watch, source)
    rows = source.rows
    traffic.answers(20, lanes=2)
    read_all(watch, source)
    assert guards.errors["drift"] == 1
    assert source.rows == rows + 20
    assert [(state.route, state.state) for state in watch.states()] == [("/1", "calm")]
    assert told(ledger) == RAISED[:1]


def test_accepted_it_learns_from_the_rows_behind(ledger: Ledger, source: Source, traffic: Traffic) -> None:
    traffic.answers(WARM_UP)
    traffic.answers(15, faulty=["leak"])
    watch = begun()
    read_all(watch, source)
    accepted = {"lane": "0", "seq": WARM_UP + 15, "subject": "share:leak"}
    ledger.note_changes(UpstreamChanges(events=[Event(at_unix_ns=1, kind="drift_accepted", details=accepted)]))
    watch._looked = 0.0
    traffic.answers(WARM_UP - 1, faulty=["leak"])
    read_all(watch, source)
    assert [(state.state, state.answers) for state in watch.states()] == [("learning", WARM_UP - 1)]
    traffic.answers(30, faulty=["leak"])
    again = begun()
    read_all(again, source)
    assert told(ledger) == [*RAISED, ("accepted", "share:leak"), ("baseline", "output")]
    assert [(state.state, state.version) for state in again.states()] == [("calm", 2)]


def baseline_of(watch: DriftWatch) -> int:
    return watch._lanes[0].detector.baseline_answers


def test_the_baseline_is_as_long_after_a_restart(ledger: Ledger, source: Source, traffic: Traffic) -> None:
    traffic.answers(2 * full_length(WARM_UP))
    watch = begun()
    read_all(watch, source)
    assert baseline_of(watch) == full_length(WARM_UP)
    again = begun()
    traffic.answers(1)
    read_all(again, source)
    assert baseline_of(again) == full_length(WARM_UP)


def test_what_an_alarm_ended_grows_no_further_after_a_restart(ledger: Ledger, source: Source, traffic: Traffic) -> None:
    traffic.answers(WARM_UP + 100)
    traffic.answers(15, faulty=["leak"])
    watch = begun()
    read_all(watch, source)
    raised = next(event for event in ledger.drift_events() if event.kind == "drift_raised")
    grown = raised.details["baseline_answers"]
    assert WARM_UP < grown <= WARM_UP + 100 + 4
    traffic.answers(2 * full_length(WARM_UP))
    read_all(watch, source)
    again = begun()
    traffic.answers(1)
    read_all(again, source)
    assert abs(baseline_of(again) - grown) < 4  # taken in four at a time
    assert baseline_of(watch) == grown


def test_a_lane_that_is_accepted_while_it_learns_begins_anew(
    ledger: Ledger, source: Source, traffic: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "TURN_S", 0.0)
    monkeypatch.setattr(watching, "_LOOK_S", 0.0)
    traffic.answers(WARM_UP)
    watch = begun()
    for _ in range(WARM_UP + 1):
        watch.turn(source)
    assert watch.states()[0].answers == WARM_UP
    assert watch.states()[0].state == "learning"  # between two steps
    accepted = {"lane": "0", "seq": WARM_UP, "subject": "output"}
    ledger.note_changes(UpstreamChanges(events=[Event(at_unix_ns=1, kind="drift_accepted", details=accepted)]))
    read_all(watch, source)
    assert told(ledger) == [("accepted", "output")]
    monkeypatch.setattr(watching, "TURN_S", 0.05)
    traffic.answers(WARM_UP)
    read_all(watch, source)
    assert told(ledger) == [("accepted", "output"), ("baseline", "output")]


def test_another_name_in_the_answers_ends_the_growth_now_as_after_a_restart(
    ledger: Ledger, source: Source, traffic: Traffic
) -> None:
    traffic.identity = "one"
    traffic.answers(WARM_UP + 60)
    traffic.identity = "another"
    traffic.answers(2 * full_length(WARM_UP))
    watch = begun()
    read_all(watch, source)
    assert ("raised", "exact:identity") in told(ledger)
    assert baseline_of(watch) == WARM_UP + 60
    again = begun()
    traffic.answers(1)
    read_all(again, source)
    assert baseline_of(again) == WARM_UP + 60
