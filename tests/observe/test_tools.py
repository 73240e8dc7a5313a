"""Tools of a call: what was offered, called rightly or wrongly, and came back when and how."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.core.call import CallRecord
from proxy.observe.tools import Tools, Waiting
from proxy.wire.transcript import Line
from tests.observe.desk import Desk, calling, gave, said, tool, user

HI = user("hi")
PARIS = {"city": "Paris"}
DONE = said("It rains.")


def counts(record: CallRecord) -> tuple[int | None, ...]:
    """Offered, called, invalid, results, errors."""
    return (
        record.tools_offered,
        record.tool_calls,
        record.tool_calls_invalid,
        record.tool_results,
        record.tool_result_errors,
    )


def events(record: CallRecord, kind: str, *fields: str) -> list[Any]:
    return [tuple(getattr(event, field) for field in fields) for event in record.tool_events if event.kind == kind]


def test_a_call_without_tools_has_none() -> None:
    record = Desk().call([HI], DONE)

    assert counts(record) == (0, 0, 0, 0, 0)
    assert (record.tool_round_trip_max_s, record.tool_events) == (None, ())


def test_offer_call_and_result() -> None:
    desk = Desk()
    offer = [tool("weather"), tool("time")]
    asked = said(None, calling("weather", PARIS))

    first = desk.call([HI], asked, tools=offer)
    desk.now_s += 4
    second = desk.call([HI, asked, gave("rain")], DONE, tools=offer)

    assert counts(first) == (2, 1, 0, 0, 0)
    assert counts(second) == (2, 0, 0, 1, 0)
    assert events(first, "offered", "tool") == [("weather",), ("time",)]
    assert events(first, "called", "tool", "tool_call_id", "valid") == [("weather", "call_1", True)]
    assert events(second, "offered", "tool") == []  # the same as before
    assert events(second, "result", "tool", "called_in", "called_position", "error") == [
        ("weather", first.call_id, 0, False)
    ]
    assert second.tool_round_trip_max_s == pytest.approx(4.5)  # accepted 5 s after the first, which took 0.5 s


def test_an_offer_that_changes_is_told_again() -> None:
    desk = Desk()
    desk.call([HI], DONE, tools=[tool("weather")])

    second = desk.call([HI, DONE, user("more")], DONE, tools=[tool("weather"), tool("time")])

    assert events(second, "offered", "tool") == [("weather",), ("time",)]


@pytest.mark.parametrize(
    ("call", "offer", "valid"),
    [
        (calling("weather", PARIS), [tool()], True),
        (calling("weather", {"town": "Paris"}), [tool()], False),
        (calling("weather", {"city": 3}), [tool()], False),
        (calling("weather", '{"city": "Par'), [tool()], False),
        (calling("weather", ""), [tool()], False),
        (calling("weather", "null"), [tool()], False),
        (calling("wetter", PARIS), [tool()], False),
        (calling("weather", PARIS), [], None),
        (calling("weather", "nonsense"), [], False),
        (calling("weather", {"town": 1}), [{"type": "function", "function": {"name": "weather"}}], None),
    ],
)
def test_arguments_against_the_offer(call: Any, offer: list[Any], valid: bool | None) -> None:
    record = Desk().call([HI], said(None, call), tools=offer)

    assert events(record, "called", "valid") == [(valid,)]
    assert record.tool_calls_invalid == (valid is False)


def test_two_calls_of_one_id_are_joined_in_order() -> None:
    desk = Desk()
    asked = said(None, calling("weather", PARIS, "call_0"), calling("time", {"city": "Rome"}, "call_0"))
    desk.call([HI], asked)

    second = desk.call([HI, asked, gave("rain", "call_0"), gave("noon", "call_0")], DONE)

    assert events(second, "result", "tool", "called_position") == [("weather", 0), ("time", 1)]


def test_the_same_id_in_two_conversations_is_not_confused() -> None:
    desk = Desk()
    here, there = said("Here.", calling("weather", PARIS)), said("There.", calling("weather", PARIS))
    one = desk.call([HI], here)
    desk.now_s += 10
    other = desk.call([HI], there)

    one_2 = desk.call([HI, here, gave("rain")], DONE)
    other_2 = desk.call([HI, there, gave("sun")], DONE)

    assert events(one_2, "result", "called_in") == [(one.call_id,)]
    assert events(other_2, "result", "called_in") == [(other.call_id,)]
    assert one_2.tool_round_trip_max_s == pytest.approx(11.5)
    assert other_2.tool_round_trip_max_s == pytest.approx(1.5)


def test_the_same_id_in_each_turn_of_a_conversation() -> None:
    desk = Desk()
    messages: list[Any] = [HI]
    for number in range(3):
        asked = said(None, calling("weather", {"city": str(number)}, "call_1"))
        record = desk.call(messages, asked)
        assert len(events(record, "result", "called_in")) == (number > 0)
        messages = [*messages, asked, gave(f"rain {number}")]

    last = desk.call(messages, DONE)

    assert (last.tool_results, last.tool_round_trip_max_s) == (1, pytest.approx(0.5))


def test_results_without_ids_are_joined_by_name() -> None:
    waiting = Waiting(0, [(0, "weather", None), (1, "time", None), (2, "weather", None)], None)  # type: ignore[arg-type]
    found = []
    for name in ("time", "weather", "weather", "weather"):
        match = waiting.match(Line("result", "", name))
        found.append(match)
        waiting.answered.add(match[0] if match else -1)

    assert found == [(1, "time"), (0, "weather"), (2, "weather"), None]


def test_a_retry_brings_nothing_new() -> None:
    desk = Desk()
    asked = said(None, calling("weather", PARIS))
    desk.call([HI], asked)

    failed = desk.call([HI, asked, gave("Error: no such city")], None)
    again = desk.call([HI, asked, gave("Error: no such city")], DONE)
    on = desk.call([HI, asked, gave("Error: no such city"), DONE, user("why?")], DONE)

    assert [(record.tool_results, record.tool_result_errors) for record in (failed, again, on)] == [
        (1, 1),
        (0, 0),
        (0, 0),
    ]


def test_a_call_read_twice_changes_nothing() -> None:
    desk = Desk()
    asked = said(None, calling("weather", PARIS))
    desk.call([HI], asked, call_id="first")
    desk.call([HI, asked, gave("rain")], DONE, call_id="second")
    before = len(desk.attribution._tools)

    for _ in range(2):
        desk.call([HI], asked, call_id="first")
        desk.call([HI, asked, gave("rain")], DONE, call_id="second")

    assert len(desk.attribution._tools) == before == 0


def test_a_history_that_we_did_not_see_brings_only_its_last_results() -> None:
    desk = Desk()
    history = [HI, said(None, calling("weather", PARIS)), gave("rain"), said("Rain."), user("and Rome?")]

    record = desk.call(
        [*history, said(None, calling("weather", {"city": "Rome"}, "call_2")), gave("sun", "call_2")], DONE
    )

    assert events(record, "result", "tool", "tool_call_id", "round_trip_s") == [(None, "call_2", None)]


def test_without_a_conversation_an_id_that_one_answer_waits_for_counts() -> None:
    desk = Desk()
    first = desk.call([HI], said(None, calling("weather", PARIS, "call_9x2")))

    # The client told the story anew: nothing of it was said before.
    other = desk.call([user("x"), said(None, calling("w", {}, "call_9x2")), gave("a", "call_9x2")], DONE, client="b")
    second = desk.call([user("y"), said(None, calling("w", {}, "call_9x2")), gave("b", "call_9x2")], DONE)

    assert events(other, "result", "called_in") == [(None,)]
    assert events(second, "result", "called_in") == [(first.call_id,)]


@pytest.mark.parametrize(("left", "valid"), [(False, False), (True, None)])
def test_what_broke_off_is_not_called_invalid(left: bool, valid: bool | None) -> None:
    asked = said(None, calling("weather", '{"city": "Pa'))
    changed: dict[str, Any] = {"ending": "client_left", "answered_with": {"finish_reason": None}} if left else {}

    record = Desk().call([HI], asked, tools=[tool()], **changed)

    assert record.outcome == ("client_gone" if left else "ok")
    assert events(record, "called", "valid") == [(valid,)]


def test_memory_is_bounded_by_number_and_age() -> None:
    desk = Desk()
    desk.attribution._tools = Tools(waiting=50)
    for number in range(200):
        desk.call([user(str(number))], said(None, calling("weather", PARIS, f"call_{number % 70}")))
    tools = desk.attribution._tools
    assert len(tools) == 50
    assert sum(map(len, tools._by_id.values())) == 50

    desk.now_s += 25 * 3600
    for number in range(60):
        desk.call([user("late"), DONE, user(str(number)), gave("x")], DONE)

    assert len(tools) == 0
    assert tools._by_id == {}


def test_many_events_are_cut_and_the_counts_are_whole() -> None:
    offer = [tool(f"tool_{number}") for number in range(100)]
    answer = said(None, *(calling(f"tool_{number}", PARIS, f"c{number}") for number in range(80)))

    record = Desk().call([HI], answer, tools=offer)

    assert (record.tools_offered, record.tool_calls) == (100, 80)
    assert (len(events(record, "offered", "tool")), len(events(record, "called", "tool"))) == (64, 64)
