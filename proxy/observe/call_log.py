"""The call log: one JSON line a call, at its end. Never content, keys or query strings.

Lines are made before the commit and handed to the outputs after it: what stalls there holds nobody up.
"""

from __future__ import annotations

import logging
import time
from collections.abc import MutableMapping, Sequence
from typing import Any, Final

import structlog
from msgspec.structs import replace

from proxy.core.call_json import call_json_text, rfc3339
from proxy.core.config import Log
from proxy.core.logs import LEVELS, escaped, level_of
from proxy.core.outcomes import FAULTS
from proxy.observe.guards import Part
from proxy.observe.log.line import Line
from proxy.observe.log.outputs import LogOutputs
from proxy.observe.observed import Observed

LOGGER: Final = "sightglass.calls"


class _LineMaker:
    """What structlog takes for a logger: gives each line back instead of writing it."""

    def msg(self, line: Line) -> Line:
        """The line."""
        return line

    info = warning = msg


class CallLog:
    """The sink that writes the log."""

    part: Part = "log"

    def __init__(self, settings: Log, outputs: LogOutputs) -> None:
        """outputs: where lines go; closing them is their owner's."""
        self._outputs = outputs
        self._logger = structlog.wrap_logger(
            _LineMaker(),
            wrapper_class=structlog.make_filtering_bound_logger(level_of(settings, "calls")),
            processors=[_line],
        ).bind()

    def prepare(self, observed: Observed) -> Line | None:
        """The line; None when the level leaves it out."""
        record = observed.record
        say = self._logger.warning if record.outcome in FAULTS else self._logger.info
        line: Line | None = say("call", record=record)
        return line

    def deliver(self, prepared: Sequence[Line | None]) -> None:
        """Hand the lines of one commit to the outputs."""
        self._outputs.put([line for line in prepared if line is not None])


def _line(_logger: Any, level: str, event: MutableMapping[str, Any]) -> tuple[tuple[Line], dict[str, Any]]:
    """Time, level, logger and event first: the begin of a line is what people read. Gives what msg() is called with.

    The only step, and without a dictionary: each copy of sixty fields costs as much as writing them.
    """
    name, at = event["event"], rfc3339(time.time_ns()) or ""
    record = event["record"]
    if record.error_message is not None:  # an upstream's own words may repeat content; the ledger has them
        record = replace(record, error_message=None)
    head = b'{"timestamp":"%b","level":"%b","logger":"%b","event":"%b",'
    text = head % (at.encode(), level.encode(), LOGGER.encode(), name.encode()) + call_json_text(record)[1:]
    return (Line(LEVELS.get(level, logging.INFO), at, name, escaped(text)),), {}
