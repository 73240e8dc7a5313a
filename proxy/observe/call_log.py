"""The call log: one JSON line a call on standard output, at its end. Never content, keys or query strings.

Lines are made before the commit and written after it by a thread of their own: a reader of standard output that stalls
holds nobody up. Its lines wait in bounded memory, then they are dropped and counted.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
from collections.abc import MutableMapping, Sequence
from typing import Any, Final

import orjson
import structlog

from proxy.core.call_json import call_json
from proxy.core.config import Log
from proxy.core.outcomes import FAULTS
from proxy.observe.guards import Part
from proxy.observe.observed import Observed

BATCHES: Final = 64  # waiting; each holds what one commit held
_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}

log = logging.getLogger("sightglass.observer")


class _LineMaker:
    """What structlog takes for a logger: gives each line back instead of writing it."""

    def msg(self, line: bytes) -> bytes:
        """The line with its end."""
        return line + b"\n"

    info = warning = msg


class CallLog:
    """The sink that writes the log."""

    part: Part = "log"

    def __init__(self, settings: Log, *, fd: int = 1) -> None:
        """fd: where lines go."""
        self.lost = 0  # lines that were not written
        self.off = False  # standard output is closed: there is nobody to write for
        self._fd = fd
        self._waiting: queue.Queue[tuple[int, bytes] | None] = queue.Queue(BATCHES)
        self._logger = structlog.wrap_logger(
            _LineMaker(),
            wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[settings.level]),
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                _in_order,
                structlog.processors.JSONRenderer(serializer=_json),
            ],
        ).bind()
        self._thread = threading.Thread(target=self._write, name="call log", daemon=True)
        self._thread.start()

    def prepare(self, observed: Observed) -> bytes:
        """The line; empty when the level leaves it out."""
        record = observed.record
        say = self._logger.warning if record.outcome in FAULTS else self._logger.info
        fields = call_json(record)
        fields.pop("error_message", None)  # an upstream's own words may repeat content; the ledger has them
        line: bytes | None = say("call", **fields)
        return line or b""

    def deliver(self, prepared: Sequence[bytes]) -> None:
        """Hand the lines of one commit to the thread that writes."""
        lines = [line for line in prepared if line]
        if not lines:
            return
        if self.off:
            self.lost += len(lines)
            return
        try:
            self._waiting.put_nowait((len(lines), b"".join(lines)))
        except queue.Full:
            self.lost += len(lines)

    def close(self, *, patience_s: float = 1.0) -> None:
        """Write what waits, for at most that long."""
        try:
            self._waiting.put(None, timeout=patience_s)
        except queue.Full:
            return
        self._thread.join(patience_s)

    def _write(self) -> None:
        while (entry := self._waiting.get()) is not None:
            count, lines = entry
            view = memoryview(lines)
            try:
                while view:
                    view = view[os.write(self._fd, view) :]
            except OSError as error:
                self.lost += count
                self.off = True
                log.warning("call_log_off", extra={"error": error.strerror})
                return


def _in_order(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> dict[str, Any]:
    """Time, level and event first: the begin of a line is what people read."""
    first = ("timestamp", "level", "event")
    return {**{name: event.pop(name) for name in first}, **event}


def _json(event: dict[str, Any], **_options: Any) -> bytes:
    return orjson.dumps(event)
