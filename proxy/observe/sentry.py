"""Errors of the observer to Sentry: what went wrong and where in our code. Never content, never who called.

An optional extra (`pip install sightglass[sentry]`), imported only when there is a DSN. Of sentry-sdk only the client
is used: no hooks, no breadcrumbs, no variables, no texts of exceptions; personal data stays off, as is its default.
"""

from __future__ import annotations

import logging
import threading
from typing import Any, Final

import sentry_sdk
from sentry_sdk.utils import event_from_exception

from proxy import __version__
from proxy.core.config import Sentry

CLOSE_S: Final = 1.0
# What a log record may carry along: closed words and numbers of ours.
_TAGS: Final = ("part", "what", "upstream")

log = logging.getLogger("sightglass.observer")


class SentryHandler(logging.Handler):
    """A handler of logging: each error of ours becomes an event. Guards tell one and the same fault once a minute."""

    def __init__(self, settings: Sentry, dsn: str) -> None:
        """Raises ValueError (BadDsn) when the DSN is none."""
        super().__init__(logging.ERROR)
        self._client = sentry_sdk.Client(
            dsn=dsn,
            environment=settings.environment,
            release=f"sightglass@{__version__}",
            server_name="",
            default_integrations=False,
            auto_enabling_integrations=False,
            include_local_variables=False,
            include_source_context=False,
            max_breadcrumbs=0,
            send_client_reports=False,
            auto_session_tracking=False,
        )

    def emit(self, record: logging.LogRecord) -> None:
        """Hand it to the SDK, whose thread sends. A fault here is no fault of what was logged."""
        if not record.name.startswith("sightglass"):
            return
        try:
            event, hint = event_of(record, self._client.options)
            self._client.capture_event(event, hint)
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        """Send what waits, for at most CLOSE_S, whatever the SDK takes."""
        closing = threading.Thread(target=self._client.close, kwargs={"timeout": CLOSE_S}, daemon=True)
        closing.start()
        closing.join(CLOSE_S)
        super().close()


def event_of(record: logging.LogRecord, options: dict[str, Any]) -> tuple[Any, Any]:
    """The event and its hint."""
    event: Any = {}
    hint: Any = {}
    if record.exc_info is not None and record.exc_info[0] is not None:
        event, hint = event_from_exception(record.exc_info, client_options=options)
        for exception in event.get("exception", {}).get("values", ()):
            exception["value"] = ""  # a parser's complaint quotes what it could not parse, a database's its row
    tags = {name: str(value) for name in _TAGS if (value := getattr(record, name, None)) is not None}
    event |= {
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": record.getMessage(),
        "fingerprint": ["{{ default }}", record.getMessage(), *tags.values()],
        "tags": tags,
    }
    return event, hint
