"""Events of tools stand and fall with their call, and tell the next observer what waits."""

from __future__ import annotations

from proxy.core.call import CallRecord
from proxy.core.tool_event import ToolEvent
from proxy.store import Batch

OFFERED = ToolEvent(kind="offered", position=0, tool="f")
CALLED = ToolEvent(kind="called", position=0, tool="f", tool_call_id="c1", valid=False)
RESULT = ToolEvent(
    kind="result",
    position=0,
    tool="f",
    tool_call_id="c1",
    round_trip_s=1.5,
    error=True,
    called_in="a",
    called_position=0,
)


def count(ledger) -> int:
    with ledger._engine.connect() as connection:
        return connection.exec_driver_sql("SELECT count(*) FROM tool_events").scalar_one()


def test_events_come_back_with_their_call(ledger, make_call):
    asked = make_call(call_id="a", tools_offered=1, tool_calls=1, tool_events=(OFFERED, CALLED))
    brought = make_call(call_id="b", tool_results=1, tool_events=(RESULT,))
    plain = make_call(call_id="c")

    ledger.commit(Batch(calls=[asked, brought, plain]))

    assert [call.record for call in ledger.last_calls(10)] == [asked, brought, plain]
    assert [call.record for call in ledger.calls_after(1)] == [brought, plain]


def test_a_call_seen_before_brings_no_events(ledger, make_call):
    asked = make_call(call_id="a", tool_calls=1, tool_events=(CALLED,))
    ledger.commit(Batch(calls=[asked]))

    ledger.commit(Batch(calls=[make_call(call_id="a", tool_calls=1, tool_events=(CALLED, OFFERED, RESULT))] * 2))

    assert count(ledger) == 1


def test_foreign_names_are_cleaned(ledger, make_call):
    bad = ToolEvent(kind="called", position=0, tool="a\ud800\0", tool_call_id="x" * 5000)

    ledger.commit(Batch(calls=[make_call(call_id="a", tool_calls=1, tool_events=(bad,))]))

    (call,) = ledger.last_calls(1)
    assert call.record.tool_events[0].tool == "a\ufffd"
    assert call.record.observer_errors == ("ledger",)


def test_what_the_next_observer_is_told(ledger, make_call):
    def turn(call_id: str, number: int, **fields: object) -> CallRecord:
        known = {"conversation_id": "a", "conversation_turn": number, "conversation_hash": "h"}
        return make_call(call_id=call_id, started_unix_ns=number, duration_s=2.0, client="::1", **known, **fields)

    ledger.commit(Batch(calls=[turn("a", 1, tool_calls=1, tool_events=(OFFERED, CALLED)), make_call(call_id="x")]))
    (first,) = ledger.remembered_turns(10)
    ledger.commit(Batch(calls=[turn("b", 2, tool_results=1, claimed_user="ann", tool_events=(RESULT,))]))
    answered, last = ledger.remembered_turns(10)

    assert (first.call_id, first.called, first.answered) == ("a", ((0, "f", "c1"),), frozenset())
    assert first.ended_unix_ns == 2_000_000_001
    assert answered.answered == {0}
    assert (last.turn, last.claimed_user, last.called) == (2, "ann", ())
    assert ledger.remembered_turns(1) == [last]
