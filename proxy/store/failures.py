"""A database's errors in our words: what can be retried, what a person must see."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InterfaceError, OperationalError, ProgrammingError

from proxy.core.errors import LedgerBusy, LedgerDamaged, LedgerError, LedgerUnavailable

# A value that the driver or the database does not take; the driver raises the last three unwrapped.
DATA_ERRORS: Final = (
    DataError,
    IntegrityError,
    InterfaceError,
    ProgrammingError,
    OverflowError,
    UnicodeError,
    TypeError,
)

# Primary result codes of SQLite, https://sqlite.org/rescode.html
_BUSY: Final = frozenset({5, 6})  # BUSY, LOCKED
_DAMAGED: Final = frozenset({11, 26})  # CORRUPT, NOTADB
# SQLSTATE: lock not available, serialization failure, deadlock
_BUSY_STATES: Final = frozenset({"55P03", "40001", "40P01"})


@contextmanager
def ledger_errors(name: str) -> Iterator[None]:
    """Raise LedgerBusy, LedgerDamaged, LedgerUnavailable or LedgerError for what the database raises inside.

    name: the ledger as people know it, for the message.
    """
    try:
        yield
    except DBAPIError as error:
        raise _translated(error, name) from error
    except OSError as error:
        raise LedgerUnavailable(f"ledger {name}: {error.strerror or error}") from error


def _translated(error: DBAPIError, name: str) -> LedgerError:
    cause = error.orig
    code = (getattr(cause, "sqlite_errorcode", None) or 0) & 0xFF
    state = getattr(cause, "sqlstate", None)
    if code in _BUSY or state in _BUSY_STATES:
        return LedgerBusy(f"ledger {name} is locked by another process")
    if code in _DAMAGED:
        return LedgerDamaged(
            f"ledger {name} is no SQLite file of ours or is damaged ({cause}). Move it aside, with its -wal and -shm"
            " files, and start again: a new one is made; `sightglass serve --recover` does both"
        )
    if isinstance(error, OperationalError):
        return LedgerUnavailable(f"ledger {name}: {cause}")
    return LedgerError(f"ledger {name}: {cause}")
