"""Log lines at a real receiver, with their fields, severity and trace."""

from __future__ import annotations

import os

import pytest

from proxy.core.config import Otel
from proxy.core.otel import telemetry_of
from proxy.observe.log.line import Line
from proxy.observe.otlp.log_exporter import connect
from tests.collector import grpc_collector, http_collector, values

CALL = Line(
    20,
    "2026-11-25T09:15:02.123456Z",
    "call",
    b'{"timestamp":"2026-11-25T09:15:02.123456Z","level":"info","logger":"sightglass.calls","event":"call",'
    b'"model":"m","status":200,"cost_usd":0.5,"stream":false,"observer_errors":["log"],"claimed_metadata":{"a":"b"},'
    b'"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7"}',
)
TROUBLE = Line(40, "2026-11-25T09:15:02.001Z", "part_failed", b'{"level":"error","event":"part_failed","n":null}')


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_lines_arrive_as_records(protocol) -> None:
    with (grpc_collector if protocol == "grpc" else http_collector)() as collector:
        destination = telemetry_of(Otel(endpoint=collector.endpoint, protocol=protocol, logs=True), os.environ).logs
        assert destination is not None
        assert connect(destination)([CALL, TROUBLE]) == ""

    (resource,) = collector.requests[0].resource_logs
    call, trouble = resource.scope_logs[0].log_records
    assert values(resource.resource.attributes)["service.name"] == "sightglass"
    assert resource.scope_logs[0].scope.name == "sightglass"
    assert (call.time_unix_nano, call.severity_number, call.severity_text) == (1795598102123456000, 9, "info")
    assert (call.body.string_value, trouble.body.string_value) == ("call", "part_failed")
    assert (call.trace_id.hex(), call.span_id.hex()) == ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
    assert values(call.attributes) == {
        "logger": "sightglass.calls", "model": "m", "status": 200, "cost_usd": 0.5, "stream": False,
        "observer_errors": ["log"], "claimed_metadata": {"a": "b"},
    }  # fmt: skip
    assert (trouble.severity_number, trouble.trace_id) == (17, b"")


def test_a_refusal_is_told() -> None:
    with http_collector() as collector:
        collector.mode = "refuse"
        destination = telemetry_of(Otel(endpoint=collector.endpoint, logs=True), os.environ).logs
        assert destination is not None
        assert connect(destination)([CALL]) == "status 400"
