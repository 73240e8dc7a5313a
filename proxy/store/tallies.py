"""Tallies of the journal's writers, and their sum once a journal is gone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
from sqlalchemy import Connection, delete, func, select

from proxy.core.tally import Tally
from proxy.store.cleaning import clean_text
from proxy.store.schema import calls, journal_positions, journal_tallies, open_calls
from proxy.store.statements import Statements

GONE: Final = ""  # the row of all writers whose journal is gone, and of what no writer is to blame for


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """The ledger's side of the conservation law, all of one moment."""

    records: int
    tallies: dict[str, Tally]  # by writer; GONE for the sum of those that are no more
    positions: dict[str, tuple[int, int]]
    open_calls: dict[str, int]  # by writer
    repeated: int  # records that were there already
    refused: int  # records that the database did not take
    killed: int  # calls of dead relays of which no frame was ever written


def add(
    connection: Connection, statements: Statements, tallies: Mapping[str, Tally], *, repeated: int, refused: int
) -> None:
    """Add what a batch counted. In the transaction of its records."""
    rows = [(clean_text(writer), *msgspec.structs.astuple(tally), 0, 0, 0) for writer, tally in tallies.items()]
    if repeated or refused:
        rows.append((GONE, *msgspec.structs.astuple(Tally()), repeated, refused, 0))
    statements.add_tallies.run(connection, rows)


def fold(connection: Connection, statements: Statements, writer: str) -> int:
    """Move a writer's tally to the sum of those that are gone. Gives how many of its calls no frame told of."""
    row = connection.execute(select(journal_tallies).where(journal_tallies.c.writer == writer)).one_or_none()
    if row is None:
        return 0
    tally = _tally(row)
    killed = max(tally.seen - tally.accounted, 0)
    tally.seen = tally.accounted + killed
    statements.add_tallies.run(connection, [(GONE, *msgspec.structs.astuple(tally), 0, 0, killed)])
    connection.execute(delete(journal_tallies).where(journal_tallies.c.writer == writer))
    return killed


def account(connection: Connection) -> Account:
    """All of it, in the connection's one transaction."""
    rows = connection.execute(select(journal_tallies)).all()
    sums = {row.writer: row for row in rows}
    gone = sums.get(GONE)
    opened = select(open_calls.c.writer, func.count()).group_by(open_calls.c.writer)
    return Account(
        records=connection.execute(select(func.count()).select_from(calls)).scalar_one(),
        tallies={writer: _tally(row) for writer, row in sums.items()},
        positions={row.writer: (row.segment, row.offset) for row in connection.execute(select(journal_positions))},
        open_calls={row[0]: row[1] for row in connection.execute(opened)},
        repeated=gone.repeated if gone else 0,
        refused=gone.refused if gone else 0,
        killed=gone.killed if gone else 0,
    )


def _tally(row: object) -> Tally:
    return Tally(**{name: getattr(row, name) for name in Tally.__struct_fields__})
