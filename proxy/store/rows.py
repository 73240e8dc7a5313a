"""Values of ours as rows of the ledger, and back."""

from __future__ import annotations

import json
from operator import itemgetter
from typing import Any, Final

import msgspec
from sqlalchemy import RowMapping

from proxy.core.call import CallRecord
from proxy.core.exchange import Started
from proxy.core.tool_event import ToolEvent
from proxy.store.batch import OpenCall, StoredCall
from proxy.store.cleaning import clean_text
from proxy.store.statements import CALL_COLUMNS, Row
from proxy.wire.striking import strike_name

# A row is the record's tuple, but for a list that is JSON text there, and for what has a table of its own.
_APART: Final = ("tool_events", "signals")
assert tuple(name for name in CallRecord.__struct_fields__ if name not in _APART) == CALL_COLUMNS
_columns: Final = itemgetter(*map(CallRecord.__struct_fields__.index, CALL_COLUMNS))
_ERRORS: Final = CALL_COLUMNS.index("observer_errors")

_decode_started: Final = msgspec.json.Decoder(Started).decode


def call_row(record: CallRecord) -> Row:
    """The record as a row of `calls`, without `seq`. The record must be clean."""
    values = list(_columns(msgspec.structs.astuple(record)))
    values[_ERRORS] = msgspec.json.encode(record.observer_errors).decode() if record.observer_errors else None
    return values


def stored_call(row: RowMapping, tool_events: tuple[ToolEvent, ...] = ()) -> StoredCall:
    """A row of `calls` as it was committed, and its rows of `tool_events`."""
    values: dict[str, Any] = dict(row)
    seq = values.pop("seq")
    errors = values.pop("observer_errors")
    said = tuple(json.loads(errors)) if errors else ()
    return StoredCall(seq, CallRecord(**values, observer_errors=said, tool_events=tool_events))


def open_row(opened: OpenCall) -> Row:
    """An open call as a row of `open_calls`."""
    started = opened.started
    # Clients put keys into the query; what is left names the route. Some put them into the agent's name, too.
    agent = strike_name(started.user_agent) if started.user_agent else None
    started = msgspec.structs.replace(started, target=started.target.partition("?")[0], user_agent=agent)
    try:
        text = msgspec.json.encode(started)
    except UnicodeEncodeError:  # targets keep foreign bytes as lone surrogates; Python's own JSON escapes them
        text = json.dumps(msgspec.to_builtins(started)).encode()
    return clean_text(started.call_id), clean_text(opened.writer), text


def open_call(writer: str, text: bytes) -> OpenCall:
    """A row of `open_calls` as the value that was put in."""
    try:
        started = _decode_started(text)
    except msgspec.DecodeError:
        started = msgspec.convert(json.loads(text), Started)
    return OpenCall(writer=writer, started=started)
