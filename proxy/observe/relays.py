"""The relays as the observer sees them: who lives, what their counters say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from proxy.journal.counters import Counter, read_counters
from proxy.journal.segments import (
    SEGMENT_HEAD,
    Position,
    segment_numbers,
    segment_path,
    writer_directories,
    writer_lives,
)

Counts = Mapping[str, Mapping[Counter, int]]  # by writer; `gone` for those whose journal is deleted


class Relay(NamedTuple):
    """One life of a relay process, by the journal that it writes or left behind."""

    name: str  # of its journal's directory
    worker: int
    began_unix_s: float
    pid: int
    lives: bool
    counters: Mapping[Counter, int]

    def count(self, counter: Counter) -> int:
        """That counter; 0 when a former version did not have it."""
        return self.counters.get(counter, 0)

    @property
    def active_calls(self) -> int:
        """Calls under way."""
        return max(self.count(Counter.CALLS) - self.count(Counter.ENDED), 0) if self.lives else 0


def relays_of(journal: Path, counts: Counts | None) -> list[Relay]:
    """All relays whose journal is there, oldest first. `counts` None: they are read from the files."""
    found = []
    for directory in writer_directories(journal):
        worker, began_ns, pid = directory.name.split("-")
        if not (worker.isdigit() and began_ns.isdigit() and pid.isdigit()):
            continue
        counters = (counts or {}).get(directory.name) or read_counters(directory / "counters")
        lives = writer_lives(directory)
        found.append(Relay(directory.name, int(worker), int(began_ns) / 1e9, int(pid), lives, counters))
    return found


def counts_of(relays: list[Relay]) -> Counts:
    """What the files alone tell, before the observer knows more."""
    return {relay.name: relay.counters for relay in relays}


def total(counts: Counts, counter: Counter) -> int:
    """Over all relays that ever were, as far as this observer knows."""
    return sum(counters.get(counter, 0) for counters in counts.values())


def living(relays: list[Relay], counter: Counter) -> int:
    """Over those that live: what a dead one last said of its connections holds no more."""
    return sum(relay.count(counter) for relay in relays if relay.lives)


def lag_bytes(journal: Path, positions: Mapping[str, Position]) -> int:
    """Bytes of the journal behind the ledger's positions."""
    lag = 0
    for directory in writer_directories(journal):
        position = positions.get(directory.name, Position())
        for number in segment_numbers(directory):
            if number < position.segment:
                continue
            begin = max(position.offset if number == position.segment else 0, SEGMENT_HEAD.size)
            try:
                lag += max(segment_path(directory, number).stat().st_size - begin, 0)
            except OSError:
                continue
    return lag
