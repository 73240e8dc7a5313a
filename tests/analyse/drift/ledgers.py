"""A real ledger with answers in it by lot, and an observer's look at it. For the tests of what reads it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from proxy.analyse.drift.watching import DriftWatch
from proxy.core.call import CallRecord
from proxy.core.config import Drift
from proxy.core.errors import LedgerUnavailable
from proxy.core.event import Event
from proxy.core.signal_row import SignalRow
from proxy.observe.guards import Guards
from proxy.observe.quality.faults import BITS
from proxy.observe.quality.signals import NAMES, PROMPT_NAMES
from proxy.store import Batch, Ledger, UpstreamChanges
from proxy.store.signal_rows import StoredSignals

WARM_UP = 200
SETTINGS = Drift(warm_up_answers=WARM_UP)


class Source:
    """The ledger, and how much is read of it."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.rows = 0
        self.fails = 0  # so many of the next writings

    def signals_after(self, seq: int, *, limit: int, lane: int | None = None) -> list[StoredSignals]:
        return self._counted(self._ledger.signals_after(seq, limit=limit, lane=lane))

    def newest_signals(self, seq: int, *, limit: int, lane: int) -> list[StoredSignals]:
        return self._counted(self._ledger.newest_signals(seq, limit=limit, lane=lane))

    def read_until(self, reader: str) -> int | None:
        return self._ledger.read_until(reader)

    def drift_events(self, *, after: int = 0) -> list[Event]:
        return self._ledger.drift_events(after=after)

    def note_changes(self, changes: UpstreamChanges) -> list[Event]:
        if self.fails:
            self.fails -= 1
            raise LedgerUnavailable("the disk is full")
        return self._ledger.note_changes(changes)

    def _counted(self, rows: list[StoredSignals]) -> list[StoredSignals]:
        self.rows += len(rows)
        return rows


class Traffic:
    """Answers of one or more lanes into the ledger; their numbers by lot."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger, self._dice, self._count = ledger, np.random.default_rng(11), 0
        self.identity: str | None = None

    def answers(self, count: int, *, faulty: Sequence[str] = (), lanes: int = 1) -> None:
        self._ledger.commit(Batch(calls=[self._call(faulty, at % lanes) for at in range(count)]))

    def _call(self, faulty: Sequence[str], lane: int) -> CallRecord:
        self._count += 1
        numbers = self._dice.normal(size=len(NAMES) + len(PROMPT_NAMES)).astype("<f4")
        return CallRecord(
            call_id=f"c{self._count}", request_id=f"r{self._count}", started_unix_ns=self._count * 10**9,
            route=f"/{lane}", dialect="openai_chat", method="POST", outcome="ok", model="m",
            signals=SignalRow(
                lane=lane, numbers=numbers.tobytes(), faults=sum(BITS[name] for name in faulty), identity=self.identity
            ),
        )  # fmt: skip


def begun(guards: Guards | None = None) -> DriftWatch:
    return DriftWatch(SETTINGS, guards or Guards())


def read_all(watch: DriftWatch, source: Source) -> None:
    """As the observer does, until there is nothing more."""
    watch.deliver([True])
    for _ in range(20_000):
        watch.turn(source)
        if watch._steps is None and not watch._waiting:
            return
    raise AssertionError("it reads for ever")


def told(ledger: Ledger) -> list[tuple[str, str]]:
    return [(event.kind.removeprefix("drift_"), event.details["subject"]) for event in ledger.drift_events()]
