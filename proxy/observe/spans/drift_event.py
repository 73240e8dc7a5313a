"""The attributes of what the drift detector said."""

from __future__ import annotations

from proxy.core.event import Event
from proxy.observe.spans import names as n
from proxy.observe.spans.encoding import Attributes


def drift_attributes(event: Event) -> Attributes:
    """Of one event of the ledger."""
    told = event.details
    found: Attributes = {
        n.DRIFT_EVENT_ID: event.event_id or None,
        n.REQUEST_MODEL: event.model,
        n.UPSTREAM: event.upstream,
        n.DRIFT_BEFORE: event.before,
        n.DRIFT_AFTER: event.after,
    }
    for name, key in (
        (n.ROUTE, "route"),
        (n.DRIFT_KIND, "kind"),
        (n.DRIFT_SUBJECT, "subject"),
        (n.DRIFT_SEVERITY, "severity"),
        (n.DRIFT_SINCE, "since_call_id"),
        (n.CALL_ID, "call_id"),
        (n.MODEL_DIGEST, "digest"),
    ):
        value = told.get(key)
        found[name] = value if isinstance(value, str) else None
    return found
