"""Where frames lie: one directory per life of a relay, in it a lock, counters and numbered segment files.

    journal/0-01795219436910000000-4711/     worker 0, begun at that Unix time in ns, process 4711
        lock              flock'ed by the relay as long as it lives: the kernel lets go of it whatever kills it
        counters          see counters.py
        00000001.segment  header (magic, salt), then frames

A segment is written by one process only and never again after it, so a torn end can only be at an end.
"""

from __future__ import annotations

import fcntl
import os
import struct
import time
from pathlib import Path
from typing import Final, NamedTuple

SEGMENT_HEAD: Final = struct.Struct("<8sI4x")
SEGMENT_MAGIC: Final = b"SGJSEG1\n"


class Position(NamedTuple):
    """How far one writer's journal was read: everything before this is in the ledger."""

    segment: int = 0
    offset: int = 0


def journal_directory(data: Path) -> Path:
    """The journal inside a data directory."""
    return data / "journal"


def new_writer_directory(journal: Path, *, worker: int) -> tuple[Path, int]:
    """Make the directory of one relay's life and lock it. Gives the path and the descriptor that holds the lock."""
    name = f"{worker}-{time.time_ns():020d}-{os.getpid()}"
    path, making = journal / name, journal / f".{name}"
    making.mkdir(mode=0o700, parents=True)
    lock = os.open(making / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    making.rename(path)  # only now can a reader see it: never without its lock
    return path, lock


def writer_directories(journal: Path) -> list[Path]:
    """All writers' directories, oldest first."""
    try:
        found = [path for path in journal.iterdir() if path.name.count("-") == 2 and not path.name.startswith(".")]
    except FileNotFoundError:
        return []
    return sorted(found, key=lambda path: (path.name.split("-")[1], path.name))


def writer_lives(directory: Path) -> bool:
    """Whether the relay that writes here is still alive."""
    try:
        lock = os.open(directory / "lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def segment_path(directory: Path, number: int) -> Path:
    """The file of segment `number`, counted from 1."""
    return directory / f"{number:08d}.segment"


def segment_numbers(directory: Path) -> list[int]:
    """Numbers of the segments that are there, ascending."""
    try:
        return sorted(int(path.stem) for path in directory.glob("*.segment") if path.stem.isdigit())
    except FileNotFoundError:
        return []


def stored_bytes(journal: Path, *, worker: int) -> int:
    """Bytes of all segments of this worker, its former lives included."""
    return sum(
        segment.stat().st_size
        for directory in writer_directories(journal)
        if directory.name.startswith(f"{worker}-")
        for segment in directory.glob("*.segment")
    )
