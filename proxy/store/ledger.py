"""The ledger as its one writer has it: the observer. A batch is in whole or not at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, bindparam, delete, select

from proxy.core.call import CallRecord
from proxy.core.client_key import ClientKey
from proxy.core.errors import LedgerDamaged, LedgerUnavailable
from proxy.core.event import Event
from proxy.store import client_keys, tallies, upstream_changes
from proxy.store.batch import Batch, Committed, OpenCall
from proxy.store.cleaning import clean, clean_text
from proxy.store.engine import file_identity, ledger_path, make_private, writer_engine
from proxy.store.failures import DATA_ERRORS, ledger_errors
from proxy.store.reader import LedgerReader
from proxy.store.rows import call_row, open_call, open_row
from proxy.store.schema import calls, journal_positions, open_calls
from proxy.store.signal_rows import keep_references, signal_rows
from proxy.store.statements import Bulk, Row, SparseInsert, Statements
from proxy.store.tool_events import all_rows
from proxy.store.upstream_changes import UpstreamChanges
from proxy.store.versions import bring_up_to_date

_KNOWN_AMONG: Final = select(calls.c.call_id).where(calls.c.call_id.in_(bindparam("ids", expanding=True)))
_IDS_ASKED: Final = 500  # ids in one question; SQLite takes 32,766 parameters, older ones 999


class Ledger(LedgerReader):
    """Writes of the observer, and its questions. Calls from several threads wait for each other."""

    def __init__(self, engine: Engine, name: str, *, path: Path | None = None) -> None:
        """name: for messages. path: the database's file, when it is one."""
        super().__init__(engine, name, path=path)
        self._statements = Statements(engine.dialect)

    def commit(self, batch: Batch) -> Committed:
        """Put the batch into the ledger in one transaction.

        A record seen before is not stored again; one that the database refuses is left out and named, the others go in.
        Raises LedgerBusy after a second of waiting for the lock, LedgerUnavailable or LedgerDamaged: then nothing of
        the batch was written, and the same batch can be given again.
        """
        records = _first_of_each(batch.calls if batch.cleaned else map(clean, batch.calls))
        with self._writing() as connection:
            known, refused = self._insert_calls(connection, records)
            stored = [record for call_id, record in records.items() if call_id not in known and call_id not in refused]
            _insert(connection, self._statements.insert_tool_events, all_rows(stored))
            _insert(connection, self._statements.insert_signals, signal_rows(stored))
            _insert(connection, self._statements.insert_open, [open_row(call) for call in batch.opened])
            self._statements.delete_open.run(connection, [(clean_text(call_id),) for call_id in batch.closed])
            moved = [(clean_text(writer), *place) for writer, place in batch.positions.items()]
            self._statements.move_positions.run(connection, moved)
            repeated = len(batch.calls) - len(records) + len(known)
            tallies.add(connection, self._statements, batch.tallies, repeated=repeated, refused=len(refused))
        left_out = known | refused
        return Committed(
            records=tuple(record for call_id, record in records.items() if call_id not in left_out),
            repeated=known | _named_twice(batch.calls, records),
            refused=refused,
        )

    def _insert_calls(
        self, connection: Connection, records: Mapping[str, CallRecord]
    ) -> tuple[frozenset[str], frozenset[str]]:
        """Put the records in; gives the ids that were there before, and those that the database refuses."""
        insert, nothing = self._statements.insert_calls, frozenset[str]()
        if _all_new(connection, insert, [call_row(record) for record in records.values()]):
            return nothing, nothing  # nearly always; asking for each id first would cost as much as half the inserting
        known = _known_among(connection, list(records))
        rows = [call_row(record) for call_id, record in records.items() if call_id not in known]
        return known, _insert(connection, insert, rows)

    def note_changes(self, changes: UpstreamChanges) -> list[Event]:
        """Write events and the state that they lead to, in one transaction. Gives the events with their ids.

        Raises as `commit`; then nothing was written.
        """
        with self._writing() as connection:
            return upstream_changes.write(connection, changes)

    def keep_references(self, kept: Sequence[tuple[int, bytes, bytes]]) -> None:
        """Keep what lanes learned from their first answers. Raises as `commit`."""
        with self._writing() as connection:
            keep_references(connection, kept)

    def positions(self) -> dict[str, tuple[int, int]]:
        """Writer -> (segment, offset) behind the last frame that the ledger holds."""
        with self._asking() as connection:
            rows = connection.execute(select(journal_positions)).all()
        return {row.writer: (row.segment, row.offset) for row in rows}

    def open_calls(self) -> list[OpenCall]:
        """Calls that began and whose end was not read, oldest first."""
        with self._asking() as connection:
            rows = connection.execute(select(open_calls.c.writer, open_calls.c.started)).all()
        return sorted((open_call(*row) for row in rows), key=lambda call: call.started.started_unix_ns)

    def forget_writer(self, writer: str) -> int:
        """Drop the place in a journal that is gone, and what is still open there. Raises as `commit`.

        Gives how many calls its relay took of which no frame was ever written: it was killed in that moment.
        """
        with self._writing() as connection:
            for table in (journal_positions, open_calls):
                connection.execute(delete(table).where(table.c.writer == clean_text(writer)))
            return tallies.fold(connection, self._statements, clean_text(writer))

    def put_keys(self, keys: Collection[ClientKey]) -> None:
        """Clients' keys as they are now; a key that is revoked here stays so. Raises as `commit`."""
        with self._writing() as connection:
            client_keys.put(connection, keys)

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """One transaction; after a failing disk, on a fresh connection."""
        try:
            with ledger_errors(self._name):
                self._follow_file()
                with self._engine.begin() as connection:
                    yield connection
        except (LedgerUnavailable, LedgerDamaged):
            self._engine.dispose()
            raise

    def _follow_file(self) -> None:
        """Begin a new ledger when somebody took the file away under us; SQLite would write on into the deleted one."""
        if self._path is None or self.is_current():
            return
        self._engine.dispose()
        make_private(self._path)
        bring_up_to_date(self._engine, self._name)
        self._identity = file_identity(self._path)


def open_ledger(data: Path, *, fsync: bool = False) -> Ledger:
    """The ledger of a data directory for writing; made when there is none, carried over when it is older.

    fsync: as in `engine.writer_engine`. Raises LedgerWrongVersion (written by a newer Sightglass, or another program's
    file), LedgerDamaged, LedgerBusy (somebody holds its lock while it must be changed), LedgerUnavailable.
    """
    path = ledger_path(data)
    with ledger_errors(str(path)):
        make_private(path)
        engine = writer_engine(path, fsync=fsync)
        try:
            bring_up_to_date(engine, str(path))
        except BaseException:
            engine.dispose()
            raise
    return Ledger(engine, str(path), path=path)


def _first_of_each(records: Iterable[CallRecord]) -> dict[str, CallRecord]:
    found: dict[str, CallRecord] = {}
    for record in records:
        found.setdefault(record.call_id, record)
    return found


def _named_twice(records: Sequence[CallRecord], once: Collection[str]) -> frozenset[str]:
    if len(records) == len(once):
        return frozenset()
    return frozenset(call_id for call_id, times in Counter(record.call_id for record in records).items() if times > 1)


def _known_among(connection: Connection, call_ids: list[str]) -> frozenset[str]:
    known: set[str] = set()
    for start in range(0, len(call_ids), _IDS_ASKED):
        asked = {"ids": call_ids[start : start + _IDS_ASKED]}
        known.update(connection.execute(_KNOWN_AMONG, asked).scalars())
    return frozenset(known)


def _insert(connection: Connection, insert: Bulk | SparseInsert, rows: list[Row]) -> frozenset[str]:
    """Put all rows in, or, when the database refuses one, all others. Gives the call ids (first column) refused."""
    if _goes_in(connection, insert, rows):
        return frozenset()
    return frozenset(str(row[0]) for row in rows if not _goes_in(connection, insert, [row]))


def _all_new(connection: Connection, insert: Bulk | SparseInsert, rows: list[Row]) -> bool:
    """Put all rows in; where the database refuses one or has one already, none."""
    try:
        with connection.begin_nested() as attempt:
            if insert.run(connection, rows) == len(rows):
                return True
            attempt.rollback()
    except DATA_ERRORS:
        pass
    return False


def _goes_in(connection: Connection, insert: Bulk | SparseInsert, rows: list[Row]) -> bool:
    if not rows:
        return True
    try:
        with connection.begin_nested():
            insert.run(connection, rows)
    except DATA_ERRORS:
        return False
    return True
