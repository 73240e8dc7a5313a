"""Open the ledger's database: file, pragmas, transactions. Which schema it holds is for versions.py to say."""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event

from proxy.core.files import LEDGER_NAME

BUSY_S: Final = 1.0  # a commit that waits longer for the lock gives up and is tried again later
READ_BUSY_S: Final = 5.0  # readers wait only while a writer starts or ends

_READING: Final = {"sightglass_reading": True}


def _null(value: None) -> None:
    """None as it is."""
    return value


# Without an adapter of its own the driver looks for one, in vain, for each None that it binds: 0.4 us, and half of a
# call's columns are None. This takes 9 us off a row.
sqlite3.register_adapter(type(None), _null)


def ledger_path(data: Path) -> Path:
    """Where the ledger of a data directory lies."""
    return data / LEDGER_NAME


def writer_engine(path: Path, *, fsync: bool) -> Engine:
    """An engine with one connection that writes. Opens nothing yet.

    fsync: each commit reaches the disk (synchronous FULL); else a power loss can take the last ones (NORMAL), while
    the file stays sound. A killed process loses nothing either way.
    """
    engine = _engine(URL.create("sqlite", database=str(path.absolute())), busy_s=BUSY_S)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'FULL' if fsync else 'NORMAL'}")
        # 32 MiB of WAL, not 4: a checkpoint waits for the disk, and writes pages that many commits changed only once.
        connection.execute("PRAGMA wal_autocheckpoint = 8000")
        connection.execute("PRAGMA journal_size_limit = 67108864")  # a WAL that once grew is cut back to 64 MiB

    return engine


def reader_engine(path: Path) -> Engine:
    """An engine that only reads, and never makes the file. A writer goes on beside it."""
    url = URL.create("sqlite", database=f"file:{quote(str(path.absolute()))}", query={"mode": "ro", "uri": "true"})
    return _engine(url, busy_s=READ_BUSY_S)


def reading(engine: Engine) -> Connection:
    """A connection whose transaction takes no write lock."""
    return engine.connect().execution_options(**_READING)


def file_identity(path: Path | None) -> tuple[int, int] | None:
    """Device and inode; None when there is no such file, or none was named."""
    try:
        found = path.stat() if path else None
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if found else None


def _engine(url: URL, *, busy_s: float) -> Engine:
    engine = create_engine(
        url,
        pool_size=1,
        max_overflow=0,
        # isolation_level None: the driver leaves BEGIN to us, so that a commit takes its lock at once, not half-way.
        connect_args={"timeout": busy_s, "isolation_level": None, "check_same_thread": False},
    )

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        reads = connection.get_execution_options().get("sightglass_reading", False)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine


def make_private(path: Path) -> None:
    """Make the file, mode 0600 from its first moment; SQLite gives its -wal and -shm the same. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        path.chmod(0o600)
