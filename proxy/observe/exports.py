"""What goes out by OTLP, if anything does: the sinks for it, and their end. The only place that imports them.

Nothing of OpenTelemetry is imported while all is off: it is 20 MB, and half a second.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from proxy.core.config import Otel
from proxy.core.otel import Telemetry
from proxy.core.upstreams import ResolvedUpstream
from proxy.observe.guards import Guards
from proxy.observe.interpreting import Probed
from proxy.observe.shipper import REASONS, Reason, Shipper, pace_of
from proxy.observe.sinks import Sink

if TYPE_CHECKING:
    from proxy.observe.spans.sink import Spans

CLOSE_S: Final = 2.0  # for all that waits, when we end

log = logging.getLogger("sightglass.observer")


class Exports:
    """The sinks that are on."""

    def __init__(
        self,
        telemetry: Telemetry,
        settings: Otel,
        upstreams: Iterable[ResolvedUpstream],
        probed: Probed,
        guards: Guards,
    ) -> None:
        """What cannot be set up is counted and logged, and the others go on."""
        self.sinks: list[Sink] = []
        self._shippers: list[Shipper[bytes]] = []
        self._spans: Shipper[bytes] | None = None
        for complaint in telemetry.complaints:
            log.warning("variable_not_heeded", extra={"why": complaint})
        if telemetry.traces is not None:
            try:
                spans = _spans(telemetry, settings, upstreams, probed)
            except Exception as error:
                guards.note("spans", error)
            else:
                self._spans = spans.shipper
                self._add(spans, spans.shipper)

    @property
    def spans_sent(self) -> int:
        """Spans that the collector took."""
        return self._spans.sent if self._spans is not None else 0

    @property
    def spans_dropped(self) -> dict[Reason, int]:
        """Spans that it did not get, by reason."""
        return dict(self._spans.dropped) if self._spans is not None else dict.fromkeys(REASONS, 0)

    def close(self) -> None:
        """Send what waits, all at the same time, for at most CLOSE_S."""
        for shipper in self._shippers:
            shipper.finish(patience_s=CLOSE_S)
        for shipper in self._shippers:
            shipper.wait()

    def _add(self, sink: Sink, shipper: Shipper[bytes]) -> None:
        self.sinks.append(sink)
        self._shippers.append(shipper)


def _spans(telemetry: Telemetry, settings: Otel, upstreams: Iterable[ResolvedUpstream], probed: Probed) -> Spans:
    from proxy.observe.otlp import span_exporter
    from proxy.observe.spans.sink import Spans

    destination = telemetry.traces
    assert destination is not None
    shipper: Shipper[bytes] = Shipper(
        "spans", lambda: span_exporter.connect(destination), pace_of(os.environ, "OTEL_BSP")
    )
    content_bytes = settings.content_bytes if telemetry.content else None
    return Spans(shipper, upstreams, probed, content_bytes=content_bytes)
