"""Log lines by OTLP: each line's JSON as a log record, its fields as attributes, tied to its trace. The SDK sends."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import orjson
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, SeverityNumber

from proxy import __version__
from proxy.core.otel import Destination
from proxy.observe.log.line import Line
from proxy.observe.otlp.compression import told_compression
from proxy.observe.otlp.resource import our_resource
from proxy.observe.shipper import Send
from proxy.observe.spans.names import SCOPE

# Severity numbers of OpenTelemetry, by level.
_SEVERITIES: Final = {
    10: SeverityNumber.SEVERITY_NUMBER_DEBUG,
    20: SeverityNumber.SEVERITY_NUMBER_INFO,
    30: SeverityNumber.SEVERITY_NUMBER_WARN,
    40: SeverityNumber.SEVERITY_NUMBER_ERROR,
    50: SeverityNumber.SEVERITY_NUMBER_FATAL,
}
# Fields that have a place of their own in a log record.
_TOLD: Final = ("timestamp", "level", "event", "trace_id", "span_id")


def connect(destination: Destination) -> Send[Line]:
    """The way to the collector. Raises ValueError on variables that the SDK cannot follow."""
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # the shipper says what is the matter, once
    template = _template()

    def request_of(batch: Sequence[Line]) -> ExportLogsServiceRequest:
        request = ExportLogsServiceRequest()
        request.CopyFrom(template)
        request.resource_logs[0].scope_logs[0].log_records.extend(map(_record, batch))
        return request

    return _grpc(destination, request_of) if destination.protocol == "grpc" else _http(destination, request_of)


def _template() -> ExportLogsServiceRequest:
    """A request without records: resource and scope."""
    request: ExportLogsServiceRequest = encode_logs([])
    found = request.resource_logs.add()
    for key, value in our_resource().attributes.items():
        _put(found.resource.attributes.add(key=key).value, value)
    found.scope_logs.add().scope.CopyFrom(_scope())
    return request


def _scope() -> Any:
    from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope

    return InstrumentationScope(name=SCOPE, version=__version__)


def _record(line: Line) -> LogRecord:
    fields: dict[str, Any] = orjson.loads(line.text)
    record = LogRecord(
        time_unix_nano=_unix_ns(line.timestamp),
        observed_time_unix_nano=time.time_ns(),
        severity_number=_SEVERITIES.get(line.level, SeverityNumber.SEVERITY_NUMBER_INFO),
        severity_text=str(fields.get("level", "")),
        body=AnyValue(string_value=line.event),
    )
    trace_id, span_id = fields.get("trace_id"), fields.get("span_id")
    if isinstance(trace_id, str) and len(trace_id) == 32:
        record.trace_id = bytes.fromhex(trace_id)
        if isinstance(span_id, str) and len(span_id) == 16:
            record.span_id = bytes.fromhex(span_id)
    add = record.attributes.add
    for key, value in fields.items():
        if key not in _TOLD:
            _put(add(key=key).value, value)
    return record


def _put(into: AnyValue, value: Any) -> None:
    kind = type(value)
    if kind is str:
        into.string_value = value
    elif kind is float:
        into.double_value = value
    elif kind is bool:
        into.bool_value = value
    elif kind is int:
        into.int_value = max(min(value, 2**63 - 1), -(2**63))
    elif kind is dict:
        into.kvlist_value.SetInParent()
        for key, entry in value.items():
            _put(into.kvlist_value.values.add(key=key).value, entry)
    elif value is not None:
        into.array_value.SetInParent()
        for entry in value:
            _put(into.array_value.values.add(), entry)


def _unix_ns(timestamp: str) -> int:
    return int(datetime.fromisoformat(timestamp).timestamp() * 1e6) * 1000


def _http(destination: Destination, request_of: Any) -> Send[Line]:
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter

    client = OTLPLogExporter(endpoint=destination.endpoint)._client

    def send(batch: list[Line]) -> str:
        result = client.export(request_of(batch).SerializeToString())
        if result.success:
            return ""
        return f"status {result.status_code}" if result.status_code else type(result.error or TimeoutError()).__name__

    return send


def _grpc(destination: Destination, request_of: Any) -> Send[Line]:
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter

    class Exporter(OTLPLogExporter):
        def _translate_data(self, data: Any) -> ExportLogsServiceRequest:
            found: ExportLogsServiceRequest = request_of(data)
            return found

    exporter = Exporter(endpoint=destination.endpoint, compression=told_compression("LOGS"))

    def send(batch: list[Line]) -> str:
        result: Any = exporter._export(batch)  # type: ignore[arg-type] # see _translate_data
        return "" if result.name == "SUCCESS" else "not taken over gRPC"

    return send
