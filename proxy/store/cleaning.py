"""Values that any database takes: foreign bytes must not sink the records beside them.

Header values and JSON carry lone surrogates, NUL and numbers beyond 64 bits. SQLite's driver raises on some, PostgreSQL
on others, and NaN silently becomes NULL. So each record is looked at before it is bound. No I/O here.
"""

from __future__ import annotations

import math
from operator import itemgetter
from typing import Any, Final

import msgspec
from sqlalchemy import BigInteger, Boolean, Double, Text

from proxy.core.call import CallRecord
from proxy.core.tool_event import ToolEvent
from proxy.store.schema import calls

TEXT_CHARACTERS: Final = 2048  # longest text kept; the longest user agent seen is 400, LiteLLM's errors reach 2000
ERRORS_KEPT: Final = 16
MARK: Final = "ledger"  # in observer_errors of a record that was changed here

_INT64: Final = 2**63
_LISTS: Final = ("observer_errors", "tool_events", "signals")  # no columns of a plain value
_NAMES: Final = tuple(field.name for field in msgspec.structs.fields(CallRecord))


def _columns_of(*kinds: type) -> list[int]:
    """Places in a record of the columns of these types; `observer_errors` is a tuple there, not a text."""
    return [place for place, name in enumerate(_NAMES) if name not in _LISTS and isinstance(calls.c[name].type, kinds)]


_texts = itemgetter(*_columns_of(Text))
_ints = itemgetter(*_columns_of(BigInteger))
_floats = itemgetter(*_columns_of(Double))
_flags = itemgetter(*_columns_of(Boolean))
_INT_TYPES: Final = frozenset({int, type(None)})
_FLOAT_TYPES: Final = frozenset({float, type(None)})
_FLAG_TYPES: Final = frozenset({bool, type(None)})


def clean(record: CallRecord) -> CallRecord:
    """The record with values that can be stored, marked when any had to change; the same object when none had.

    Lone surrogates become U+FFFD, NUL goes, texts end after TEXT_CHARACTERS, numbers that are no number, not finite or
    beyond 64 bits become None.
    """
    changed: dict[str, Any] = {}
    if record.tool_events:
        events = clean_events(record.tool_events)
        if events != record.tool_events:
            changed["tool_events"] = events
    if not changed and _is_clean(record):
        return record
    for name in _NAMES:
        if name in _LISTS:
            continue
        value = getattr(record, name)
        cleaned = _CLEANERS[type(calls.c[name].type)](value)
        if cleaned is not value and cleaned != value:
            changed[name] = cleaned
    errors = tuple(clean_text(str(word)) for word in tuple(record.observer_errors)[:ERRORS_KEPT])
    if changed or errors != record.observer_errors:
        return msgspec.structs.replace(record, **changed, observer_errors=(*errors, MARK))
    return record


def clean_events(events: Any) -> tuple[ToolEvent, ...]:
    """The events with texts that can be stored; what is no event goes."""
    return tuple(_clean_event(event) for event in events if isinstance(event, ToolEvent))


def _clean_event(event: ToolEvent) -> ToolEvent:
    tool, call_id, called_in = _text(event.tool), _text(event.tool_call_id), _text(event.called_in)
    if (tool, call_id, called_in) == (event.tool, event.tool_call_id, event.called_in):
        return event
    return msgspec.structs.replace(event, tool=tool, tool_call_id=call_id, called_in=called_in)


def clean_text(text: str) -> str:
    """The text without what UTF-8 or PostgreSQL cannot hold, at most TEXT_CHARACTERS long; itself when it is fine."""
    if len(text) > TEXT_CHARACTERS:
        text = text[:TEXT_CHARACTERS]
    if "\0" in text:
        text = text.replace("\0", "")
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _is_clean(record: CallRecord) -> bool:
    """Whether the record can be stored as it is: a few checks over all values at once, 3 µs. False = look closer."""
    values = msgspec.structs.astuple(record)
    ints, floats = _ints(values), _floats(values)
    if not (_INT_TYPES.issuperset(map(type, ints)) and _FLOAT_TYPES.issuperset(map(type, floats))):
        return False
    known = list(filter(None, ints)) or (0,)
    if max(known) >= _INT64 or min(known) < -_INT64:
        return False
    if not math.isfinite(sum(filter(None, floats))):
        return False
    try:
        text = "".join([value for value in _texts(values) if value is not None])
    except TypeError:
        return False
    if record.observer_errors or not _FLAG_TYPES.issuperset(map(type, _flags(values))):
        return False
    return len(text) <= TEXT_CHARACTERS and text.isascii() and "\0" not in text


def _text(value: Any) -> str | None:
    return None if value is None else clean_text(value if isinstance(value, str) else str(value))


def _int(value: Any) -> int | None:
    return value if type(value) is int and -_INT64 <= value < _INT64 else None


def _float(value: Any) -> float | None:
    if type(value) is int and -_INT64 <= value < _INT64:
        return float(value)
    return value if type(value) is float and math.isfinite(value) else None


def _flag(value: Any) -> bool | None:
    return value if value is True or value is False else None


_CLEANERS: Final[dict[type, Any]] = {Text: _text, BigInteger: _int, Double: _float, Boolean: _flag}
