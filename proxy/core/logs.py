"""Troubles of a process as JSON lines on standard error. Calls are logged by the observer, on standard output."""

from __future__ import annotations

import logging
import sys
import time
from typing import Final

import msgspec

from proxy.core.stderr import patient_stderr

# Attributes that every LogRecord has; what else is there came by `extra`.
_USUAL: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """One JSON object a line: timestamp, level, logger, event and the extras."""

    def format(self, record: logging.LogRecord) -> str:
        """The line. Values that are no JSON become their repr; control bytes are escaped by JSON."""
        line: dict[str, object] = {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{record.msecs:03.0f}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        line.update((key, value) for key, value in vars(record).items() if key not in _USUAL)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)[-4000:]
        return msgspec.json.encode(line, enc_hook=repr).decode("utf-8", "replace")


def log_to_stderr(level: int = logging.INFO) -> None:
    """Send what this process logs to standard error; without ever waiting for whoever reads there."""
    patient_stderr()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("aiohttp").setLevel(logging.CRITICAL)  # a traceback for each malformed body helps nobody
