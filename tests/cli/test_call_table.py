"""The table: aligned, cut to the terminal, safe to print."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import msgspec
import pytest

from proxy.cli.call_table import CallTable
from proxy.core.call import CallRecord


def call(**fields: Any) -> CallRecord:
    usual: dict[str, Any] = {
        "call_id": "a",
        "request_id": "r",
        "started_unix_ns": 1_763_711_111_123_456_789,
        "route": "/v1/chat/completions",
        "dialect": "openai_chat",
        "method": "POST",
        "outcome": "ok",
    }
    return CallRecord(**{**usual, **fields})


FULL = call(
    status=200, model="llama3.2:1b", prompt_tokens=31, completion_tokens=128, tokens_source="reported",
    cost_nanousd=3_375_000, first_token_s=0.0426, duration_s=1.234, client="127.0.0.1",
)  # fmt: skip


def lines(*records: CallRecord, width: int | None = None) -> list[str]:
    return list(CallTable(width=width, timezone=UTC).lines(records))


def test_a_call_as_people_read_it():
    title, full, bare = lines(msgspec.structs.replace(FULL, route="/api/chat"), call(outcome="interrupted", route="x"))

    assert (
        title == "STARTED         OUTCOME      STATUS  ROUTE      MODEL        IN  OUT       COST  FIRST   TOOK  CLIENT"
    )
    assert (
        full
        == "11-21 07:45:11  ok              200  /api/chat  llama3.2:1b  31  128  $0.003375   43ms  1.23s  127.0.0.1"
    )
    assert bare == "11-21 07:45:11  interrupted       -  x          -             -    -          -      -      -  -"


@pytest.mark.parametrize("source", ["counted", "estimated"])
def test_tokens_that_nobody_reported_are_marked(source: str):
    assert " ~7 " in lines(call(completion_tokens=7, tokens_source=source))[1]


@pytest.mark.parametrize(("source", "mark"), [("reported", ""), ("missing", ""), ("counted", ">"), ("estimated", "~")])
def test_a_cost_that_is_not_the_whole_is_marked(source, mark):
    assert f" {mark}$0.500000 " in lines(call(cost_nanousd=500_000_000, tokens_source=source))[1]


@pytest.mark.parametrize(
    ("nanousd", "expected"),
    [(0, "$0.00"), (1, "$1e-09"), (99_000, "$9.9e-05"), (123_456_789, "$0.123457"), (123_456_789_012, "$123.46")],
)
def test_money_keeps_what_matters(nanousd: int, expected: str):
    assert f" {expected} " in lines(call(cost_nanousd=nanousd))[1]


def test_a_usual_line_fits_120_columns():
    assert max(map(len, lines(FULL))) <= 120


@pytest.mark.parametrize("width", [200, 120, 100, 80, 20, 1])
def test_lines_fit_the_terminal(width: int):
    long = call(route="/v1/" + "r" * 60, model="m" * 60, client="2001:db8:0:0:0:0:0:1", outcome="upstream_error")

    assert max(len(line) for line in lines(FULL, long, width=width)) <= width


def test_what_follows_stays_aligned_under_one_title():
    table = CallTable(width=None, timezone=UTC)

    first = list(table.lines([call(model="a-long-model-name")]))
    then = list(table.lines([call(model="m", status=200)]))

    assert (len(first), len(then)) == (2, 1)
    assert first[1].index("/v1") == then[0].index("/v1")
    assert list(table.lines([])) == []


def test_nothing_that_moves_the_cursor_is_printed():
    shown = lines(call(model="a\x1b[2Jb\x9b\u202ec", client="x\r\n"))

    assert "a·[2Jb··c" in shown[1]
    assert all(line.isprintable() for line in shown)


def test_a_time_beyond_the_calendar_is_unknown():
    assert lines(call(started_unix_ns=2**80))[1].startswith("-")
