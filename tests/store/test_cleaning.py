"""Values that would sink a commit, before they reach it."""

from __future__ import annotations

import math
import sqlite3
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.core.call import CallRecord
from proxy.core.tool_event import TOOL_EVENT_KINDS, ToolEvent
from proxy.store.cleaning import MARK, TEXT_CHARACTERS, clean, clean_text
from proxy.store.rows import call_row


def test_a_clean_record_is_the_same_object(make_call):
    for record in (
        make_call(),
        make_call(user_agent="ü, 日本", headers_s=0.5, stream=True, observer_errors=("pricing",)),
    ):
        assert record is clean(record)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("user_agent", "a\ud800b", "a\ufffdb"),
        ("user_agent", "\ud83d\ude00", "😀"),
        ("request_id", "a\0b", "ab"),
        ("error_message", "x" * 10_000_000, "x" * TEXT_CHARACTERS),
        ("model", b"bytes", "b'bytes'"),
        ("prompt_tokens", 2**63, None),
        ("prompt_tokens", -(2**63) - 1, None),
        ("completion_tokens", 1.5, None),
        ("status", True, None),
        ("headers_s", math.nan, None),
        ("duration_s", math.inf, None),
        ("load_s", 2**70, None),
        ("queue_s", "1", None),
        ("stream", "yes", None),
    ],
)
def test_a_bad_value_is_cleaned_and_the_record_marked(make_call, field: str, value: Any, expected: Any):
    cleaned = clean(make_call(**{field: value}))

    assert expected == getattr(cleaned, field)
    assert cleaned.observer_errors == (MARK,)


def test_the_mark_comes_behind_what_failed_before(make_call):
    cleaned = clean(make_call(model="\0", observer_errors=("pricing", "bad\ud800")))

    assert cleaned.observer_errors == ("pricing", "bad\ufffd", MARK)


def test_numbers_at_the_edge_stay(make_call):
    record = make_call(prompt_tokens=2**63 - 1, completion_tokens=-(2**63), headers_s=1e308, queue_s=1e308)

    assert record is clean(record)


def of_anything(hint: Any) -> st.SearchStrategy[Any]:
    """Values of the type, and every so often of none that belongs there."""
    kinds = get_args(hint) if get_origin(hint) is UnionType else (hint,)
    fitting = {
        str: st.text(st.characters(exclude_categories=()), max_size=40),
        int: st.integers(-(2**70), 2**70),
        float: st.floats(),
        bool: st.booleans(),
        type(None): st.none(),
    }
    poison = st.sampled_from([None, "\ud800\0", 2**63, math.nan, b"\xff", "y" * 5000, 3, -0.0, True, []])
    known = [fitting[kind] for kind in kinds if kind in fitting] or [st.just("ok")]
    return st.one_of(*known, poison) if Literal not in map(get_origin, kinds) else st.one_of(st.text(), poison)


EVENTS = st.lists(
    st.builds(
        ToolEvent,
        kind=st.sampled_from(TOOL_EVENT_KINDS),
        position=st.integers(0, 64),
        tool=st.none() | st.text(st.characters(exclude_categories=()), max_size=40),
        tool_call_id=st.none() | st.sampled_from(["\ud800\0", "y" * 5000]),
    ),
    max_size=3,
).map(tuple)
LISTS = ("observer_errors", "tool_events", "signals")
HINTS = {name: hint for name, hint in get_type_hints(CallRecord).items() if name not in LISTS}
FIELDS = {"tool_events": EVENTS, **{name: of_anything(hint) for name, hint in HINTS.items()}}


@settings(max_examples=200, deadline=None)
@given(st.fixed_dictionaries({}, optional=FIELDS))
def test_whatever_is_in_a_record_a_driver_takes_it(fields: dict[str, Any]):
    required = dict.fromkeys(("request_id", "route", "dialect", "method", "outcome"), "x")
    record = CallRecord(**{"call_id": "a", "started_unix_ns": 1, **required, **fields})

    cleaned = clean(record)

    row = call_row(cleaned)
    connection = sqlite3.connect(":memory:")
    connection.execute(f"SELECT {','.join('?' * len(row))}", row)
    connection.close()
    assert all("\0" not in value for value in row if isinstance(value, str))
    assert cleaned == clean(cleaned) or cleaned.observer_errors[-2:] == (MARK, MARK)
    assert msgspec.json.encode(cleaned)


@given(st.text(st.characters(exclude_categories=()), max_size=50))
def test_clean_text_is_utf8_without_nul(text: str):
    cleaned = clean_text(text)

    assert "\0" not in cleaned
    assert cleaned == cleaned.encode().decode() == clean_text(cleaned)
