"""Disks that are really full: a small tmpfs, and a limit on the size of files. In processes of their own."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.journal import backlog
from proxy.journal.counters import Counter, read_counters
from tests.programs import leave_out

from .journals import Observer, keep, open_writer, read_ids, wait_until
from .test_writer import count, is_direct

NAMES = [f"{number:04d}" for number in range(400)]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """256 KiB, when we may mount."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(place)]
    try:
        refused = subprocess.run(mount, capture_output=True, check=False).returncode
    except FileNotFoundError:
        refused = 1
    if refused:
        leave_out("a tmpfs cannot be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.usefixtures("quick_retry")
def test_a_full_disk_loses_nothing_that_fits_into_memory(small_disk: Path) -> None:
    writer = open_writer(small_disk / "journal")
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(128 * 1024))
    observer = Observer(small_disk / "journal")

    keep(writer, *NAMES, body=b"x" * 1000)
    assert not is_direct(writer)
    assert count(writer, Counter.LAST_ERRNO) == 28
    before = read_ids(small_disk / "journal")
    assert before == NAMES[: len(before)]  # whole frames only
    assert 0 < len(before) < len(NAMES)
    ballast.unlink()
    wait_until(lambda: observer.reader.release(observer.look()) or len(observer.seen) == len(NAMES))

    assert observer.seen == NAMES
    assert observer.reader.damaged_frames == 0
    assert count(writer, Counter.FINISHED_FRAMES) == len(NAMES)
    observer.reader.close()
    writer.close()
    writer.counters.close()


@pytest.mark.usefixtures("quick_retry")
def test_starting_on_a_full_disk_and_recovering(small_disk: Path) -> None:
    """Counters too: they need a page that is not there at first."""
    ballast = small_disk / "ballast"
    with pytest.raises(OSError, match="No space"):
        ballast.write_bytes(bytes(300 * 1024))
    writer = open_writer(small_disk / "journal")
    keep(writer, "a", "b")
    assert not is_direct(writer)

    ballast.unlink()
    wait_until(lambda: is_direct(writer))

    assert read_ids(small_disk / "journal") == ["a", "b"]
    assert writer.directory is not None
    assert read_counters(writer.directory / "counters")[Counter.FINISHED_FRAMES] == 2
    writer.close()
    writer.counters.close()


LIMITED = """
import resource, sys
from pathlib import Path
from proxy.journal import backlog
from tests.journal.journals import keep, open_writer
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
backlog.RETRY_S = 0.01
writer = open_writer(Path(sys.argv[1]), segment_bytes=1024 * 1024)
for number in range(400):
    keep(writer, f"{number:04d}", body=b"x" * 1000)
writer.close(deadline_s=5)
"""


def test_a_limit_of_file_size_begins_a_new_segment(journal: Path) -> None:
    """The kernel tears the write at the limit and refuses the next one (EFBIG)."""
    root = Path(backlog.__file__).parents[2]
    subprocess.run([sys.executable, "-c", LIMITED, str(journal), "100000"], cwd=root, check=True, timeout=30)
    observer = Observer(journal)
    observer.look()

    assert observer.seen == NAMES
    assert observer.reader.damaged_frames == 0
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    observer.reader.close()
