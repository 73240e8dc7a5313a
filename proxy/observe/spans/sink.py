"""The sink of spans: a SERVER and a CLIENT span of each call, with the times that the relay took and the ids it gave.

    SERVER  POST /v1/chat/completions   the client's call of us
      CLIENT  chat llama3.2             ours of the upstream; one for each attempt
      INTERNAL  drift_raised            later, should the detector find by this call that the model changed

Spans are made before the commit and handed to the shipper after it, so that each call's are sent once.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from proxy.core.event import Event
from proxy.core.exchange import Attempt, Finished, Started
from proxy.core.upstreams import ResolvedUpstream
from proxy.observe.guards import Part
from proxy.observe.observed import Observed
from proxy.observe.shipper import Shipper
from proxy.observe.spans import client_span, server_span
from proxy.observe.spans import names as n
from proxy.observe.spans.content import put_content
from proxy.observe.spans.drift_event import drift_attributes
from proxy.observe.spans.encoding import CLIENT, INTERNAL, SERVER, Attributes, SpanWriter
from proxy.observe.spans.provider import Probed, kind_of, provider_of
from proxy.wire.headers import all_values
from proxy.wire.trace_context import SAMPLED

_TRACESTATE_CHARACTERS: Final = 512  # what the W3C wants to be handed on at least


class Prepared(NamedTuple):
    """The spans of one call, on their way."""

    spans: int  # 0 = this trace is not sent
    encoded: bytes


_NOTHING: Final = Prepared(0, b"")


class Spans:
    """Makes spans of calls."""

    part: Part = "spans"

    def __init__(
        self,
        shipper: Shipper[bytes],
        upstreams: Iterable[ResolvedUpstream],
        probed: Probed,
        *,
        content_bytes: int | None = None,
    ) -> None:
        """probed: what the watcher found at an upstream. content_bytes: of the longest content attribute; None = no
        content."""
        self.shipper = shipper
        self._upstreams = {upstream.name: upstream for upstream in upstreams}
        self._probed = probed
        self._content_bytes = content_bytes

    def prepare(self, observed: Observed) -> Prepared:
        """The call's spans."""
        exchange = observed.exchange
        started = observed.started if exchange is None else exchange.finished
        if started is None or started.span_id is None or not started.trace_flags & SAMPLED:
            return _NOTHING
        writer = SpanWriter(started.trace_id or "", started.trace_flags, _tracestate(observed, started))
        self._add_server(writer, observed, started)
        if isinstance(started, Finished) and started.client_span_id is not None:
            self._add_clients(writer, observed, started)
        return Prepared(writer.count, writer.encoded())

    def deliver(self, prepared: Sequence[Prepared]) -> None:
        """Hand them over; nothing waits."""
        for call in prepared:
            if call.spans:
                self.shipper.put(call.encoded, count=call.spans, size=len(call.encoded))

    def tell(self, event: Event) -> None:
        """What the drift detector said of a call whose spans are out already, and cannot be added to: a span below it.

        Nothing, where the call's trace is not sent.
        """
        trace_id, parent_id = event.details.get("trace_id"), event.details.get("span_id")
        if not isinstance(trace_id, str) or not isinstance(parent_id, str):
            return
        writer = SpanWriter(trace_id, SAMPLED, "")
        writer.add(
            INTERNAL,
            event.kind,
            span_id=os.urandom(8).hex(),
            parent_id=parent_id,
            remote=False,
            start_ns=event.at_unix_ns,
            end_ns=event.at_unix_ns,
            attributes={},
            failed=False,
            events=[(event.kind, event.at_unix_ns, drift_attributes(event))],
        )
        encoded = writer.encoded()
        self.shipper.put(encoded, count=1, size=len(encoded))

    def _add_server(self, writer: SpanWriter, observed: Observed, started: Started) -> None:
        record = observed.record
        began_ns = started.started_unix_ns
        assert started.span_id is not None
        writer.add(
            SERVER,
            server_span.name_of(record),
            span_id=started.span_id,
            parent_id=started.parent_span_id,
            remote=started.parent_span_id is not None,
            start_ns=began_ns,
            end_ns=began_ns + _ns(record.duration_s or 0.0),  # interrupted: nobody knows when
            attributes=server_span.attributes_of(record, started.target),
            failed=server_span.failed(record),
        )

    def _add_clients(self, writer: SpanWriter, observed: Observed, finished: Finished) -> None:
        record = observed.record
        upstream = self._upstreams.get(record.upstream or "")
        kind = kind_of(observed, self._probed)
        common = client_span.common_attributes(record, finished, upstream, provider_of(record, kind))
        common[n.UPSTREAM_KIND] = kind
        name, began_ns = client_span.name_of(record), finished.started_unix_ns
        for number, attempt in enumerate(finished.repeated):
            _add_attempt(writer, name, common, finished, attempt, number)
        assert finished.client_span_id is not None
        attributes = client_span.final_attributes(observed, finished, common)
        if self._content_bytes is not None and record.dialect != "other":
            put_content(attributes, observed.request, observed.meaning, self._content_bytes)
        writer.add(
            CLIENT,
            name,
            span_id=finished.client_span_id,
            parent_id=finished.span_id,
            remote=False,
            start_ns=began_ns + _ns(finished.attempt_s or 0.0),
            end_ns=began_ns + _ns(_answered_s(observed, finished)),
            attributes=attributes,
            failed=client_span.failed(record, finished),
        )


def _add_attempt(
    writer: SpanWriter, name: str, common: Attributes, finished: Finished, attempt: Attempt, number: int
) -> None:
    """An attempt that did not count: it met a dead connection, or an answer that only we had caused."""
    if attempt.span_id is None:
        return
    began_ns = finished.started_unix_ns
    writer.add(
        CLIENT,
        name,
        span_id=attempt.span_id,
        parent_id=finished.span_id,
        remote=False,
        start_ns=began_ns + _ns(attempt.began_s),
        end_ns=began_ns + _ns(attempt.ended_s),
        attributes={
            **common,
            n.STATUS: attempt.status,
            n.RESENDS: number or None,
            n.ERROR_TYPE: attempt.error_code or (str(attempt.status) if attempt.status else n.OTHER),
        },
        failed=True,
    )


def _answered_s(observed: Observed, finished: Finished) -> float:
    """When the upstream's part was over: its last byte, or the end of the call when none came or it broke off."""
    exchange = observed.exchange
    if finished.ending != "complete" or exchange is None or finished.headers_s is None:
        return finished.duration_s
    return exchange.pieces.times_s[-1] if exchange.pieces else finished.headers_s


def _tracestate(observed: Observed, started: Started) -> str:
    """What goes with the trace id; empty = nothing, or the client's trace was not gone on from."""
    exchange = observed.exchange
    if started.parent_span_id is None or exchange is None or b"tracestate:" not in exchange.request_head.lower():
        return ""
    state = all_values(exchange.request_head, b"tracestate")
    return state if len(state) <= _TRACESTATE_CHARACTERS and state.isascii() else ""


def _ns(seconds: float) -> int:
    return int(seconds * 1e9)
