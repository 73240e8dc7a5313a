"""What goes out by OTLP, if anything does: the sinks for it, and their end. The only place that imports them.

Nothing of OpenTelemetry is imported while all is off: it is 20 MB, and half a second.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Protocol

from proxy.core.config import Otel
from proxy.core.event import Event
from proxy.core.otel import Destination, Telemetry
from proxy.core.upstreams import ResolvedUpstream
from proxy.observe.guards import Guards
from proxy.observe.interpreting import Probed
from proxy.observe.shipper import REASONS, Reason, Shipper, pace_of
from proxy.observe.sinks import Sink

if TYPE_CHECKING:
    from proxy.observe.otlp.genai_metrics import GenAiMetrics
    from proxy.observe.spans.sink import Spans

CLOSE_S: Final = 2.0  # for all that waits, when we end

log = logging.getLogger("sightglass.observer")


class Way(Protocol):
    """What a sink's things go out by."""

    def finish(self, *, patience_s: float) -> None:
        """Send what waits within that time. Returns at once."""

    def wait(self) -> None:
        """Wait for that."""


class Exports:
    """The sinks that are on."""

    def __init__(
        self,
        telemetry: Telemetry,
        settings: Otel,
        upstreams: Sequence[ResolvedUpstream],
        probed: Probed,
        guards: Guards,
    ) -> None:
        """What cannot be set up is counted and logged, and the others go on."""
        self.sinks: list[Sink] = []
        self._ways: list[Way] = []
        self._spans: Shipper[bytes] | None = None
        self._tracing: Spans | None = None
        for complaint in telemetry.complaints:
            log.warning("variable_not_heeded", extra={"why": complaint})
        if telemetry.traces is not None:
            try:
                spans = _spans(telemetry, telemetry.traces, settings, upstreams, probed)
            except Exception as error:
                guards.note("spans", error)
            else:
                self._spans, self._tracing = spans.shipper, spans
                self._add(spans, spans.shipper)
        if telemetry.metrics is not None:
            try:
                figures = _metrics(telemetry.metrics, upstreams, probed)
            except Exception as error:
                guards.note("metrics", error)
            else:
                self._add(figures, figures)

    @property
    def spans_sent(self) -> int:
        """Spans that the collector took."""
        return self._spans.sent if self._spans is not None else 0

    @property
    def spans_dropped(self) -> dict[Reason, int]:
        """Spans that it did not get, by reason."""
        return dict(self._spans.dropped) if self._spans is not None else dict.fromkeys(REASONS, 0)

    @property
    def waiting(self) -> int:
        """Spans on their way."""
        return self._spans.waiting if self._spans is not None else 0

    def tell(self, event: Event) -> None:
        """Have the trace of a call know of its drift. By the observer's thread; faults are the caller's to count."""
        if self._tracing is not None:
            self._tracing.tell(event)

    def close(self) -> None:
        """Send what waits, all at the same time, for at most CLOSE_S."""
        for way in self._ways:
            way.finish(patience_s=CLOSE_S)
        for way in self._ways:
            way.wait()

    def _add(self, sink: Sink, way: Way) -> None:
        self.sinks.append(sink)
        self._ways.append(way)


def _spans(
    telemetry: Telemetry,
    destination: Destination,
    settings: Otel,
    upstreams: Sequence[ResolvedUpstream],
    probed: Probed,
) -> Spans:
    from proxy.observe.otlp import span_exporter
    from proxy.observe.spans.sink import Spans

    pace = pace_of(os.environ, "OTEL_BSP")
    shipper: Shipper[bytes] = Shipper("spans", lambda: span_exporter.connect(destination), pace)
    content_bytes = settings.content_bytes if telemetry.content else None
    return Spans(shipper, upstreams, probed, content_bytes=content_bytes)


def _metrics(destination: Destination, upstreams: Sequence[ResolvedUpstream], probed: Probed) -> GenAiMetrics:
    from proxy.observe.otlp.genai_metrics import GenAiMetrics, periodic_reader

    return GenAiMetrics(periodic_reader(destination), upstreams, probed)
