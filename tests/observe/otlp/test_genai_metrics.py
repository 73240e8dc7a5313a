"""The GenAI histograms: of which calls, with which attributes, at a real receiver."""

from __future__ import annotations

import os
import time
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from proxy.core.config import Otel
from proxy.core.otel import telemetry_of
from proxy.observe.otlp import genai_metrics as module
from proxy.observe.otlp.genai_metrics import SECONDS, GenAiMetrics, periodic_reader
from tests.collector import grpc_collector, http_collector, values
from tests.observe.spans.test_sink import CHAT, SSE_HEAD, STREAM, UPSTREAM, observed

PLAIN = {
    "gen_ai.operation.name": "chat", "gen_ai.provider.name": "ollama", "gen_ai.request.model": "llama3.2",
    "server.address": "ollama.lan", "server.port": 11434,
}  # fmt: skip


def points(*calls: Any) -> dict[str, list[Any]]:
    reader = InMemoryMetricReader()
    metrics = GenAiMetrics(reader, (UPSTREAM,), lambda _: None)
    metrics.deliver([metrics.prepare(call) for call in calls])
    data = reader.get_metrics_data()
    metrics.finish(patience_s=5)
    metrics.wait()
    if data is None:
        return {}
    (resource,) = data.resource_metrics
    return {metric.name: list(metric.data.data_points) for metric in resource.scope_metrics[0].metrics}


def test_a_stream_changes_all_three():
    found = points(observed(CHAT | {"stream": True}, STREAM, answer_head=SSE_HEAD))

    (duration,) = found["gen_ai.client.operation.duration"]
    (first,) = found["gen_ai.client.operation.time_to_first_chunk"]
    tokens = {point.attributes["gen_ai.token.type"]: point.sum for point in found["gen_ai.client.token.usage"]}
    assert (duration.attributes, first.attributes) == (PLAIN, PLAIN)
    assert (duration.sum, first.sum) == (pytest.approx(0.499), pytest.approx(0.1))
    assert tuple(duration.explicit_bounds) == SECONDS
    assert tokens == {"input": 7, "output": 2}


def test_an_error_has_its_type_and_no_tokens():
    found = points(observed(CHAT, b"{}", status=500, upstream_status=500, upstream_kind="ollama"))

    (duration,) = found["gen_ai.client.operation.duration"]
    assert duration.attributes == PLAIN | {"error.type": "server_error"}
    assert "gen_ai.client.token.usage" not in found


def test_what_is_no_inference_or_was_refused_changes_nothing():
    assert points(observed({}, b"{}", target="/v1/models", method="GET")) == {}
    assert points(observed(CHAT, b"", status=501, upstream_status=None, ending="refused", attempt_s=None)) == {}


def test_models_are_capped(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MODELS", 2)
    calls = [observed(CHAT | {"model": f"m{number}"}) for number in range(5)]
    wrong = observed(CHAT | {"model": "wrong"}, b"{}", status=404, upstream_status=404)
    found = points(wrong, *calls)["gen_ai.client.operation.duration"]

    assert {point.attributes["gen_ai.request.model"] for point in found} == {"m0", "m1", "other"}


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_the_last_figures_are_sent_at_the_end(protocol):
    with (grpc_collector if protocol == "grpc" else http_collector)() as collector:
        settings = Otel(endpoint=collector.endpoint, protocol=protocol, metrics=True)
        destination = telemetry_of(settings, os.environ).metrics
        assert destination is not None
        metrics = GenAiMetrics(periodic_reader(destination), (UPSTREAM,), lambda _: None)
        metrics.deliver([metrics.prepare(observed(CHAT))])
        metrics.finish(patience_s=10)
        metrics.wait()

    (resource,) = collector.requests[-1].resource_metrics
    assert values(resource.resource.attributes)["service.name"] == "sightglass"
    told = {metric.name: metric for metric in resource.scope_metrics[0].metrics}
    (point,) = told["gen_ai.client.operation.duration"].histogram.data_points
    assert (point.count, told["gen_ai.client.operation.duration"].unit) == (1, "s")
    assert values(point.attributes) == PLAIN


def test_a_mute_collector_holds_the_end_up_no_longer_than_said():
    with http_collector() as collector:
        collector.mode = "mute"
        destination = telemetry_of(Otel(endpoint=collector.endpoint, metrics=True), os.environ).metrics
        assert destination is not None
        metrics = GenAiMetrics(periodic_reader(destination), (UPSTREAM,), lambda _: None)
        metrics.deliver([metrics.prepare(observed(CHAT))])
        before = time.monotonic()
        metrics.finish(patience_s=0.3)
        metrics.wait()
        assert time.monotonic() - before < 25


def test_the_time_of_the_end_is_counted_from_its_begin(monkeypatch):
    """Whoever waits for another way first, does not wait for this one as long again."""
    clock = [0.0]
    with http_collector() as collector:
        collector.mode = "mute"
        destination = telemetry_of(Otel(endpoint=collector.endpoint, metrics=True), os.environ).metrics
        assert destination is not None
        metrics = GenAiMetrics(periodic_reader(destination), (UPSTREAM,), lambda _: None)
        metrics.deliver([metrics.prepare(observed(CHAT))])
        with monkeypatch.context() as patch:
            patch.setattr("proxy.observe.otlp.genai_metrics.time", SimpleNamespace(monotonic=lambda: clock[0]))
            metrics.finish(patience_s=8)
            clock[0] = 8.0  # spans took them
            before = time.monotonic()
            metrics.wait()
        assert time.monotonic() - before < 25
