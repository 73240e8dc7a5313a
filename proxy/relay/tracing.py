"""The trace context of a call: taken in from the client, told to the upstream. Ids are made here, spans never.

tracing off   heads pass untouched; a valid trace id of the client's is noted
tracing on    a valid context is gone on from, else a new trace begins; the upstream is told our CLIENT span's
"""

from __future__ import annotations

from random import Random
from typing import Final

from proxy.core.exchange import Finished
from proxy.core.otel import Telemetry
from proxy.relay.heads import RequestHead
from proxy.wire.trace_context import Sampler, TraceContext, read_traceparent, write_traceparent

# Seeded from the system; ids need to be unlike, not secret.
_random_bits: Final = Random().getrandbits  # noqa: S311


class Tracing:
    """Gives calls their ids. One for each relay."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._sampler = Sampler(telemetry.sampler, telemetry.ratio) if telemetry.traces is not None else None
        self._propagates = telemetry.propagates

    def begin(self, notes: Finished, head: RequestHead) -> None:
        """Note the trace that the call belongs to, and the span that it is."""
        parent: TraceContext | None = None
        if head.traceparents and self._propagates:
            parent = read_traceparent(head.traceparents)
            if parent is not None:
                notes.trace_id, notes.parent_span_id = parent.trace_id, parent.span_id
        if self._sampler is None:
            return
        trace_id = notes.trace_id
        if trace_id is None:
            trace_id = notes.trace_id = f"{_random_bits(128) or 1:032x}"
        notes.span_id = _new_span_id()
        notes.trace_flags = self._sampler.flags(trace_id, parent)

    def begin_attempt(self, notes: Finished) -> None:
        """Give the attempt its span."""
        if self._sampler is not None:
            notes.client_span_id = _new_span_id()

    def line_for(self, notes: Finished) -> bytes:
        """The traceparent line of the attempt under way; empty = the head passes as it came."""
        if self._sampler is None or not self._propagates:
            return b""
        assert notes.trace_id is not None
        assert notes.client_span_id is not None
        return b"traceparent: %b\r\n" % write_traceparent(notes.trace_id, notes.client_span_id, notes.trace_flags)


def _new_span_id() -> str:
    return f"{_random_bits(64) or 1:016x}"
