"""Events and what the upstreams' models were at the last look: the rows, how they are read, how they are written."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final, cast

import msgspec
from sqlalchemy import Connection, RowMapping, delete, func, insert, select, update
from sqlalchemy.sql.schema import Table

from proxy.core.event import Event, EventKind, KnownModel, KnownUpstream
from proxy.store.cleaning import clean_text
from proxy.store.schema import calls, events, models, readers, upstreams

DETAILS_CHARACTERS: Final = 2048  # longer ones are left out


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """Calls that began since then were answered by another model than was known when they were recorded."""

    upstream: str
    names: tuple[str, ...]  # that clients may have written, in small letters
    since_unix_ns: int
    was_digest: str
    digest: str
    quantization: str | None = None


class UpstreamChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What is written in one transaction: the events, and the state in which they are known."""

    events: Sequence[Event] = ()
    models: Sequence[KnownModel] = ()  # put in place of what was kept of them
    upstreams: Sequence[KnownUpstream] = ()
    forgotten: Sequence[tuple[str, str]] = ()  # (upstream, model) to keep no longer
    corrections: Sequence[Correction] = ()
    read: tuple[str, int] | None = None  # (reader, seq) that the events come from; the reader goes on behind it


def write(connection: Connection, changes: UpstreamChanges) -> list[Event]:
    """Write them. Gives the events with their ids."""
    for upstream, model in changes.forgotten:
        connection.execute(delete(models).where(models.c.upstream == upstream, models.c.model == model))
    for known in changes.models:
        _put(connection, models, _cleaned(known))
    for server in changes.upstreams:
        _put(connection, upstreams, _cleaned(server))
    for correction in changes.corrections:
        _correct(connection, correction)
    if changes.read is not None:
        reader, seq = changes.read
        _put(connection, readers, {"reader": reader, "seq": seq})
    return [_insert(connection, event) for event in changes.events]


def last_events(connection: Connection, count: int) -> list[Event]:
    """The newest `count` events, oldest first."""
    newest = select(events).order_by(events.c.event_id.desc()).limit(max(count, 0))
    return [event_of(row) for row in connection.execute(newest).mappings()][::-1]


def known_models(connection: Connection) -> list[KnownModel]:
    """All models that are kept."""
    return [KnownModel(**row) for row in connection.execute(select(models)).mappings()]


def known_upstreams(connection: Connection) -> list[KnownUpstream]:
    """All servers that are kept."""
    return [KnownUpstream(**row) for row in connection.execute(select(upstreams)).mappings()]


def _insert(connection: Connection, event: Event) -> Event:
    values = _cleaned(event)
    del values["event_id"]
    values["details"] = _details_text(event.details)
    event_id = connection.execute(insert(events).values(**values).returning(events.c.event_id)).scalar_one()
    return msgspec.structs.replace(event, event_id=event_id)


def _correct(connection: Connection, correction: Correction) -> None:
    connection.execute(
        update(calls)
        .where(
            calls.c.started_unix_ns >= correction.since_unix_ns,
            calls.c.upstream == correction.upstream,
            calls.c.model_digest == correction.was_digest,
            func.lower(calls.c.model).in_(correction.names),
        )
        .values(model_digest=correction.digest, model_quantization=correction.quantization)
    )


def _put(connection: Connection, table: Table, values: dict[str, Any]) -> None:
    statement = import_module(f"sqlalchemy.dialects.{connection.dialect.name}").insert(table).values(**values)
    keys = [column.name for column in table.primary_key]
    rest = {name: statement.excluded[name] for name in values if name not in keys}
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=rest))


def _cleaned(value: msgspec.Struct) -> dict[str, Any]:
    fields = msgspec.structs.asdict(value)
    return {name: clean_text(field) if isinstance(field, str) else field for name, field in fields.items()}


def _details_text(details: dict[str, Any]) -> str | None:
    if not details:
        return None
    try:
        text = msgspec.json.encode(details).decode()
    except (UnicodeEncodeError, TypeError):
        return None
    return text if len(text) <= DETAILS_CHARACTERS else None


def event_of(row: RowMapping) -> Event:
    """A row of `events` as the value that was put in."""
    values = dict(row)
    details = values.pop("details")
    kind = cast(EventKind, values.pop("kind"))  # one of a newer version is shown as it is
    return Event(**values, kind=kind, details=msgspec.json.decode(details) if details else {})
