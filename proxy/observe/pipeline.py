"""The pipeline: one pass from the journal to the ledger, and from there to the sinks. Each call exactly once.

read ──▶ gather ──▶ commit (records + positions + open calls) ──▶ deliver to the sinks ──▶ release the journal
                      │ fails: the same batch again, for ever
                      ▼
Whatever is killed between two steps, the next observer begins at the ledger's positions; records that it
reads again are known there by their call id, and the sinks get only what was new.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

from proxy.core.errors import LedgerError, LedgerUnavailable
from proxy.core.remembered import RememberedTurn
from proxy.journal.counters import Counter, read_counters
from proxy.journal.reader import JournalReader, Reading
from proxy.journal.segments import Position, is_whole, writer_directories
from proxy.observe.gathering import Gathered, Gatherer
from proxy.observe.guards import Guards
from proxy.observe.interpreting import Interpreter
from proxy.observe.sinks import Sink
from proxy.observe.state import ObserverState
from proxy.store import Batch, Committed, OpenCall

# Frames of one read: a read looks at directories and locks (0.1 ms). Their bytes are bounded by following.LOOK_BYTES.
READ_FRAMES: Final = 512
_PAUSE_S: Final = 0.2  # after a commit that failed; doubled up to:
_LONGEST_PAUSE_S: Final = 2.0

log = logging.getLogger("sightglass.observer")


class LedgerWriter(Protocol):
    """The ledger as the pipeline needs it; `proxy.store.Ledger` is one."""

    def commit(self, batch: Batch) -> Committed: ...
    def positions(self) -> Mapping[str, tuple[int, int]]: ...
    def open_calls(self) -> Sequence[OpenCall]: ...
    def forget_writer(self, writer: str) -> int: ...
    def remembered_turns(self, most: int) -> Sequence[RememberedTurn]: ...


class Pipeline:
    """One observer's way through the journal. Everything but `relay_counters` is for its own thread."""

    def __init__(
        self,
        journal: Path,
        ledger: LedgerWriter,
        interpreter: Interpreter,
        sinks: Sequence[Sink],
        guards: Guards,
        state: ObserverState,
        *,
        batch_calls: int = 500,
        goes_on: Callable[[], bool] = lambda: True,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        """goes_on: False = give up on a commit that fails. pause: waits between two attempts. Raises LedgerError."""
        self._journal = journal
        self._ledger = ledger
        self._interpreter = interpreter
        self._sinks = sinks
        self._guards = guards
        self._state = state
        self._batch_calls = batch_calls
        self._goes_on, self._pause = goes_on, pause
        self._counting = threading.Lock()  # a writer's counters are never seen both in its directory and in `gone`
        self._gone: dict[Counter, int] = {}  # of readers before this one
        self._reader = JournalReader(journal, {})
        self._torn = True  # in mid-pass something failed: what was read is not what the ledger has
        self._begin()

    def turn(self) -> bool:
        """Read what is there, up to a batch, and see it through. True: there is more."""
        if self._torn:
            self._begin()
        self._torn = True
        gathered = Gathered()
        more = True
        while more and len(gathered.calls) < self._batch_calls:
            wanted = self._batch_calls - len(gathered.calls)
            reading = self._reader.read(most=min(READ_FRAMES, 2 * wanted))  # a call has two frames
            self._gatherer.take(gathered, reading)
            self._note_writers(gathered, reading)
            more = reading.more
        self._note_damage()
        self._note_lag(gathered)
        if not self._settle(gathered):
            return False
        self._torn = False
        self._state.behind_since = self._state.behind_since if more else None
        self._state.caught_up = self._state.caught_up or not more
        return more

    def relay_counters(self) -> dict[str, dict[Counter, int]]:
        """Counters by writer, `gone` for those that are no more; together they never decrease. For any thread."""
        with self._counting:
            found = self._reader.counters()
            gone = dict(self._gone)
        _add(gone, found["gone"])
        return {**found, "gone": gone}

    def positions(self) -> dict[str, Position]:
        """How far the ledger is, by writer. For any thread."""
        return dict(self._committed)

    def close(self) -> None:
        """Let go of the journal's files."""
        self._reader.close()

    def _begin(self) -> None:
        self._committed = {name: Position(*place) for name, place in self._ledger.positions().items()}
        open_calls = self._ledger.open_calls()
        self._interpreter.recall(self._ledger)
        self._damaged_before, self._read_errors = self._state.damaged_frames, 0
        self._take_reader(JournalReader(self._journal, self._committed))
        self._gatherer = Gatherer(self._guards, self._interpreter, self._sinks, open_calls)
        there = {directory.name for directory in writer_directories(self._journal)}
        if not self._journal.is_dir():  # a disk that is not mounted yet, rather than journals that are gone
            there |= self._committed.keys() | self._gatherer.orphans(())
        gathered = Gathered()
        for writer in self._gatherer.orphans(there):
            self._gatherer.interrupt(gathered, writer)
            gathered.note_seen(writer, None)
        if self._settle(gathered):
            for writer in self._committed.keys() - there:
                self._forget(writer)
            self._torn = False

    def _note_writers(self, gathered: Gathered, reading: Reading) -> None:
        """What the tallies need to be right: who was there before this ledger, and how much the dead ones saw."""
        for writer in reading.positions:
            if writer not in self._committed and not is_whole(self._journal / writer):
                gathered.note_seen(writer, None)
        for writer in reading.ended:
            if gathered.tally(writer).seen == 0:
                gathered.note_seen(writer, read_counters(self._journal / writer / "counters").get(Counter.CALLS))

    def _take_reader(self, reader: JournalReader) -> None:
        with self._counting:
            _add(self._gone, self._reader.counters()["gone"])
            self._reader.close()
            self._reader = reader

    def _settle(self, gathered: Gathered) -> bool:
        """Commit, deliver, release. False: given up; then nothing of it is in the ledger."""
        batch = gathered.batch(self._committed)
        if batch is not None:
            committed = self._commit(batch)
            if committed is None:
                return False
            self._committed.update(gathered.positions)
            self._count(gathered, committed)
            self._deliver(gathered, committed)
        if batch is not None or gathered.ended:
            with self._counting:
                self._reader.release(gathered.reading())
            for writer in gathered.ended:
                self._forget(writer)
        return True

    def _commit(self, batch: Batch) -> Committed | None:
        """Until the ledger has it. None: `goes_on` said no."""
        pause_s = _PAUSE_S
        while True:
            try:
                committed = self._try_commit(batch)
            except LedgerError as error:
                self._state.commit_failures += 1
                if self._state.ledger_error is None:
                    log.warning("ledger_away", extra={"error": str(error), "calls": len(batch.calls)})
                self._state.ledger_away(str(error))
                if not self._goes_on():
                    return None
                self._pause(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                continue
            if self._state.ledger_error is not None:
                log.warning("ledger_back", extra={"failures": self._state.commit_failures})
            self._state.ledger_back()
            self._state.commits += 1
            self._state.last_commit_unix_s = time.time()
            return committed

    def _try_commit(self, batch: Batch) -> Committed:
        """Raises LedgerError when it may go well later."""
        try:
            self._guards.force("ledger")
            return self._ledger.commit(batch)
        except LedgerError:
            raise
        except Exception as error:
            self._guards.note("ledger", error)
            raise LedgerUnavailable(f"{type(error).__name__}: {error}") from error

    def _count(self, gathered: Gathered, committed: Committed) -> None:
        state = self._state
        state.ledger_calls += committed.inserted
        state.repeated += len(committed.repeated)
        state.lost["journal"] += gathered.lost
        state.lost["unreadable"] += gathered.unreadable
        state.lost["ledger"] += len(committed.refused)
        for call_id in committed.refused:
            self._guards.note("ledger", ValueError("the ledger does not take the record"), call_id=call_id)

    def _deliver(self, gathered: Gathered, committed: Committed) -> None:
        prepared = gathered.prepared_for(committed.records) or [[] for _ in self._sinks]
        for sink, of_sink in zip(self._sinks, prepared, strict=True):
            try:
                sink.deliver(of_sink)
            except Exception as error:
                self._guards.note(sink.part, error)

    def _forget(self, writer: str) -> None:
        """Drop the position in a journal that is deleted. When that fails, the next observer's start does it."""
        self._committed.pop(writer, None)
        try:
            self._state.lost["killed"] += self._ledger.forget_writer(writer)
        except LedgerError:
            log.warning("writer_not_forgotten", extra={"writer": writer})

    def _note_damage(self) -> None:
        """What the reader met: damaged frames, and files that it could not read just now."""
        self._state.damaged_frames = self._damaged_before + self._reader.damaged_frames
        if self._reader.read_errors > self._read_errors:
            self._guards.note("journal", OSError("a writer's journal could not be read; it is tried again"))
        self._read_errors = self._reader.read_errors

    def _note_lag(self, gathered: Gathered) -> None:
        if gathered.oldest_end_unix_s is not None:
            waited_s = max(time.time() - gathered.oldest_end_unix_s, 0.0)
            self._state.behind_since = time.monotonic() - waited_s


def _add(to: dict[Counter, int], counts: Mapping[Counter, int]) -> None:
    for counter, count in counts.items():
        to[counter] = to.get(counter, 0) + count
