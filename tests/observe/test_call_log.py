"""One line a call; a reader that stalls or is gone holds nobody up."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import msgspec
import orjson
import pytest

from proxy.core.config import Log
from proxy.observe.call_log import BATCHES, CallLog
from proxy.observe.observed import Observed
from tests.observe.test_metrics import CALL


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            continue


def test_a_line_says_what_the_ledger_says(pipe: tuple[int, int]) -> None:
    log = CallLog(Log(), fd=pipe[1])

    log.deliver([log.prepare(Observed(record=CALL))])
    log.close()

    line = os.read(pipe[0], 65536)
    found = orjson.loads(line)
    assert line.startswith(b'{"timestamp":"')
    assert line.endswith(b"}\n")
    assert (found["event"], found["level"], found["call_id"], found["cost_usd"]) == ("call", "info", "a", 0.00003)
    assert "error_type" not in found


@pytest.mark.parametrize(
    ("outcome", "level"), [("ok", "info"), ("rejected", "info"), ("client_gone", "info"), ("timeout", "warning")]
)
def test_faults_of_the_service_are_warnings(outcome: str, level: str) -> None:
    log = CallLog(Log(), fd=-1)

    line = log.prepare(Observed(record=msgspec.structs.replace(CALL, outcome=outcome)))

    assert orjson.loads(line)["level"] == level


def test_the_level_of_the_settings_leaves_the_rest_out() -> None:
    log = CallLog(Log(level="warning"), fd=-1)

    assert log.prepare(Observed(record=CALL)) == b""
    assert log.prepare(Observed(record=msgspec.structs.replace(CALL, outcome="timeout"))) != b""


def test_no_line_holds_a_query_or_a_control_byte() -> None:
    log = CallLog(Log(), fd=-1)

    line = log.prepare(Observed(record=msgspec.structs.replace(CALL, model="a\nb\x1b[31m", user_agent="x\u2028y")))

    assert b"\n" not in line[:-1]
    assert b"\x1b" not in line
    assert b"target" not in line


def test_a_closed_standard_output_turns_the_log_off(pipe: tuple[int, int]) -> None:
    log = CallLog(Log(), fd=pipe[1])
    os.close(pipe[0])

    log.deliver([log.prepare(Observed(record=CALL))])
    log.close()
    log.deliver([log.prepare(Observed(record=CALL))] * 2)

    assert log.off
    assert log.lost == 3


def test_a_reader_that_stalls_costs_lines_and_no_time(pipe: tuple[int, int]) -> None:
    log = CallLog(Log(), fd=pipe[1])
    line = log.prepare(Observed(record=CALL))
    began = time.monotonic()

    for _ in range(2 * BATCHES):
        log.deliver([line] * 200)
    took_s = time.monotonic() - began

    assert took_s < 1.0
    assert log.lost >= 200 * (BATCHES - 2)
    assert not log.off
    os.close(pipe[0])
