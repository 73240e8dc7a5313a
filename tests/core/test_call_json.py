"""The public form of a call: names, units, and nothing where nothing is known."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import orjson
import pytest

from proxy.core.call import CallRecord
from proxy.core.call_json import INSIDE, NAMES, RENAMED, call_json, call_json_text, rfc3339
from proxy.core.outcomes import COST_SOURCES, OUTCOMES, TOKENS_SOURCES
from proxy.core.tool_event import ToolEvent

DOC = (Path(__file__).parents[2] / "docs" / "calls.md").read_text()
BARE = CallRecord(
    call_id="a", request_id="r", started_unix_ns=0, route="other", dialect="other", method="GET", outcome="ok"
)


def test_every_field_of_a_record_has_a_public_name():
    fields = {RENAMED.get(field, field) for field in CallRecord.__struct_fields__}

    assert set(NAMES) == fields - INSIDE
    assert len(NAMES) == len(fields - INSIDE)


def test_every_public_name_is_documented_in_this_order():
    documented = re.findall(r"^\| `([a-z0-9_]+)` \|", DOC.partition("\n## ")[0], re.MULTILINE)

    assert documented == list(NAMES)


def test_every_closed_word_is_documented():
    words = re.findall(r"^\| `([a-z_]+)` \|", DOC.partition("\n## ")[2], re.MULTILINE)

    assert words == [*OUTCOMES, *TOKENS_SOURCES, *COST_SOURCES]


def test_what_is_unknown_is_absent():
    assert call_json(BARE) == {
        "call_id": "a",
        "request_id": "r",
        "started_at": "1970-01-01T00:00:00.000000Z",
        "route": "other",
        "dialect": "other",
        "outcome": "ok",
        "tokens_source": "missing",
        "cost_source": "unknown",
        "worker": 0,
        "method": "GET",
    }


def test_zero_and_false_are_known():
    shown = call_json(msgspec.structs.replace(BARE, stream=False, tool_calls=0, cost_nanousd=0, observer_errors=("x",)))

    assert (shown["stream"], shown["tool_calls"], shown["cost_usd"]) == (False, 0, 0.0)
    assert orjson.loads(orjson.dumps(shown))["observer_errors"] == ["x"]


@pytest.mark.parametrize(
    ("unix_ns", "expected"),
    [
        (1_763_711_111_123_456_789, "2025-11-21T07:45:11.123456Z"),
        (1_763_711_111_000_000_999, "2025-11-21T07:45:11.000000Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (2**63 - 1, "2262-04-11T23:47:16.854775Z"),
        (2**80, None),
    ],
)
def test_times_have_microseconds_and_are_utc(unix_ns: int, expected: str | None):
    assert rfc3339(unix_ns) == expected


def test_money_is_dollars():
    assert call_json(msgspec.structs.replace(BARE, cost_nanousd=3_375_001))["cost_usd"] == 0.003375001


def test_the_text_says_the_same_in_the_same_order():
    called = ToolEvent(kind="called", position=0, tool="t", valid=False)
    record = msgspec.structs.replace(
        BARE,
        model="m\u00e9\x7f",
        duration_s=0.1,
        claimed_metadata='{"a":1}',
        observer_errors=("x",),
        tool_events=(ToolEvent(kind="offered", position=0, tool="t"), called),
    )

    told = orjson.loads(call_json_text(record))

    assert told == call_json(record)
    assert list(told) == [name for name in NAMES if name in told]
    assert told["tool_events"] == [{"kind": "called", "position": 0, "tool": "t", "valid": False}]


def test_metadata_that_are_no_json_are_not_told():
    assert "claimed_metadata" not in call_json(msgspec.structs.replace(BARE, claimed_metadata='{"a":'))
