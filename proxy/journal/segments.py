"""Where frames lie: one directory per life of a relay, in it a lock, counters and numbered segment files.

    journal/0-01795219436910000000-4711/     worker 0, begun at that Unix time in ns, process 4711
        lock              flock'ed by the relay as long as it lives: the kernel lets go of it whatever kills it
        counters          see counters.py
        00000001.segment  head (magic, salt three times), then frames

A segment is written by one process only and never again after it, so a torn end can only be at an end.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import struct
import time
from pathlib import Path
from typing import Final, NamedTuple

from proxy.core.locks import is_held

SEGMENT_HEAD: Final = struct.Struct("<8s3I")
SEGMENT_MAGIC: Final = b"SGJSEG1\n"
FRAME_MAGIC: Final = b"SGJ1"
_SUFFIX: Final = ".segment"
_CONTINUED: Final = "continued"


class Position(NamedTuple):
    """How far one writer's journal was read: everything before this is in the ledger."""

    segment: int = 0
    offset: int = 0


def journal_directory(data: Path) -> Path:
    """The journal inside a data directory."""
    return data / "journal"


def new_writer_directory(journal: Path, *, worker: int, continued: bool = False) -> tuple[Path, int]:
    """Make the directory of one relay's life and lock it. Gives the path and the descriptor that holds the lock.

    continued: its life began in another one, that somebody deleted; so the counters tell of more than stands here.

    Raises OSError; then nothing is left behind, however often it is tried.
    """
    name = f"{worker}-{time.time_ns():020d}-{os.getpid()}"
    path, making = journal / name, journal / f".{name}"
    journal.mkdir(mode=0o700, parents=True, exist_ok=True)
    making.mkdir(mode=0o700)
    lock = -1
    try:
        lock = os.open(making / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if continued:
            (making / _CONTINUED).touch()
        making.rename(path)  # only now can a reader see it: never without its lock
    except OSError:
        if lock >= 0:
            os.close(lock)
        shutil.rmtree(making, ignore_errors=True)
        raise
    return path, lock


def writer_directories(journal: Path) -> list[Path]:
    """All writers' directories, oldest first."""
    try:
        with os.scandir(journal) as entries:
            names = [entry.name for entry in entries if _names_a_writer(entry.name) and entry.is_dir()]
    except FileNotFoundError:
        return []
    return [journal / name for name in sorted(names, key=lambda name: (name.split("-")[1], name))]


def writer_lives(directory: Path) -> bool:
    """Whether the relay that writes here is still alive. Raises OSError."""
    return is_held(directory / "lock")


def pack_segment_head(salt: int) -> bytes:
    """What a segment begins with."""
    return SEGMENT_HEAD.pack(SEGMENT_MAGIC, salt, salt, salt)


def read_segment_head(head: bytes) -> tuple[int, bool]:
    """The salt, and whether the head is undamaged. The salt is what two of its three copies say, bit by bit."""
    magic, one, two, three = SEGMENT_HEAD.unpack(head)
    return (one & two) | (one & three) | (two & three), magic == SEGMENT_MAGIC and one == two == three


def segment_path(directory: Path, number: int) -> Path:
    """The file of segment `number`, counted from 1."""
    return directory / f"{number:08d}{_SUFFIX}"


def segment_numbers(directory: Path) -> list[int]:
    """Numbers of the segments that are there, ascending."""
    try:
        with os.scandir(directory) as entries:
            stems = [entry.name.removesuffix(_SUFFIX) for entry in entries if entry.name.endswith(_SUFFIX)]
    except FileNotFoundError:
        return []
    return sorted(int(stem) for stem in stems if stem.isdecimal())


def is_whole(directory: Path) -> bool:
    """Whether all of a relay's life stands here unread: the first segment is there, and begins with a frame."""
    if (directory / _CONTINUED).exists() or segment_numbers(directory)[:1] not in ([], [1]):
        return False
    try:
        with segment_path(directory, 1).open("rb") as file:
            file.seek(SEGMENT_HEAD.size)
            return file.read(len(FRAME_MAGIC)) in (b"", FRAME_MAGIC)
    except FileNotFoundError:
        return True
    except OSError:
        return False


def stored_bytes(journal: Path, *, worker: int) -> int:
    """Bytes of all segments of this worker, its former lives included. The observer may delete them meanwhile."""
    total = 0
    for directory in writer_directories(journal):
        if directory.name.startswith(f"{worker}-"):
            for number in segment_numbers(directory):
                total += segment_bytes(directory, number)
    return total


def segment_bytes(directory: Path, number: int) -> int:
    """Size of a segment's file; 0 when it is gone."""
    try:
        return segment_path(directory, number).stat().st_size
    except FileNotFoundError:
        return 0


def _names_a_writer(name: str) -> bool:
    return name.count("-") == 2 and not name.startswith(".")


def erase(path: Path, start: int, end: int) -> bool:
    """Give the bytes start..end back to the disk; they read as zeros from now on. False: it cannot be done here.

    Linux: fallocate(2) with FALLOC_FL_PUNCH_HOLE; ext4, xfs, btrfs and tmpfs can, some network file systems cannot.
    """
    try:
        file = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return bool(_fallocate(file, _PUNCH_HOLE | _KEEP_SIZE, start, end - start) == 0)
    finally:
        os.close(file)


_KEEP_SIZE: Final = 1
_PUNCH_HOLE: Final = 2
_fallocate: Final = ctypes.CDLL(None, use_errno=True).fallocate
_fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
