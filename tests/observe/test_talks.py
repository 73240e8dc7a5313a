"""Conversations and tools from the bytes of a model server to the ledger, over restarts of the observer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from proxy.core.call import CallRecord
from proxy.journal.reader import JournalReader
from proxy.standin.server import StandIn
from proxy.store import Ledger, open_ledger
from tests.observe.journals import FakeRelay
from tests.observe.pipelines import Kit
from tests.observe.talks import Messages, Native, Responses, Talk

DIALECTS = [
    pytest.param(Talk, False, id="chat"),
    pytest.param(Talk, True, id="chat-stream"),
    pytest.param(Messages, False, id="messages"),
    pytest.param(Messages, True, id="messages-stream"),
    pytest.param(Native, False, id="native"),
    pytest.param(Native, True, id="native-stream"),
    pytest.param(Responses, False, id="responses"),
    pytest.param(Responses, True, id="responses-stream"),
]


@pytest.fixture
async def model() -> AsyncIterator[StandIn]:
    async with StandIn() as running:
        yield running


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[FakeRelay]:
    made = FakeRelay(tmp_path)
    yield made
    made.die()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(tmp_path) as opened:
        yield opened


def records(ledger: Ledger, *call_ids: str) -> list[CallRecord]:
    found = {call.record.call_id: call.record for call in ledger.last_calls(1000)}
    return [found[call_id] for call_id in call_ids]


def turns(ledger: Ledger, talk: Talk) -> list[tuple[str | None, int | None]]:
    return [(record.conversation_id, record.conversation_turn) for record in records(ledger, *talk.calls)]


@pytest.mark.parametrize(("dialect", "stream"), DIALECTS)
async def test_conversations_beside_each_other(
    tmp_path: Path, model: StandIn, relay: FakeRelay, ledger: Ledger, dialect: type[Talk], stream: bool
) -> None:
    talks = [dialect(model, relay, model=name, stream=stream) for name in ("chat", "think", "stand-in")]
    for text in ("hello", "and now?", "good"):
        for talk in talks:
            await talk.say(text)

    Kit(tmp_path, ledger).run()

    for talk in talks:
        assert turns(ledger, talk) == [(talk.calls[0], number) for number in (1, 2, 3)]


@pytest.mark.parametrize(("dialect", "stream"), DIALECTS)
async def test_two_tools_there_and_back(
    tmp_path: Path, model: StandIn, relay: FakeRelay, ledger: Ledger, dialect: type[Talk], stream: bool
) -> None:
    talk = dialect(model, relay, model="tools2", stream=stream)
    talk.offer()
    await talk.say("hello")
    await talk.bring('{"sky":"blue"}', "Error: no such zone")

    Kit(tmp_path, ledger).run()

    first, second = records(ledger, *talk.calls)
    assert (second.conversation_id, second.conversation_turn) == (first.call_id, 2)
    assert (first.tools_offered, first.tool_calls, first.tool_calls_invalid) == (2, 2, 0)
    assert (second.tool_results, second.tool_result_errors) == (2, 1)
    results = [event for event in second.tool_events if event.kind == "result"]
    assert [(event.tool, event.called_position, event.error) for event in results] == [
        ("get_weather", 0, False),
        ("get_time", 1, True),
    ]
    assert second.tool_round_trip_max_s is not None
    assert 0 <= second.tool_round_trip_max_s < 60


@pytest.mark.parametrize(("dialect", "stream"), DIALECTS)
async def test_the_observer_begins_anew_in_mid_conversation_and_mid_round_trip(
    tmp_path: Path, model: StandIn, relay: FakeRelay, ledger: Ledger, dialect: type[Talk], stream: bool
) -> None:
    talk, other = (dialect(model, relay, model="tools2", stream=stream) for _ in range(2))
    talk.offer()
    await talk.say("hello")
    await other.say("something else")
    Kit(tmp_path, ledger).run()
    await talk.bring("a", "b")

    Kit(tmp_path, ledger).run()
    await talk.say("thanks")
    await other.say("so?")
    Kit(tmp_path, ledger).run()

    assert turns(ledger, talk) == [(talk.calls[0], number) for number in (1, 2, 3)]
    assert turns(ledger, other) == [(other.calls[0], number) for number in (1, 2)]
    second, third = records(ledger, *talk.calls[1:])
    called_in = [event.called_in for event in second.tool_events if event.kind == "result"]
    assert called_in == [talk.calls[0]] * 2
    assert second.tool_round_trip_max_s is not None
    assert third.tool_results == 0


async def test_a_batch_read_again_after_a_fault_doubles_nothing(
    tmp_path: Path, model: StandIn, relay: FakeRelay, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk = Talk(model, relay, model="tools2")
    talk.offer()
    await talk.say("hello")
    await talk.bring("a", "b")
    kit = Kit(tmp_path, ledger)
    with monkeypatch.context() as patched:
        patched.setattr(kit.pipeline, "_settle", lambda _gathered: 1 / 0)  # read, and not committed
        with pytest.raises(ZeroDivisionError):
            kit.pipeline.turn()

    kit.pipeline._torn = True  # as a fault in mid-pass leaves it
    kit.run()

    assert turns(ledger, talk) == [(talk.calls[0], 1), (talk.calls[0], 2)]
    assert [record.tool_results for record in records(ledger, *talk.calls)] == [0, 2]
    assert [record.tool_results for record in kit.metrics.got] == [0, 2]


async def test_frames_that_the_ledger_has_already_change_nothing(
    tmp_path: Path, model: StandIn, relay: FakeRelay, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk = Talk(model, relay, model="tools2")
    talk.offer()
    await talk.say("hello")
    await talk.bring("a", "b")
    with monkeypatch.context() as patched:
        patched.setattr(JournalReader, "release", lambda _self, _reading: None)  # the segments stay
        Kit(tmp_path, ledger).run()
    before = records(ledger, *talk.calls)
    ledger.forget_writer(relay.name)  # positions lost: all is read again

    again = Kit(tmp_path, ledger)
    again.run()
    await talk.say("thanks")
    again.run()

    assert records(ledger, *talk.calls[:2]) == before
    assert again.state.repeated == 2
    assert [record.conversation_turn for record in again.metrics.got] == [3]
    with ledger._engine.connect() as connection:
        kinds = connection.exec_driver_sql("SELECT kind, count(*) FROM tool_events GROUP BY kind").all()
    assert sorted(map(tuple, kinds)) == [("called", 6), ("offered", 2), ("result", 2)]


async def test_two_relays_read_at_once(tmp_path: Path, model: StandIn, relay: FakeRelay, ledger: Ledger) -> None:
    """The second relay's journal is read behind the first's, whatever came first."""
    younger = FakeRelay(tmp_path, worker=1)
    talk = Talk(model, younger, model="tools2")
    talk.offer()
    await talk.say("hello")
    talk._relay = relay
    await talk.bring("a", "b")

    Kit(tmp_path, ledger).run()
    younger.die()

    assert turns(ledger, talk) == [(talk.calls[0], 1), (talk.calls[0], 2)]
    assert records(ledger, talk.calls[1])[0].tool_results == 2
    assert not ledger.open_calls()


async def test_responses_that_name_the_one_before(
    tmp_path: Path, model: StandIn, relay: FakeRelay, ledger: Ledger
) -> None:
    talk = Responses(model, relay, model="chat")
    await talk.say("hello")
    Kit(tmp_path, ledger).run()
    follower = FakeRelay(tmp_path, worker=1)
    request = b'{"model":"chat","previous_response_id":"%b","input":"and?"}'
    answer = b'{"id":"resp_2","object":"response","status":"completed","output":[]}'
    first = ledger.last_calls(1)[0].record
    follower.start("second")
    response_id = talk.response_ids[0].encode()
    follower.finish("second", request=request % response_id, answer=answer, target="/v1/responses")
    follower.start("third")
    follower.finish("third", request=request % b"resp_unknown", answer=answer, target="/v1/responses")
    follower.die()

    Kit(tmp_path, ledger).run()

    second, third = records(ledger, "second", "third")
    assert (second.conversation_id, second.conversation_turn) == (first.call_id, 2)
    assert (third.conversation_id, third.conversation_turn) == ("third", 1)
