"""Rows of `tool_events`, and what the observer that starts wants to know of the newest calls."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sqlalchemy import Connection, RowMapping, bindparam, func, select

from proxy.core.call import CallRecord
from proxy.core.remembered import RememberedTurn
from proxy.core.tool_event import ToolEvent
from proxy.store.schema import calls, tool_events
from proxy.store.statements import Row

RECENT_CALLS: Final = 100_000
_IDS_ASKED: Final = 500
_OF_CALLS: Final = (
    select(tool_events)
    .where(tool_events.c.call_id.in_(bindparam("ids", expanding=True)))
    .order_by(tool_events.c.call_id, tool_events.c.kind, tool_events.c.position)
)
_ORDER: Final = {"offered": 0, "called": 1, "result": 2}


def event_rows(record: CallRecord) -> list[Row]:
    """The events of a clean record as rows, in the order of the table's columns."""
    return [
        (
            record.call_id,
            event.kind,
            event.position,
            event.tool,
            event.tool_call_id,
            event.valid,
            event.round_trip_s,
            event.error,
            event.called_in,
            event.called_position,
        )
        for event in record.tool_events
    ]


def events_of(connection: Connection, call_ids: list[str]) -> dict[str, tuple[ToolEvent, ...]]:
    """Events by call id; without calls that have none."""
    found: dict[str, list[ToolEvent]] = {}
    for start in range(0, len(call_ids), _IDS_ASKED):
        for row in connection.execute(_OF_CALLS, {"ids": call_ids[start : start + _IDS_ASKED]}).mappings():
            values = dict(row)
            found.setdefault(values.pop("call_id"), []).append(ToolEvent(**values))
    return {call_id: tuple(sorted(events, key=lambda e: _ORDER[e.kind])) for call_id, events in found.items()}


def has_events(values: RowMapping) -> bool:
    """Whether a row of `calls` may have events."""
    return bool(values["tools_offered"] or values["tool_calls"] or values["tool_results"])


def remembered_turns(connection: Connection, most: int) -> list[RememberedTurn]:
    """The newest `most` calls that stand in a conversation, oldest first, with the tools that they called.

    Among the RECENT_CALLS newest of all kinds: also a ledger of millions of embeddings is soon read.
    """
    c = calls.c
    highest = select(func.coalesce(func.max(c.seq), 0)).scalar_subquery()
    newest = (
        select(
            *(c.call_id, c.started_unix_ns, c.duration_s, c.conversation_id, c.conversation_turn, c.conversation_hash),
            *(c.client, c.claimed_user, c.claimed_session, c.tool_calls, c.tool_results),
        )
        .where(c.conversation_hash.is_not(None), c.seq > highest - RECENT_CALLS)
        .order_by(c.seq.desc())
        .limit(most)
    )
    rows = connection.execute(newest).all()[::-1]
    called, answered = _called(connection, [row.call_id for row in rows if row.tool_calls or row.tool_results])
    return [
        RememberedTurn(
            call_id=row.call_id,
            ended_unix_ns=row.started_unix_ns + round((row.duration_s or 0.0) * 1e9),
            conversation_id=row.conversation_id,
            turn=row.conversation_turn,
            conversation_hash=row.conversation_hash,
            client=row.client,
            claimed_user=row.claimed_user,
            claimed_session=row.claimed_session,
            called=tuple(called.get(row.call_id, ())),
            answered=frozenset(answered.get(row.call_id, ())),
        )
        for row in rows
        if row.conversation_id is not None and row.conversation_turn is not None
    ]


def _called(
    connection: Connection, call_ids: list[str]
) -> tuple[dict[str, list[tuple[int, str | None, str | None]]], dict[str, set[int]]]:
    """By call id: what its answer called, and which of these had their result, if one of `call_ids` brought it."""
    called: dict[str, list[tuple[int, str | None, str | None]]] = {}
    answered: dict[str, set[int]] = {}
    for start in range(0, len(call_ids), _IDS_ASKED):
        ids = call_ids[start : start + _IDS_ASKED]
        e = tool_events.c
        rows = connection.execute(
            select(e.call_id, e.kind, e.position, e.tool, e.tool_call_id, e.called_in, e.called_position)
            .where(e.call_id.in_(ids), e.kind != "offered")
            .order_by(e.position)
        )
        for row in rows:
            if row.kind == "called":
                called.setdefault(row.call_id, []).append((row.position, row.tool, row.tool_call_id))
            elif row.called_in is not None and row.called_position is not None:
                answered.setdefault(row.called_in, set()).add(row.called_position)
    return called, answered


def all_rows(records: Iterable[CallRecord]) -> list[Row]:
    """Rows of several records."""
    return [row for record in records if record.tool_events for row in event_rows(record)]
