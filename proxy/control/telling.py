"""Telling: what a relay logs goes to the observer, too, which has the outputs of the log."""

from __future__ import annotations

import logging
from pathlib import Path

from proxy.control.troubles import TroubleSender
from proxy.core.logs import JsonFormatter


class TellingHandler(logging.Handler):
    """A handler of logging that sends lines to the observer."""

    def __init__(self, data: Path) -> None:
        super().__init__()
        self._sender = TroubleSender(data)
        self.setFormatter(JsonFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        """Send it; a fault here is no fault of what was logged."""
        try:
            self._sender.send(self.format(record).encode())
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        """Let go of the way."""
        self._sender.close()
        super().close()
