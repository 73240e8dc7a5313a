"""The GenAI client histograms by OTLP, beside /metrics: for who has no Prometheus. The SDK keeps and sends them.

A proxy is a client of the model's server, so the `gen_ai.client.` names fit; `gen_ai.server.` ones are for that server
to tell. Times between chunks are left out: one value for each chunk would cost more than all else here.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Sequence
from typing import Any, Final

from opentelemetry.metrics import Histogram
from opentelemetry.sdk.metrics import AlwaysOffExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics.export import MetricExporter, MetricReader, PeriodicExportingMetricReader

from proxy import __version__
from proxy.core.call import CallRecord
from proxy.core.otel import Destination
from proxy.core.upstreams import ResolvedUpstream
from proxy.observe.guards import Part
from proxy.observe.observed import Observed
from proxy.observe.otlp.compression import told_compression
from proxy.observe.otlp.resource import our_resource
from proxy.observe.spans import client_span
from proxy.observe.spans import names as n
from proxy.observe.spans.provider import Probed, kind_of, provider_of

# The conventions' buckets, which end at 82 s, and three more: loading a 70B model took 140 s.
SECONDS: Final = tuple(0.01 * 2**power for power in range(17))
TOKENS: Final = tuple(float(4**power) for power in range(14))
MODELS: Final = 200  # names that get a series of their own, as they come from clients
OTHER: Final = "other"

log = logging.getLogger("sightglass.observer")

Change = tuple[Histogram, float, dict[str, str | int]]


class GenAiMetrics:
    """The sink. Each call changes at most four histograms."""

    part: Part = "metrics"

    def __init__(self, reader: MetricReader, upstreams: Iterable[ResolvedUpstream], probed: Probed) -> None:
        """reader: what takes the figures away, such as `periodic_reader` gives."""
        # No exemplars: they belong to spans of this process, and choosing them would cost half of all.
        self._provider = MeterProvider(
            [reader], resource=our_resource(), shutdown_on_exit=False, exemplar_filter=AlwaysOffExemplarFilter()
        )
        meter = self._provider.get_meter(n.SCOPE, __version__, n.SCHEMA_URL)

        def histogram(name: str, unit: str, text: str, buckets: Sequence[float]) -> Histogram:
            return meter.create_histogram(name, unit, text, explicit_bucket_boundaries_advisory=buckets)

        self._duration = histogram("gen_ai.client.operation.duration", "s", "Of a call of the upstream.", SECONDS)
        self._first_chunk = histogram(
            "gen_ai.client.operation.time_to_first_chunk", "s", "From sending to the first chunk of a stream.", SECONDS
        )
        self._tokens = histogram("gen_ai.client.token.usage", "{token}", "Tokens of a call.", TOKENS)
        self._upstreams = {upstream.name: upstream for upstream in upstreams}
        self._probed = probed
        self._models: set[str] = set()
        self._close_by = 0.0  # by time.monotonic()
        self._closing: threading.Thread | None = None

    def prepare(self, observed: Observed) -> list[Change]:
        """What the call changes; nothing, when it is no inference or was never tried."""
        record, exchange = observed.record, observed.exchange
        operation = client_span.OPERATIONS.get(record.dialect)
        if operation is None or exchange is None or exchange.finished.attempt_s is None:
            return []
        finished, began_s = exchange.finished, exchange.finished.attempt_s
        attributes: dict[str, str | int] = {
            n.OPERATION: operation,
            n.PROVIDER: provider_of(record, kind_of(observed, self._probed)),
        }
        if record.model is not None:
            attributes[n.REQUEST_MODEL] = self._model(record, record.model)
        if (upstream := self._upstreams.get(record.upstream or "")) is not None:
            attributes[n.SERVER_ADDRESS], attributes[n.SERVER_PORT] = upstream.host, upstream.port
        changes: list[Change] = []
        if record.outcome == "ok" and record.stream and record.first_byte_s is not None:
            changes.append((self._first_chunk, max(record.first_byte_s - began_s, 0.0), attributes))
        if record.tokens_source in ("reported", "counted"):
            for kind, count in (("input", record.prompt_tokens), ("output", record.completion_tokens)):
                if count is not None:
                    changes.append((self._tokens, count, {**attributes, n.TOKEN_TYPE: kind}))
        if client_span.failed(record, finished):
            attributes = {**attributes, n.ERROR_TYPE: client_span.error_type(record, finished)}
        changes.append((self._duration, max(finished.duration_s - began_s, 0.0), attributes))
        return changes

    def deliver(self, prepared: Sequence[list[Change]]) -> None:
        """Make the changes."""
        for changes in prepared:
            for histogram, value, attributes in changes:
                histogram.record(value, attributes)

    def finish(self, *, patience_s: float) -> None:
        """Send the last figures, in a thread: a mute collector takes its time. Returns at once."""
        self._close_by = time.monotonic() + patience_s
        self._closing = threading.Thread(target=self._shut_down, args=(patience_s,), name="otlp metrics", daemon=True)
        self._closing.start()

    def wait(self) -> None:
        """Wait for that, for no longer than finish() said, counted from finish()."""
        if self._closing is not None:
            self._closing.join(max(self._close_by - time.monotonic(), 0.0))

    def _shut_down(self, patience_s: float) -> None:
        try:
            self._provider.shutdown(timeout_millis=patience_s * 1000)
        except Exception as error:  # the SDK's way of saying that time is up
            log.warning("not_sent_at_end", extra={"what": "metrics", "error": type(error).__name__})

    def _model(self, record: CallRecord, model: str) -> str:
        """The name, or `other` when there are enough. One that the upstream rejected takes no place."""
        model = model[:120]
        if model not in self._models:
            if len(self._models) >= MODELS or record.outcome == "rejected":
                return OTHER
            self._models.add(model)
        return model


def periodic_reader(destination: Destination) -> MetricReader:
    """Sends the figures every OTEL_METRIC_EXPORT_INTERVAL ms (60,000). Raises ValueError on variables that the SDK
    cannot follow."""
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # a dead collector would be a line each time
    return PeriodicExportingMetricReader(_exporter(destination))


def _exporter(destination: Destination) -> MetricExporter:
    options: dict[str, Any] = {"endpoint": destination.endpoint}
    if destination.protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as OverGrpc

        return OverGrpc(**options, compression=told_compression("METRICS"))
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as OverHttp

    return OverHttp(**options)
