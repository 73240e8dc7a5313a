"""The call log: one JSON line a call, at its end. Never content, keys or query strings.

Lines are made before the commit and handed to the outputs after it: what stalls there holds nobody up.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from proxy.core.call import CallRecord
from proxy.core.call_json import call_json_text, rfc3339
from proxy.core.config import Log
from proxy.core.logs import LEVELS, escaped, level_of
from proxy.core.outcomes import FAULTS
from proxy.observe.guards import Part
from proxy.observe.log.line import Line
from proxy.observe.log.outputs import LogOutputs
from proxy.observe.observed import Observed

LOGGER: Final = "sightglass.calls"
EVENT: Final = "call"
_HEAD: Final = b'{"timestamp":"%%b","level":"%%b","logger":"%b","event":"%b",' % (LOGGER.encode(), EVENT.encode())


class CallLog:
    """The sink that writes the log."""

    part: Part = "log"

    def __init__(self, settings: Log, outputs: LogOutputs) -> None:
        """outputs: where lines go; closing them is their owner's."""
        self._outputs = outputs
        self._least = level_of(settings, "calls")

    def prepare(self, observed: Observed) -> Line | None:
        """The line; None when the level leaves it out."""
        level = "warning" if observed.record.outcome in FAULTS else "info"
        return _line(observed.record, level) if LEVELS[level] >= self._least else None

    def deliver(self, prepared: Sequence[Line | None]) -> None:
        """Hand the lines of one commit to the outputs."""
        self._outputs.put([line for line in prepared if line is not None])


def _line(record: CallRecord, level: str) -> Line:
    """Time, level, logger and event first: the begin of a line is what people read."""
    at = rfc3339(time.time_ns()) or ""
    if record.error_message is not None:  # an upstream's own words may repeat content; the ledger has them
        record = replace(record, error_message=None)
    text = _HEAD % (at.encode(), level.encode()) + call_json_text(record)[1:]
    return Line(LEVELS[level], at, EVENT, escaped(text))
