"""What is on, by settings and OTEL_* variables."""

from __future__ import annotations

import pytest

from proxy.core.config import Otel
from proxy.core.otel import Destination, Telemetry, telemetry_of

BASE = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}
HTTP = Destination(endpoint=None, protocol="http/protobuf")


def test_all_is_off_without_an_endpoint():
    assert telemetry_of(Otel(), {}) == Telemetry()
    assert not telemetry_of(Otel(traces=True, metrics=True, logs=True), {"OTEL_EXPORTER_OTLP_ENDPOINT": " "}).any


def test_an_endpoint_switches_traces_on():
    found = telemetry_of(Otel(), BASE)

    assert (found.traces, found.metrics, found.logs) == (HTTP, None, None)
    assert telemetry_of(Otel(), {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://x/y"}).traces == HTTP


def test_a_setting_wins_and_gets_the_path_of_its_signal():
    found = telemetry_of(Otel(endpoint="http://ours:1/", metrics=True, logs=True), BASE)

    assert found.traces == Destination(endpoint="http://ours:1/v1/traces", protocol="http/protobuf")
    assert found.metrics == Destination(endpoint="http://ours:1/v1/metrics", protocol="http/protobuf")
    assert found.logs == Destination(endpoint="http://ours:1/v1/logs", protocol="http/protobuf")


def test_grpc_takes_the_address_as_it_is():
    grpc = Destination(endpoint="http://ours:1", protocol="grpc")

    assert telemetry_of(Otel(endpoint="http://ours:1", protocol="grpc"), {}).traces == grpc
    assert telemetry_of(Otel(endpoint="http://ours:1"), {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}).traces == grpc
    assert telemetry_of(Otel(endpoint="http://ours:1"), {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "GRPC"}).traces == grpc


def test_the_sdk_disabled_disables():
    assert telemetry_of(Otel(endpoint="http://ours:1", traces=True), {"OTEL_SDK_DISABLED": "True"}) == Telemetry()


@pytest.mark.parametrize("signal", ["traces", "metrics", "logs"])
def test_exporters_by_variable(signal):
    name = f"OTEL_{signal.upper()}_EXPORTER"

    assert getattr(telemetry_of(Otel(), BASE | {name: "none"}), signal) is None
    assert getattr(telemetry_of(Otel(), BASE | {name: "console,otlp"}), signal) == HTTP
    assert getattr(telemetry_of(Otel(**{signal: True}), BASE | {name: "none"}), signal) == HTTP
    assert getattr(telemetry_of(Otel(**{signal: False}), BASE | {name: "otlp"}), signal) is None


def test_samplers():
    found = telemetry_of(Otel(), BASE | {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.25"})

    assert (found.sampler, found.ratio, found.complaints) == ("traceidratio", 0.25, ())
    assert telemetry_of(Otel(sampler="always_off", sampler_ratio=0.5), BASE).sampler == "always_off"


def test_what_cannot_be_followed_is_complained_of():
    wrong = {
        "OTEL_TRACES_SAMPLER": "xray",
        "OTEL_TRACES_SAMPLER_ARG": "2",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json",
    }
    found = telemetry_of(Otel(metrics=True), BASE | wrong)

    assert (found.sampler, found.ratio, found.traces) == ("parentbased_always_on", 1.0, HTTP)
    assert [complaint.partition(":")[0] for complaint in found.complaints] == [
        "OTEL_TRACES_SAMPLER", "OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_TRACES_SAMPLER_ARG",
    ]  # fmt: skip


def test_content_is_by_opt_in():
    name = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"

    assert not telemetry_of(Otel(), BASE).content
    assert not telemetry_of(Otel(), BASE | {name: "NO_CONTENT"}).content
    assert not telemetry_of(Otel(), BASE | {name: "EVENT_ONLY"}).content
    assert telemetry_of(Otel(), BASE | {name: "span_only"}).content
    assert telemetry_of(Otel(content=True), BASE).content


def test_propagators():
    assert telemetry_of(Otel(), BASE | {"OTEL_PROPAGATORS": "tracecontext,baggage"}).propagates
    assert not telemetry_of(Otel(), BASE | {"OTEL_PROPAGATORS": "none"}).propagates
