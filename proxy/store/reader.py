"""Questions to the ledger, each a method named by what it answers. Never writes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from sqlalchemy import Connection, Engine, Select, func, select

from proxy.core.client_key import ClientKey
from proxy.core.errors import LedgerMissing
from proxy.core.event import Event, KnownModel, KnownUpstream
from proxy.core.remembered import RememberedTurn
from proxy.store import client_keys, signal_rows, tallies, tool_events, upstream_changes
from proxy.store.batch import StoredCall, Totals
from proxy.store.engine import file_identity, ledger_path, reader_engine, reading
from proxy.store.failures import ledger_errors
from proxy.store.rows import stored_call
from proxy.store.schema import calls
from proxy.store.signal_rows import LaneCount, StoredSignals
from proxy.store.tallies import Account
from proxy.store.versions import check_readable

# How far back last_success looks: the answer comes in at most 60 ms also from a ledger of millions.
RECENT_CALLS: Final = 100_000


class LedgerReader:
    """Answers from one connection; questions from several threads wait for each other."""

    def __init__(self, engine: Engine, name: str, *, path: Path | None = None) -> None:
        """name: for messages. path: the database's file, when it is one."""
        self._engine = engine
        self._name = name
        self._path = path
        self._identity = file_identity(path)

    def is_current(self) -> bool:
        """Whether the file that is open is still the one of that name; else open it anew."""
        return file_identity(self._path) == self._identity

    def last_calls(self, count: int) -> list[StoredCall]:
        """The newest `count` calls in the order of their commit, oldest first."""
        newest = select(calls).order_by(calls.c.seq.desc()).limit(max(count, 0))
        return self._stored(newest)[::-1]

    def calls_after(self, seq: int, *, limit: int = 1000) -> list[StoredCall]:
        """Calls committed after the one numbered `seq` (0 = all), oldest first, at most `limit`."""
        return self._stored(select(calls).where(calls.c.seq > seq).order_by(calls.c.seq).limit(limit))

    def calls_of(self, call_ids: Sequence[str]) -> dict[str, StoredCall]:
        """Those of these calls that the ledger has, by id."""
        found = self._stored(select(calls).where(calls.c.call_id.in_(call_ids)))
        return {stored.record.call_id: stored for stored in found}

    def totals(self) -> Totals:
        """Sums over every call of the ledger; reads it all."""
        sums = select(
            calls.c.outcome,
            func.count(),
            func.coalesce(func.sum(calls.c.prompt_tokens), 0),
            func.coalesce(func.sum(calls.c.completion_tokens), 0),
            func.coalesce(func.sum(calls.c.cost_nanousd), 0),
        ).group_by(calls.c.outcome)
        with self._asking() as connection:
            rows = connection.execute(sums).all()
        return Totals(
            calls=sum(row[1] for row in rows),
            outcomes={row[0]: row[1] for row in rows},
            prompt_tokens=int(sum(row[2] for row in rows)),
            completion_tokens=int(sum(row[3] for row in rows)),
            cost_nanousd=int(sum(row[4] for row in rows)),
        )

    def account(self) -> Account:
        """What the ledger says of the calls that it has and lacks, all of one moment."""
        with self._asking() as connection:
            return tallies.account(connection)

    def last_success(self) -> dict[str, int]:
        """Upstream -> when its last `ok` call began, Unix ns, among the RECENT_CALLS newest."""
        newest = select(func.coalesce(func.max(calls.c.seq), 0)).scalar_subquery()
        latest = (
            select(calls.c.upstream, func.max(calls.c.started_unix_ns))
            .where(calls.c.seq > newest - RECENT_CALLS, calls.c.outcome == "ok", calls.c.upstream.is_not(None))
            .group_by(calls.c.upstream)
        )
        with self._asking() as connection:
            return {row[0]: row[1] for row in connection.execute(latest)}

    def events(self, *, last: int) -> list[Event]:
        """The newest `last` events in the order of their commit, oldest first."""
        with self._asking() as connection:
            return upstream_changes.last_events(connection, last)

    def signals_after(self, seq: int, *, limit: int, lane: int | None = None) -> list[StoredSignals]:
        """Signals of the answers committed behind that one, oldest first. lane: of that one only."""
        with self._asking() as connection:
            return signal_rows.stored_signals(connection, after=seq, limit=limit, lane=lane)

    def newest_signals(self, seq: int, *, limit: int, lane: int) -> list[StoredSignals]:
        """Signals of the lane's newest answers committed before that one, oldest first."""
        with self._asking() as connection:
            return signal_rows.newest_signals(connection, before=seq, limit=limit, lane=lane)

    def read_until(self, reader: str) -> int | None:
        """How far that reader of signals came (`UpstreamChanges.read`); None = it never wrote so."""
        with self._asking() as connection:
            return signal_rows.read_until(connection, reader)

    def drift_events(self, *, after: int = 0) -> list[Event]:
        """What the drift detector said and what was accepted, behind the event of that id, oldest first."""
        with self._asking() as connection:
            return signal_rows.drift_events(connection, after=after)

    def drift_lanes(self) -> list[LaneCount]:
        """Routes and models that have signals; reads all of these."""
        with self._asking() as connection:
            return signal_rows.lanes(connection)

    def references(self) -> list[tuple[int, bytes, bytes]]:
        """What lanes learned from their first answers."""
        with self._asking() as connection:
            return signal_rows.references(connection)

    def known_models(self) -> list[KnownModel]:
        """What the upstreams' models were at the last look."""
        with self._asking() as connection:
            return upstream_changes.known_models(connection)

    def known_upstreams(self) -> list[KnownUpstream]:
        """What the upstreams were at the last look that they answered."""
        with self._asking() as connection:
            return upstream_changes.known_upstreams(connection)

    def client_keys(self) -> list[ClientKey]:
        """Every key that a client was ever given, oldest first."""
        with self._asking() as connection:
            return client_keys.all_keys(connection)

    def remembered_turns(self, most: int) -> list[RememberedTurn]:
        """The newest `most` calls that stand in a conversation, oldest first."""
        with self._asking() as connection:
            return tool_events.remembered_turns(connection, most)

    def close(self) -> None:
        """Give the file back."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _stored(self, question: Select[tuple[object, ...]]) -> list[StoredCall]:
        with self._asking() as connection:
            rows = connection.execute(question).mappings().all()
            events = tool_events.events_of(connection, [row["call_id"] for row in rows if tool_events.has_events(row)])
        return [stored_call(row, events.get(row["call_id"], ())) for row in rows]

    @contextmanager
    def _asking(self) -> Iterator[Connection]:
        with ledger_errors(self._name), reading(self._engine) as connection:
            yield connection


def open_reader(data: Path) -> LedgerReader:
    """The ledger of a data directory for reading only, beside a running writer or without one.

    Raises LedgerMissing when there is none yet, LedgerWrongVersion, LedgerDamaged, LedgerUnavailable.
    """
    path = ledger_path(data)
    with ledger_errors(str(path)):
        try:
            path.stat()
        except (FileNotFoundError, NotADirectoryError):
            raise LedgerMissing(f"no ledger in {data} yet: `sightglass serve` makes it with the first start") from None
        engine = reader_engine(path)
        try:
            with reading(engine) as connection:
                check_readable(connection, str(path))
        except BaseException:
            engine.dispose()
            raise
    return LedgerReader(engine, str(path), path=path)
