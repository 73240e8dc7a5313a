"""One trace from the client through Sightglass to the upstream, at a real receiver; and bad receivers."""

from __future__ import annotations

import json
import re
import time
import urllib.request
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from bench.processes import free_port
from bench.product import Product
from tests.collector import Collector, grpc_collector, http_collector, values

pytestmark = pytest.mark.slow

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
QUICK = {"OTEL_BSP_SCHEDULE_DELAY": "50"}


def serving(folder: Path, **env: str) -> AbstractContextManager[Product]:
    return Product(folder, env=QUICK | env).running()


def ask(product: Product, path: str = "/v1/chat/completions", head: dict[str, str] | None = None, **body: Any) -> int:
    content = json.dumps({"model": "chat", "messages": [{"role": "user", "content": "canary"}], **body}).encode()
    request = urllib.request.Request(product.url + path, content, {"Content-Type": "application/json", **(head or {})})
    with urllib.request.urlopen(request, timeout=20) as answer:
        answer.read()
        return int(answer.status)


def metric(product: Product, name: str) -> float:
    with urllib.request.urlopen(f"{product.console_url}/metrics", timeout=5) as answer:
        found = re.findall(rf"^{re.escape(name)} (\S+)$", answer.read().decode(), re.MULTILINE)
    return float(found[0])


@pytest.mark.parametrize("over", ["http", "gzip", "grpc"])
def test_a_trace_from_end_to_end(tmp_path: Path, over: str) -> None:
    with (grpc_collector if over == "grpc" else http_collector)() as collector:
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, "OTEL_SERVICE_NAME": "gateway"}
        env |= {
            "gzip": {"OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"},
            "grpc": {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
        }.get(over, {})
        with serving(tmp_path, **env) as product:
            head = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
            assert ask(product, head=head, stream=True) == 200
            assert ask(product, "/v1/embeddings", input="x") == 200
            spans = collector.wait_spans(4)
            _wait(lambda: metric(product, "sightglass_spans_sent_total") == 4)
            rows = product.wait_rows(2)

    server, client = (span for span in spans if span.trace_id.hex() == TRACE)
    assert (server.parent_span_id.hex(), client.parent_span_id) == (PARENT, server.span_id)
    assert (rows[0]["trace_id"], rows[0]["span_id"]) == (TRACE, server.span_id.hex())
    assert {
        values(request.resource_spans[0].resource.attributes)["service.name"] for request in collector.requests
    } == {"gateway"}
    said = [values(span.attributes) for span in spans]
    assert {one.get("gen_ai.operation.name") for one in said} == {None, "chat", "embeddings"}
    assert [one["gen_ai.usage.input_tokens"] > 0 for one in said if "gen_ai.usage.input_tokens" in one] == [True] * 2
    assert b"canary" not in b"".join(request.SerializeToString() for request in collector.requests)
    assert server.start_time_unix_nano <= client.start_time_unix_nano <= client.end_time_unix_nano
    assert client.end_time_unix_nano <= server.end_time_unix_nano


@pytest.mark.parametrize("trouble", ["down", "slow", "mute", "refuse"])
def test_calls_do_not_care_for_the_collector(tmp_path: Path, trouble: str) -> None:
    with http_collector() as collector:
        _set(collector, trouble)
        endpoint = f"http://127.0.0.1:{free_port()}" if trouble == "down" else collector.endpoint
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
               "OTEL_BSP_MAX_QUEUE_SIZE": "20", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "10"}  # fmt: skip
        with serving(tmp_path, **env) as product:
            assert {ask(product) for _ in range(60)} == {200}
            assert len(product.wait_rows(60)) == 60
            if trouble != "slow":
                _wait_drops(product)
            assert product.supervisor is not None
            product.supervisor.terminate()
            assert product.supervisor.wait(60) == 0
        log = (tmp_path / "sightglass.log").read_text()

    assert trouble == "slow" or "sending_fails" in log
    assert "Traceback" not in log


def _set(collector: Collector, trouble: str) -> None:
    if trouble in ("slow", "mute", "refuse"):
        collector.mode = trouble  # type: ignore[assignment]


def _wait_drops(product: Product) -> None:
    _wait(lambda: metric(product, 'sightglass_spans_dropped_total{reason="export_failed"}') >= 10)


def _wait(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)
