"""Encoded spans arrive at a real receiver as protobuf, over http and grpc, with the resource of the environment."""

from __future__ import annotations

import pytest

from proxy.core.config import Otel
from proxy.core.otel import telemetry_of
from proxy.observe.otlp.resource import our_resource
from proxy.observe.otlp.span_exporter import connect
from proxy.observe.shipper import Send
from proxy.observe.spans.encoding import CLIENT, SERVER, SpanWriter
from tests.collector import Collector, grpc_collector, http_collector, values


def call(number: int) -> bytes:
    writer = SpanWriter("a" * 32, 1, "")
    for kind, span_id in ((SERVER, f"{number:016x}"), (CLIENT, f"{number + 1000:016x}")):
        writer.add(
            kind, "x", span_id=span_id, parent_id=None, remote=False, start_ns=1, end_ns=2,
            attributes={"n": number, "none": None}, failed=False,
        )  # fmt: skip
    return writer.encoded()


def way(collector: Collector, **settings: str) -> Send[bytes]:
    import os

    destination = telemetry_of(Otel(endpoint=collector.endpoint, **settings), os.environ).traces
    assert destination is not None
    return connect(destination)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "5")


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_over_http(compression, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", compression)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=abc,x-team=a%20b")
    with http_collector() as collector:
        assert way(collector)([call(number) for number in range(1, 4)]) == ""

    assert [int(span.span_id.hex(), 16) for span in collector.spans] == [1, 1001, 2, 1002, 3, 1003]
    assert [values(span.attributes) for span in collector.spans[::2]] == [{"n": 1}, {"n": 2}, {"n": 3}]
    (head,) = collector.heads
    assert (head["x-key"], head["x-team"], head["content-type"]) == ("abc", "a b", "application/x-protobuf")
    assert head.get("content-encoding") == (None if compression == "none" else "gzip")


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_over_grpc(compression, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", compression)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "x-key=abc")
    with grpc_collector() as collector:
        assert way(collector, protocol="grpc")([call(1), call(2)]) == ""

    assert len(collector.spans) == 4
    assert collector.heads[0]["x-key"] == "abc"


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_a_refusal_is_told(protocol):
    with (grpc_collector if protocol == "grpc" else http_collector)() as collector:
        collector.mode = "refuse"
        assert way(collector, protocol=protocol)([call(1)]) in ("status 400", "not taken over gRPC")


def test_an_endpoint_of_the_environment(monkeypatch: pytest.MonkeyPatch):
    import os

    with http_collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
        destination = telemetry_of(Otel(), os.environ).traces
        assert destination is not None
        assert connect(destination)([call(1)]) == ""

    assert len(collector.spans) == 2


def test_who_we_are(monkeypatch: pytest.MonkeyPatch):
    ours = our_resource().attributes
    assert (ours["service.name"], ours["telemetry.sdk.language"]) == ("sightglass", "python")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=lab,service.name=no,service.version=9")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "gateway")
    said = our_resource().attributes

    assert (said["service.name"], said["service.version"]) == ("gateway", "9")
    assert said["deployment.environment.name"] == "lab"
