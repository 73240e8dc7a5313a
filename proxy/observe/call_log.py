"""The call log: one JSON line a call on standard output, at its end. Never content, keys or query strings.

Lines are made before the commit and written after it by a thread of their own: a reader of standard output that stalls
holds nobody up. Its lines wait in bounded memory, then they are dropped and counted.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from collections.abc import Sequence
from typing import Final

import orjson

from proxy.core.call_json import call_json, rfc3339
from proxy.core.config import Log
from proxy.core.outcomes import FAULTS
from proxy.observe.guards import Part
from proxy.observe.observed import Observed

BATCHES: Final = 64  # waiting; each holds what one commit held
_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}

log = logging.getLogger("sightglass.observer")


class CallLog:
    """The sink that writes the log."""

    part: Part = "log"

    def __init__(self, settings: Log, *, fd: int = 1) -> None:
        """fd: where lines go."""
        self.lost = 0  # lines that were not written
        self.off = False  # standard output is closed: there is nobody to write for
        self._fd = fd
        self._waiting: queue.Queue[tuple[int, bytes] | None] = queue.Queue(BATCHES)
        self._least = _LEVELS[settings.level]
        self._thread = threading.Thread(target=self._write, name="call log", daemon=True)
        self._thread.start()

    def prepare(self, observed: Observed) -> bytes:
        """The line; empty when the level leaves it out."""
        level = "warning" if observed.record.outcome in FAULTS else "info"
        if _LEVELS[level] < self._least:
            return b""
        fields = call_json(observed.record)
        fields.pop("error_message", None)  # an upstream's own words may repeat content; the ledger has them
        # Time, level and event first: the begin of a line is what people read.
        line = {"timestamp": rfc3339(time.time_ns()), "level": level, "event": "call", **fields}
        return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)

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
