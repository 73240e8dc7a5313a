"""Values of ours as rows of the ledger, and back."""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec
from sqlalchemy import RowMapping

from proxy.core.call import CallRecord
from proxy.core.exchange import Started
from proxy.store.batch import OpenCall, StoredCall
from proxy.store.cleaning import clean_text
from proxy.store.statements import CALL_COLUMNS, Row

assert tuple(CallRecord.__struct_fields__) == CALL_COLUMNS  # a row is the record's tuple; its last field is a list
assert CALL_COLUMNS[-1] == "observer_errors"

_decode_started: Final = msgspec.json.Decoder(Started).decode


def call_row(record: CallRecord) -> Row:
    """The record as a row of `calls`, without `seq`. The record must be clean."""
    values = msgspec.structs.astuple(record)
    errors = msgspec.json.encode(values[-1]).decode() if values[-1] else None
    return (*values[:-1], errors)


def stored_call(row: RowMapping) -> StoredCall:
    """A row of `calls` as it was committed."""
    values: dict[str, Any] = dict(row)
    seq = values.pop("seq")
    errors = values.pop("observer_errors")
    return StoredCall(seq, CallRecord(**values, observer_errors=tuple(json.loads(errors)) if errors else ()))


def open_row(opened: OpenCall) -> Row:
    """An open call as a row of `open_calls`."""
    started = opened.started
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
