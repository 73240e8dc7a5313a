"""What is told of relays: who lives, what they count, how much of their journal waits."""

from __future__ import annotations

import os
from pathlib import Path

from proxy.journal.counters import Counter
from proxy.journal.segments import Position, journal_directory, segment_path
from proxy.observe.relays import counts_of, lag_bytes, living, relays_of, total
from tests.observe.journals import FakeRelay


def test_the_living_and_the_dead(tmp_path: Path) -> None:
    dead, alive = FakeRelay(tmp_path), FakeRelay(tmp_path, worker=1)
    for relay in (dead, alive):
        relay.start("a")
        relay.writer.counters.words[Counter.CLIENTS] = 5
    dead.die()

    relays = relays_of(journal_directory(tmp_path), None)

    assert [(relay.worker, relay.pid, relay.lives) for relay in relays] == [
        (0, os.getpid(), False),
        (1, os.getpid(), True),
    ]
    assert [relay.active_calls for relay in relays] == [0, 1]
    assert total(counts_of(relays), Counter.CALLS) == 2
    assert living(relays, Counter.CLIENTS) == 5
    alive.die()


def test_foreign_directories_are_not_relays(tmp_path: Path) -> None:
    (journal_directory(tmp_path) / "what-is-this").mkdir(parents=True)

    assert relays_of(journal_directory(tmp_path), None) == []


def test_the_lag_is_what_lies_behind_the_ledgers_position(tmp_path: Path) -> None:
    relay = FakeRelay(tmp_path)
    journal = journal_directory(tmp_path)
    empty = lag_bytes(journal, {})
    relay.call("a")
    segment = segment_path(relay.directory, 1)
    size = segment.stat().st_size
    relay.call("b")

    assert empty == 0
    assert lag_bytes(journal, {relay.name: Position(1, size)}) == segment.stat().st_size - size
    assert lag_bytes(journal, {relay.name: Position(1, segment.stat().st_size)}) == 0
    relay.die()
