"""A writer that is killed in mid-append: what it kept is there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .journals import Observer, read_ids, wait_until

WRITE_FOR_EVER = """
import sys
from pathlib import Path
from tests.journal.journals import finished_entry, open_writer, started_entry
writer = open_writer(Path(sys.argv[1]), segment_bytes=64 * 1024)
number = 0
while True:
    writer.append([started_entry(f"{number}", writer.salt)])
    writer.append([finished_entry(f"{number}", writer.salt, body=b"x" * (number % 2000))])
    print(number, flush=True)
    number += 1
"""


@pytest.mark.parametrize("seen", [1, 40, 300])
def test_kill_9_loses_nothing_that_was_appended(journal: Path, observer: Observer, seen: int) -> None:
    """What append() returned for is there; the writer has ended only when it is read."""
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", WRITE_FOR_EVER, str(journal)], cwd=root, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for _ in range(seen):
            process.stdout.readline()
        observer.look(most=20)
        assert observer.ended == []
        process.kill()
        told = process.stdout.read().splitlines()

    last = int(told[-1]) if told else seen - 1
    wait_until(lambda: observer.look(most=20) and observer.ended)
    numbers = [int(name) for name in observer.seen]
    assert numbers == sorted(numbers)
    assert set(range(last + 1)) <= set(numbers)
    assert len(numbers) - 2 * (last + 1) in (0, 1, 2)
    assert observer.seen == read_ids(journal)
