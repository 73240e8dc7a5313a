"""An OTLP receiver for tests: reads real protobuf over http (plain and gzip) and grpc, and can be bad at it."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

import grpc
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

Mode = Literal["ok", "slow", "mute", "refuse"]
PATHS: dict[str, Any] = {
    "/v1/traces": trace_service_pb2.ExportTraceServiceRequest,
    "/v1/metrics": metrics_service_pb2.ExportMetricsServiceRequest,
    "/v1/logs": logs_service_pb2.ExportLogsServiceRequest,
}


class Collector:
    """What came, as requests, in order."""

    def __init__(self) -> None:
        self.mode: Mode = "ok"
        self.requests: list[Any] = []
        self.heads: list[dict[str, str]] = []
        self.port = 0
        self.ended = threading.Event()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def spans(self) -> list[Span]:
        return [
            span
            for request in list(self.requests)
            if isinstance(request, PATHS["/v1/traces"])
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def wait_spans(self, count: int, *, within_s: float = 60.0) -> list[Span]:
        """The spans, once so many came."""
        deadline = time.monotonic() + within_s
        while len(self.spans) < count:
            assert time.monotonic() < deadline, self.spans
            time.sleep(0.02)
        return self.spans

    def take(self, request: Any, head: dict[str, str]) -> bool:
        """One request; False: it is refused."""
        if self.mode == "mute":
            self.ended.wait(60)
        if self.mode == "slow":
            self.ended.wait(0.5)
        if self.mode == "refuse":
            return False
        self.heads.append({name.lower(): value for name, value in head.items()})
        self.requests.append(request)
        return True


@contextmanager
def http_collector() -> Iterator[Collector]:
    """Over http."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            taken = collector.take(PATHS[self.path].FromString(body), dict(self.headers.items()))
            self.send_response(200 if taken else 400)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_args: object) -> None:
            """Clients that gave up."""

    server = Server(("127.0.0.1", 0), Handler)
    collector.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield collector
    finally:
        collector.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def grpc_collector() -> Iterator[Collector]:
    """Over grpc."""
    collector = Collector()

    class Service(
        trace_service_pb2_grpc.TraceServiceServicer,
        metrics_service_pb2_grpc.MetricsServiceServicer,
        logs_service_pb2_grpc.LogsServiceServicer,
    ):
        def Export(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802 - grpc's name
            if not collector.take(request, dict(context.invocation_metadata())):
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no")
            module = {"Trace": trace_service_pb2, "Metrics": metrics_service_pb2, "Logs": logs_service_pb2}
            kind = next(word for word in module if word in type(request).__name__)
            return getattr(module[kind], f"Export{kind}ServiceResponse")()

    server = grpc.server(ThreadPoolExecutor(4))
    service = Service()
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(service, server)
    metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(service, server)
    logs_service_pb2_grpc.add_LogsServiceServicer_to_server(service, server)
    collector.port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield collector
    finally:
        collector.ended.set()
        server.stop(0).wait()


def values(attributes: Any) -> dict[str, Any]:
    """Attributes as plain values."""
    return {attribute.key: _plain(attribute.value) for attribute in attributes}


def _plain(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_plain(entry) for entry in value.array_value.values]
    if kind == "kvlist_value":
        return values(value.kvlist_value.values)
    return getattr(value, kind) if kind else None
