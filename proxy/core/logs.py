"""Troubles of a process as JSON lines on standard error. Calls are logged by the observer, on standard output."""

from __future__ import annotations

import logging
import re
import sys
import time
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from proxy.core.stderr import patient_stderr

if TYPE_CHECKING:
    from proxy.core.config import Log

Component = Literal["calls", "relay", "observer"]
LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}

# Attributes that every LogRecord has; what else is there came by `extra`.
_USUAL: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
# What JSON leaves as it is, but terminals and line readers do not: DEL, C1, line separators, turned writing.
_CONTROL: Final = re.compile("[\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff]")


def level_of(settings: Log, component: Component) -> int:
    """The level from which on that component is logged."""
    own: str | None = getattr(settings.levels, component)
    return LEVELS[own or settings.level]


def escaped(line: bytes) -> bytes:
    """A line of JSON in which nothing is left that moves a cursor or ends a line: such characters as \\uXXXX."""
    if line.isascii() and b"\x7f" not in line:
        return line
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", line.decode()).encode()


def timestamp(unix_s: float) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    seconds, rest = divmod(int(unix_s * 1000), 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest:03d}Z"


class JsonFormatter(logging.Formatter):
    """One JSON object a line: timestamp, level, logger, event and the extras."""

    def format(self, record: logging.LogRecord) -> str:
        """The line. Values that are no JSON become their repr; control characters are escaped."""
        line: dict[str, object] = {
            "timestamp": timestamp(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        line.update((key, value) for key, value in vars(record).items() if key not in _USUAL)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)[-4000:]
        return escaped(msgspec.json.encode(line, enc_hook=repr)).decode("utf-8", "replace")


def log_to_stderr(level: int = logging.INFO) -> None:
    """Send what this process logs to standard error; without ever waiting for whoever reads there."""
    patient_stderr()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("aiohttp").setLevel(logging.CRITICAL)  # a traceback for each malformed body helps nobody
