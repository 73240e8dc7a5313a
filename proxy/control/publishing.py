"""Publish a snapshot. Several processes may (command line, observer), one at a time, keeping each other's fields."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from proxy.control.snapshot import Snapshot, control_path, encode_snapshot, read_snapshot

_LOCK: Final = "control.lock"


def publish(data: Path, change: Callable[[Snapshot], Snapshot]) -> Snapshot:
    """Change the snapshot under the lock and put it in place in one step, mode 0600. Gives what is there now.

    What is no snapshot counts as none: `change` has to bring everything that it knows. Raises OSError.
    """
    with locked(data):
        path = control_path(data)
        try:
            before = read_snapshot(path)
        except ValueError:
            before = None
        after = change(before or Snapshot())
        if before is not None and replace(after, written_unix_ns=before.written_unix_ns) == before:
            return before
        after = replace(after, written_unix_ns=time.time_ns())
        put_whole(path, encode_snapshot(after))
        return after


def put_whole(path: Path, content: bytes) -> None:
    """Put a file in place, mode 0600: it is the old one or the new one at every moment, also after a power loss."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.rename(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


@contextmanager
def locked(data: Path) -> Iterator[None]:
    """Nobody else writes what is decided in this data directory, which is made if need be. Raises OSError."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(data / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
