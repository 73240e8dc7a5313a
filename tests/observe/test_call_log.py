"""One line a call: what it says, from which level on, and what it never holds."""

from __future__ import annotations

import msgspec
import orjson
import pytest

from proxy.core.config import Log, LogLevels
from proxy.observe.call_log import CallLog
from proxy.observe.log.line import Line
from proxy.observe.log.outputs import LogOutputs
from proxy.observe.observed import Observed
from tests.observe.test_metrics import CALL


class Remembering(LogOutputs):
    """Outputs that keep what came."""

    def __init__(self) -> None:
        super().__init__(Log(stdout=False))
        self.lines: list[Line] = []

    def put(self, lines, *, but=None):
        self.lines.extend(lines)


def line_of(settings: Log | None = None, **changes: object) -> Line | None:
    return CallLog(settings or Log(), Remembering()).prepare(Observed(record=msgspec.structs.replace(CALL, **changes)))


def told(**changes: object) -> Line:
    line = line_of(**changes)  # type: ignore[arg-type]
    assert line is not None
    return line


def test_a_line_says_what_the_ledger_says() -> None:
    outputs = Remembering()
    log = CallLog(Log(), outputs)

    log.deliver([log.prepare(Observed(record=CALL)), None])

    (line,) = outputs.lines
    found = orjson.loads(line.text)
    assert list(found)[:4] == ["timestamp", "level", "logger", "event"]
    assert (found["event"], found["level"], found["logger"]) == ("call", "info", "sightglass.calls")
    assert (found["call_id"], found["cost_usd"]) == ("a", 0.00003)
    assert (line.level, line.event, line.timestamp) == (20, "call", found["timestamp"])
    assert "error_type" not in found


def test_a_traced_call_names_its_trace() -> None:
    found = orjson.loads(told(trace_id="a" * 32, span_id="b" * 16).text)

    assert (found["trace_id"], found["span_id"]) == ("a" * 32, "b" * 16)


@pytest.mark.parametrize(
    ("outcome", "level"), [("ok", "info"), ("rejected", "info"), ("client_gone", "info"), ("timeout", "warning")]
)
def test_faults_of_the_service_are_warnings(outcome: str, level: str) -> None:
    assert orjson.loads(told(outcome=outcome).text)["level"] == level


@pytest.mark.parametrize("settings", [Log(level="warning"), Log(levels=LogLevels(calls="warning"))])
def test_the_level_of_the_settings_leaves_the_rest_out(settings: Log) -> None:
    assert line_of(settings) is None
    assert line_of(settings, outcome="timeout") is not None


def test_the_level_of_calls_wins_over_the_general_one() -> None:
    assert line_of(Log(level="error", levels=LogLevels(calls="debug"))) is not None


def test_no_line_holds_content_or_a_control_character() -> None:
    odd = "a\nb\x1b[31m\x7f\x9b2J\u2028\u202e\ufeff\xe9"
    line = told(model=odd, user_agent=odd, error_message="what the prompt said")

    text = line.text.decode()
    assert text.isprintable()
    assert "\xe9" in text
    assert orjson.loads(line.text)["model"] == odd
    assert "what the prompt said" not in text
    assert "target" not in text
