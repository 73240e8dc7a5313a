"""The SERVER span: a client's call of us, as HTTP names its parts. Pure."""

from __future__ import annotations

from proxy.core.call import CallRecord
from proxy.core.outcomes import FAULTS
from proxy.observe.spans import names as n
from proxy.observe.spans.encoding import Attributes


def name_of(record: CallRecord) -> str:
    """`POST /v1/chat/completions`; of a path that we do not know, the method alone."""
    method = record.method if record.method in n.METHODS else "HTTP"
    return method if record.route == "other" else f"{method} {record.route}"


def failed(record: CallRecord) -> bool:
    """5xx, and an answer that broke off, or failed behind its head. 4xx is the client's doing, as is leaving."""
    if record.status is not None and record.status >= 400:
        return record.status >= 500
    return record.outcome in FAULTS


def attributes_of(record: CallRecord, target: str) -> Attributes:
    """All of it. target: path and query as the client sent them; the query stays here, as it may hold keys."""
    known = record.method in n.METHODS
    return {
        n.METHOD: record.method if known else n.OTHER,
        n.METHOD_ORIGINAL: None if known else record.method[:64],
        n.ROUTE: None if record.route == "other" else record.route,
        n.URL_PATH: target.partition("?")[0][:2048],
        n.URL_SCHEME: "http",
        n.STATUS: record.status,
        n.CLIENT_ADDRESS: record.client,
        n.USER_AGENT: record.user_agent,
        n.ERROR_TYPE: _error_type(record) if failed(record) else None,
        n.CALL_ID: record.call_id,
        n.REQUEST_ID: record.request_id,
        n.OUTCOME: record.outcome,
        n.UPSTREAM: record.upstream,
        n.OVERHEAD: record.overhead_s,
        n.USER: record.claimed_user,
        n.TEAM: record.claimed_team,
        n.PROJECT: record.claimed_project,
        n.TASK: record.claimed_task,
    }


def _error_type(record: CallRecord) -> str:
    if record.error_type is not None:
        return record.error_type
    return str(record.status) if record.status is not None and record.status >= 500 else record.outcome
