"""Faults of one part stay in it, foreign requests raise nothing, and a request without a body still has its caller."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.core.exchange import Exchange, Finished
from proxy.store.cleaning import clean
from tests.observe.desk import Desk, calling, gave, said, tool, user

HEAD = b"User-Agent: OpenAI/Python 2.54.0\r\nx-sightglass-session: s\r\n"
ASKED = said(None, calling("weather", {"city": "Paris"}))
PATHS = ("/v1/chat/completions", "/v1/messages", "/v1/responses", "/api/chat")


def exchange(body: bytes, *, target: str = PATHS[0], answer: bytes = b"{}", **finished: Any) -> Exchange:
    """A call whose bytes are what a test says."""
    known: dict[str, Any] = {"upstream_status": 200, "status": 200, "duration_s": 0.5, **finished}
    return Exchange(
        finished=Finished(
            call_id="a", request_id="r", started_unix_ns=10**18, method="POST", target=target, client="::1", **known
        ),
        request_head=HEAD,
        request_body=body,
        answer_head=b"Content-Type: application/json\r\n",
        answer_body=answer,
    )


@pytest.mark.parametrize("part", ["callers", "conversation", "tools"])
def test_a_fault_is_named_and_kept_out_of_the_others(part: str) -> None:
    desk = Desk(fail=part)

    first = desk.call([user("hi")], ASKED, head=HEAD, tools=[tool()])
    second = desk.call([user("hi"), ASKED, gave("rain")], said("Rain."), head=HEAD, tools=[tool()])

    assert first.observer_errors == second.observer_errors == (part,)
    assert desk.guards.errors == {**dict.fromkeys(desk.guards.errors, 0), part: 2}
    assert (second.client_sdk is not None) == (part != "callers")
    assert (second.conversation_turn == 2) == (part != "conversation")
    assert (second.tool_results == 1) == (part != "tools")
    assert second.prompt_tokens is None
    assert second.outcome == "ok"


def test_a_request_that_was_not_kept_whole_has_a_caller_and_nothing_else() -> None:
    record = Desk().take(exchange(b'{"messages":[', request_cut=True))

    assert (record.client_sdk, record.claimed_session) == ("openai-python", "s")
    assert (record.conversation_id, record.tools_offered, record.tool_results) == (None, None, None)


def test_other_paths_have_a_caller() -> None:
    record = Desk().take(exchange(b"", target="/api/tags"))

    assert (record.client_sdk, record.conversation_id) == ("openai-python", None)


def test_a_request_without_messages_stands_in_no_conversation() -> None:
    for body in (b"{}", b'{"messages":[]}', b'{"messages":7}', b'{"messages":[{"role":"system","content":"x"}]}'):
        record = Desk().take(exchange(body))
        assert (record.conversation_id, record.tools_offered) == (None, 0)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=()), max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "role",
                    "content",
                    "type",
                    "text",
                    "tool_calls",
                    "function",
                    "name",
                    "arguments",
                    "id",
                    "input",
                    "images",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
ROLES = st.sampled_from(["user", "assistant", "tool", "system", "function", ["x"], None])
TYPES = st.sampled_from(["text", "tool_use", "tool_result", "function_call", "function_call_output", "message", {}])
MESSAGE = st.fixed_dictionaries(
    {"role": ROLES, "type": TYPES},
    optional=dict.fromkeys(("content", "tool_calls", "function_call", "input", "output", "name", "call_id"), ANYTHING),
)
FIELDS = ("tools", "functions", "system", "instructions", "previous_response_id", "user", "metadata")


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(PATHS),
    st.lists(MESSAGE | ANYTHING, max_size=5) | ANYTHING,
    st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, ANYTHING)),
    st.fixed_dictionaries({}, optional={"message": ANYTHING, "content": ANYTHING, "output": ANYTHING, "id": ANYTHING}),
)
def test_foreign_requests_and_answers_raise_nothing(path: str, messages: Any, body: Any, answer: Any) -> None:
    desk = Desk()
    said_ = _json({**body, "messages": messages, "input": messages})

    record = desk.take(exchange(said_, target=path, answer=_json(answer)))

    assert record.observer_errors == ()
    assert clean(record).call_id == "a"


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(PATHS), st.binary(max_size=200), st.data())
def test_mutated_bytes_raise_nothing(path: str, noise: bytes, data: Any) -> None:
    body = bytearray(_json({"messages": [user("hi"), ASKED, gave("rain")], "tools": [tool()]}))
    at = data.draw(st.integers(0, len(body)))
    body[at : at + len(noise)] = noise

    assert Desk().take(exchange(bytes(body), target=path)).observer_errors == ()


def _json(value: Any) -> bytes:
    """As JSON, also what no good encoder would write."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value).encode()
