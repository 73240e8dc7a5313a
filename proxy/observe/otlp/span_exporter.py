"""The SDK's OTLP exporters of spans, fed with spans that are protobuf already: see spans/encoding.py for why.

Transport, headers, compression, time limits, certificates and repetition are the SDK's, and the OTEL_EXPORTER_OTLP_*
variables with them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext

from proxy import __version__
from proxy.core.otel import Destination
from proxy.observe.otlp.compression import told_compression
from proxy.observe.otlp.resource import our_resource
from proxy.observe.shipper import Send
from proxy.observe.spans.names import SCHEMA_URL, SCOPE

Frame = Callable[[Sequence[bytes]], ExportTraceServiceRequest]


def connect(destination: Destination) -> Send[bytes]:
    """The way to the collector. Raises ValueError on variables that the SDK cannot follow."""
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # the shipper says what is the matter, once
    frame = request_frame()
    return _grpc(destination, frame) if destination.protocol == "grpc" else _http(destination, frame)


def request_frame() -> Frame:
    """Makes requests of encoded ScopeSpans: resource and scope once, then the spans of all."""
    scope = InstrumentationScope(SCOPE, __version__, SCHEMA_URL)
    context = SpanContext(1, 1, is_remote=False)
    template = encode_spans([ReadableSpan("", context, resource=our_resource(), instrumentation_scope=scope)])
    template.resource_spans[0].scope_spans[0].ClearField("spans")

    def frame(batch: Sequence[bytes]) -> ExportTraceServiceRequest:
        request = ExportTraceServiceRequest()
        request.CopyFrom(template)
        request.resource_spans[0].scope_spans[0].MergeFromString(b"".join(batch))
        return request

    return frame


def _http(destination: Destination, frame: Frame) -> Send[bytes]:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    client = OTLPSpanExporter(endpoint=destination.endpoint)._client

    def send(batch: list[bytes]) -> str:
        result = client.export(frame(batch).SerializeToString())
        if result.success:
            return ""
        return f"status {result.status_code}" if result.status_code else type(result.error or TimeoutError()).__name__

    return send


def _grpc(destination: Destination, frame: Frame) -> Send[bytes]:
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    class Exporter(OTLPSpanExporter):
        def _translate_data(self, data: Any) -> ExportTraceServiceRequest:
            return frame(data)

    exporter = Exporter(endpoint=destination.endpoint, compression=told_compression("TRACES"))

    def send(batch: list[bytes]) -> str:
        taken = exporter._export(batch) is SpanExportResult.SUCCESS  # type: ignore[arg-type] # see _translate_data
        return "" if taken else "not taken over gRPC"

    return send
