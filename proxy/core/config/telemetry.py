"""Metrics, traces and errors on their way out."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from proxy.core.config.section import Bytes, Section
from proxy.core.otel import Protocol, SamplerName


class MetricsCaps(Section, frozen=True, kw_only=True):
    """How many series metrics may have, whatever names clients send."""

    max_series: Annotated[
        Annotated[int, Meta(ge=100, le=100_000)],
        Meta(
            description="Label sets with a model or a tool, all metrics together; what is beyond is `other`."
            " A histogram has about 20 lines for each."
        ),
    ] = 2000
    max_models: Annotated[
        Annotated[int, Meta(ge=1, le=10_000)],
        Meta(description="Models with a label of their own, first come; the others are `other`."),
    ] = 200


class Otel(Section, frozen=True, kw_only=True):
    """OpenTelemetry by OTLP. Off until an endpoint is set, here or by OTEL_EXPORTER_OTLP_ENDPOINT."""

    endpoint: Annotated[
        str | None,
        Meta(
            description="Base address of the receiver, as http://127.0.0.1:4318 (http) or http://127.0.0.1:4317 (grpc)."
            " Keys go into OTEL_EXPORTER_OTLP_HEADERS."
        ),
    ] = None
    protocol: Annotated[
        Protocol | None, Meta(description="Unset: OTEL_EXPORTER_OTLP_PROTOCOL, else http/protobuf.")
    ] = None
    traces: Annotated[
        bool | None, Meta(description="Two spans a call. Unset: on, but with OTEL_TRACES_EXPORTER=none.")
    ] = None
    metrics: Annotated[
        bool | None,
        Meta(description="The GenAI histograms by OTLP, beside /metrics. Unset: with OTEL_METRICS_EXPORTER=otlp."),
    ] = None
    logs: Annotated[
        bool | None, Meta(description="The log lines by OTLP, too. Unset: with OTEL_LOGS_EXPORTER=otlp.")
    ] = None
    sampler: Annotated[
        SamplerName | None,
        Meta(
            description="Which traces are sent. Unset: OTEL_TRACES_SAMPLER, else parentbased_always_on. A parentbased_"
            " one lets the client decide; the others do not ask it."
        ),
    ] = None
    sampler_ratio: Annotated[
        Annotated[float, Meta(ge=0, le=1)] | None,
        Meta(description="Share of traces, for samplers with a ratio. Unset: OTEL_TRACES_SAMPLER_ARG, else 1."),
    ] = None
    content: Annotated[
        bool,
        Meta(
            description="true: spans carry what was asked and answered. Also by"
            " OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=SPAN_ONLY."
        ),
    ] = False
    content_bytes: Annotated[Bytes, Meta(description="Longest text of one content attribute; longer ones are cut.")] = (
        16 * 1024
    )


class Sentry(Section, frozen=True, kw_only=True):
    """Errors of Sightglass itself to Sentry; needs the extra: pip install sightglass[sentry]."""

    dsn: Annotated[
        str | None, Meta(description="Where errors go. Unset: SENTRY_DSN; when that is unset too, nowhere.")
    ] = None
    environment: Annotated[str | None, Meta(description="As `prod`. Unset: SENTRY_ENVIRONMENT.")] = None
