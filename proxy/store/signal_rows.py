"""Rows of `signals`, what lanes have learned, and what the drift detector asks of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Select, func, select

from proxy.core.call import CallRecord
from proxy.core.event import Event
from proxy.core.signal_row import SignalRow
from proxy.store.cleaning import clean_text
from proxy.store.schema import calls, drift_references, events, readers, signals
from proxy.store.statements import Row
from proxy.store.upstream_changes import event_of

DRIFT_KINDS: Final = ("drift_baseline", "drift_raised", "drift_recovered", "drift_accepted")


class StoredSignals(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `signals` with what the detector wants of its call."""

    seq: int  # of the row; grows with the order of commits
    call_id: str
    row: SignalRow
    route: str
    started_unix_ns: int
    model: str | None = None
    digest: str | None = None
    upstream: str | None = None
    duration_s: float | None = None
    load_s: float | None = None
    cold_start: bool | None = None
    completion_tokens: int | None = None
    prompt_tokens: int | None = None
    trace_id: str | None = None
    span_id: str | None = None  # None = this trace is not sent


def signal_rows(records: Iterable[CallRecord]) -> list[Row]:
    """Rows of several records."""
    return [
        (record.call_id, *msgspec.structs.astuple(_cleaned(record.signals)))
        for record in records
        if record.signals is not None
    ]


def _cleaned(row: SignalRow) -> SignalRow:
    """With an identity that any database takes: it is what the upstream wrote."""
    if row.identity is None or (identity := clean_text(row.identity)) == row.identity:
        return row
    return msgspec.structs.replace(row, identity=identity)


def stored_signals(connection: Connection, *, after: int, limit: int, lane: int | None = None) -> list[StoredSignals]:
    """Rows behind the one numbered `after`, in order. lane: of that one only."""
    s = signals.c
    question = _stored().where(s.seq > after).order_by(s.seq).limit(limit)
    return _read(connection, question if lane is None else question.where(s.lane == lane))


def newest_signals(connection: Connection, *, before: int, limit: int, lane: int) -> list[StoredSignals]:
    """The newest rows of a lane before the one numbered `before`, in order."""
    s = signals.c
    question = _stored().where(s.lane == lane, s.seq < before).order_by(s.seq.desc()).limit(limit)
    return _read(connection, question)[::-1]


def read_until(connection: Connection, reader: str) -> int | None:
    """The row that the reader read last; None = it never wrote so."""
    found: int | None = connection.execute(select(readers.c.seq).where(readers.c.reader == reader)).scalar()
    return found


def _stored() -> Select[Any]:
    c, s = calls.c, signals.c
    return select(
        signals,
        *(c.route, c.started_unix_ns, c.model, c.model_digest.label("digest"), c.upstream, c.duration_s),
        *(c.load_s, c.cold_start, c.completion_tokens, c.prompt_tokens, c.trace_id, c.span_id),
    ).join(calls, c.call_id == s.call_id)


def _read(connection: Connection, question: Select[Any]) -> list[StoredSignals]:
    found = []
    for mapping in connection.execute(question).mappings():
        values = dict(mapping)
        row = SignalRow(**{name: values.pop(name) for name in SignalRow.__struct_fields__})
        found.append(StoredSignals(row=row, **values))
    return found


def drift_events(connection: Connection, *, after: int = 0) -> list[Event]:
    """All events of drift behind the one of that id, oldest first."""
    question = (
        select(events).where(events.c.kind.in_(DRIFT_KINDS), events.c.event_id > after).order_by(events.c.event_id)
    )
    return [event_of(row) for row in connection.execute(question).mappings()]


class LaneCount(msgspec.Struct, frozen=True, kw_only=True):
    """A lane as the ledger has it."""

    lane: int
    answers: int
    seq: int  # of its newest row
    quality: float | None  # mean
    route: str
    model: str | None
    digest: str | None


def lanes(connection: Connection) -> list[LaneCount]:
    """All lanes, the one that answered last first."""
    s, c = signals.c, calls.c
    counted = (
        select(
            s.lane, func.count().label("answers"), func.max(s.seq).label("seq"), func.avg(s.quality).label("quality")
        )
        .group_by(s.lane)
        .subquery()
    )
    question: Select[Any] = (
        select(counted, c.route, c.model, c.model_digest.label("digest"))
        .join(signals, s.seq == counted.c.seq)
        .join(calls, c.call_id == s.call_id)
        .order_by(counted.c.seq.desc())
    )
    return [LaneCount(**dict(row)) for row in connection.execute(question).mappings()]


def references(connection: Connection) -> list[tuple[int, bytes, bytes]]:
    """What lanes learned from their first answers: of answers and of prompts."""
    return [(row.lane, row.answers, row.prompts) for row in connection.execute(select(drift_references))]


def keep_references(connection: Connection, kept: Sequence[tuple[int, bytes, bytes]]) -> None:
    """Keep what lanes learned, in place of what was there."""
    insert = import_module(f"sqlalchemy.dialects.{connection.dialect.name}").insert
    for lane, answers, prompts in kept:
        statement = insert(drift_references).values(lane=lane, answers=answers, prompts=prompts)
        replaced = {"answers": statement.excluded.answers, "prompts": statement.excluded.prompts}
        connection.execute(statement.on_conflict_do_update(index_elements=["lane"], set_=replaced))
