"""A journal of its own for each test; writers are closed at its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from proxy.journal import backlog
from proxy.journal.writer import JournalWriter

from .disks import Disk
from .journals import Observer, open_writer

MakeWriter = Callable[..., JournalWriter]


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def make_writer(journal: Path) -> Iterator[MakeWriter]:
    """A writer in the test's journal, with settings by name."""
    made = []

    def make(**fields: Any) -> JournalWriter:
        made.append(open_writer(journal, **fields))
        return made[-1]

    yield make
    for writer in made:
        writer.close(deadline_s=0.2)


@pytest.fixture
def observer(journal: Path) -> Iterator[Observer]:
    found = Observer(journal)
    yield found
    found.reader.close()


@pytest.fixture
def quick_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused write is tried again, and a quick disk trusted, within 20 ms."""
    monkeypatch.setattr(backlog, "RETRY_S", 0.02)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """The disk below os.writev, well until told otherwise."""
    return Disk(monkeypatch)
