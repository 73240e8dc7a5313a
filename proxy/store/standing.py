"""Can this version go on with the ledger that is there? Asked before anything serves; if not, it can be moved aside.

Standard library only, and reads only: no waiting for SQLAlchemy at each start.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import quote

_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_MIGRATIONS: Final = Path(__file__).parent / "migrations" / "versions"
_SUFFIXES: Final = ("", "-wal", "-shm")


def trouble_with(path: Path, *, thorough: bool = False) -> str | None:
    """Why this version must not write into that file; None: it may, or the file cannot be read just now.

    thorough: look at every page (a second a gigabyte), not only at the first ones.
    """
    if not path.is_file() or not path.stat().st_size:
        return None
    address = f"file:{quote(str(path.absolute()))}?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True, timeout=1.0)) as database:
            return _foreign(database) or (_damage(database) if thorough else None)
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
            return f"it is no SQLite file, or damaged ({error})"
        return None  # locked, a sick disk: the observer tries again, and calls go on


def move_aside(path: Path) -> Path:
    """Rename the ledger's files, with the time; the next start makes a new one. Gives its new name. Raises OSError."""
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    aside = path.with_name(f"{path.name}.aside-{now}")
    for suffix in reversed(_SUFFIXES):  # the database last: without it nobody would look for the others
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    return aside


def newest_schema() -> str:
    """The schema that this version writes: the number of its last migration."""
    return max(path.name[1:5] for path in _MIGRATIONS.glob("v[0-9]*.py"))


def _foreign(database: sqlite3.Connection) -> str | None:
    tables = {row[0] for row in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if not tables:
        return None
    versions = (
        [row[0] for row in database.execute("SELECT version_num FROM alembic_version")]
        if "alembic_version" in tables
        else []
    )
    if len(versions) != 1:
        return "it is a database, but no ledger of Sightglass"
    head = newest_schema()
    if str(versions[0]) > head:
        return f"it was written by a newer Sightglass (schema {versions[0]}, this one knows {head})"
    return None


def _damage(database: sqlite3.Connection) -> str | None:
    said = [str(row[0]) for row in database.execute("PRAGMA quick_check(3)")]
    return None if said == ["ok"] else "it is damaged (" + "; ".join(said) + ")"
