"""What the observer's process itself has to say, on its way to the outputs; to standard error it goes anyway."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from proxy.core.config import Sentry
from proxy.core.logs import JsonFormatter, timestamp
from proxy.observe.log.line import Line
from proxy.observe.log.outputs import LogOutputs

log: Final = logging.getLogger("sightglass.observer")


class TroubleHandler(logging.Handler):
    """A handler of logging that hands lines on. Standard output is for calls: there they do not go."""

    def __init__(self, outputs: LogOutputs) -> None:
        super().__init__()
        self._outputs = outputs
        self.setFormatter(JsonFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        """Hand it on; a fault here is no fault of what was logged."""
        try:
            line = Line(record.levelno, timestamp(record.created), record.getMessage(), self.format(record).encode())
            self._outputs.put([line], but="stdout")
        except Exception:
            self.handleError(record)


def sentry_handler(settings: Sentry, environ: Mapping[str, str]) -> logging.Handler | None:
    """The handler that tells Sentry of errors; None = there is no DSN, or the extra is missing, which is logged."""
    dsn = settings.dsn or environ.get("SENTRY_DSN", "").strip()
    if not dsn:
        return None
    try:
        from proxy.observe.sentry import SentryHandler

        return SentryHandler(settings, dsn)
    except ImportError:
        log.error("sentry_missing", extra={"hint": "pip install 'sightglass[sentry]'"})
    except ValueError as error:
        log.error("sentry_unusable", extra={"error": type(error).__name__})
    return None
