"""What our processes take, by name."""

from __future__ import annotations

from pathlib import Path

from proxy.journal.segments import journal_directory
from proxy.observe.own_processes import taken, taken_by_process
from proxy.observe.relays import relays_of
from tests.observe.journals import FakeRelay


def test_the_observer_and_the_living_relays(tmp_path: Path) -> None:
    relay = FakeRelay(tmp_path, worker=3)

    found = taken_by_process(relays_of(journal_directory(tmp_path), None))

    assert set(found) == {"observer", "relay 3"}
    assert found["observer"].resident_bytes > 10**7
    assert found["observer"].cpu_s > 0
    assert found["observer"].open_files > 3
    relay.die()


def test_a_process_that_is_gone() -> None:
    assert taken(2**22 + 1) is None
