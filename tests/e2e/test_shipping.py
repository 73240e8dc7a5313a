"""One Sightglass with every way out on: file, syslog, OTLP logs and metrics, by its environment."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import orjson
import pytest

from tests.collector import http_collector, values
from tests.e2e.test_tracing import ask, metric, serving

pytestmark = pytest.mark.slow


def test_every_way_out_at_once(tmp_path: Path) -> None:
    with http_collector() as collector, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as syslog:
        syslog.bind(("127.0.0.1", 0))
        syslog.settimeout(20)
        env = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
            "SIGHTGLASS_OTEL__LOGS": "true",
            "SIGHTGLASS_OTEL__METRICS": "true",
            "SIGHTGLASS_LOG__FILE__DIRECTORY": str(tmp_path / "log"),
            "SIGHTGLASS_LOG__SYSLOG__ADDRESS": f"udp://127.0.0.1:{syslog.getsockname()[1]}",
            "OTEL_BLRP_SCHEDULE_DELAY": "50",
        }
        with serving(tmp_path, **env) as product:
            assert ask(product) == 200
            datagram = syslog.recv(70_000)
            while b" call - " not in datagram:
                datagram = syslog.recv(70_000)
            collector.wait_spans(2)
            assert metric(product, 'sightglass_log_lines_lost_total{output="syslog"}') == 0
        requests = list(collector.requests)

    lines = (tmp_path / "log" / "sightglass-info.log").read_bytes().splitlines()
    (line,) = [line for line in lines if b'"event":"call"' in line]
    call = orjson.loads(line)
    assert datagram.endswith(b" call - " + line)
    records = [
        record
        for request in requests
        for resource in getattr(request, "resource_logs", ())
        for record in resource.scope_logs[0].log_records
    ]
    (record,) = [record for record in records if record.body.string_value == "call"]
    assert (record.trace_id.hex(), record.span_id.hex()) == (call["trace_id"], call["span_id"])
    assert values(record.attributes)["call_id"] == call["call_id"]
    names = {
        told.name
        for request in requests
        for resource in getattr(request, "resource_metrics", ())
        for told in resource.scope_metrics[0].metrics
    }
    assert {"gen_ai.client.operation.duration", "gen_ai.client.token.usage"} <= names
    assert b"canary" not in line + datagram + b"".join(request.SerializeToString() for request in requests)


def test_the_death_of_a_relay_and_of_the_observer_is_in_the_files(tmp_path: Path) -> None:
    """The supervisor's lines, also the one of a time without an observer."""
    with serving(tmp_path, SIGHTGLASS_LOG__FILE__DIRECTORY=str(tmp_path / "log")) as product:
        for target in ("relay", "observer"):
            product.kill(target)
            deadline = time.monotonic() + 20
            while not any(target in name for name in _died(tmp_path)) and time.monotonic() < deadline:
                time.sleep(0.1)
        died = _died(tmp_path)
        printed = (tmp_path / "sightglass.log").read_text()

    assert died == ["relay 0", "observer"]
    assert printed.count('"process_died"') == 2


def _died(folder: Path) -> list[str]:
    """Processes whose death is in the file of warnings."""
    written = folder / "log" / "sightglass-warning.log"
    lines = written.read_bytes().splitlines() if written.exists() else []
    said = [orjson.loads(line) for line in lines]
    return [str(line["process"]) for line in said if line["event"] == "process_died"]
