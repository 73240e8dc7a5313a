"""What events say of lanes: which alarms stand, and what ends them."""

from __future__ import annotations

from typing import Any

from proxy.analyse.drift.known import KnownLanes
from proxy.core.event import DriftKind, Event


def event(number: int, kind: DriftKind, lane: int = 1, *, model: str = "m", **details: Any) -> Event:
    told = {"lane": str(lane), "seq": number, "route": "/api/chat", "level": 9.0, **details}
    return Event(event_id=number, at_unix_ns=number, kind=kind, model=model, upstream="default", details=told)


def test_an_alarm_stands_until_it_recovers_or_is_accepted() -> None:
    known = KnownLanes([event(1, "drift_baseline"), event(2, "drift_raised", subject="output")])
    known.take(event(3, "drift_raised", subject="latency"))
    both = [alarm.event_id for alarm in known.alarms()]
    known.take(event(4, "drift_recovered", subject="output"))
    one = [alarm.event_id for alarm in known.alarms()]
    known.take(event(5, "drift_accepted"))

    assert (both, one, known.alarms()) == ([2, 3], [3], [])
    assert (known.of(1).version, known.of(1).told, known.of(1).learned, known.of(1).since) == (2, 1, False, 5)


def test_another_digest_that_has_learned_ends_the_alarms_of_the_one_before() -> None:
    known = KnownLanes(
        [event(1, "drift_raised", subject="output"), event(2, "drift_raised", 3, model="n", subject="x")]
    )

    ended = known.take(event(3, "drift_baseline", 2))

    assert ended == [1]
    assert [alarm.event_id for alarm in known.alarms()] == [2]


def test_an_event_gets_its_number_afterwards() -> None:
    known = KnownLanes([event(0, "drift_raised", subject="output")])

    known.numbered(event(8, "drift_raised", subject="output"))
    known.numbered(event(9, "drift_recovered", subject="output"))

    assert [alarm.event_id for alarm in known.alarms()] == [8]


def test_events_of_no_lane_are_passed_over() -> None:
    known = KnownLanes([Event(event_id=1, at_unix_ns=1, kind="drift_raised", details={"subject": "output"})])

    assert known.alarms() == []
