"""Errors of databases in our words."""

from __future__ import annotations

import sqlite3

import pytest
from sqlalchemy.exc import OperationalError, ProgrammingError

from proxy.core.errors import LedgerBusy, LedgerDamaged, LedgerError, LedgerUnavailable, SightglassError
from proxy.store.failures import ledger_errors


def sqlite_error(code: int) -> OperationalError:
    cause = sqlite3.OperationalError("what SQLite says")
    cause.sqlite_errorcode = code
    return OperationalError("INSERT", {}, cause)


class PostgresError(Exception):
    def __init__(self, sqlstate: str) -> None:
        super().__init__(sqlstate)
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (sqlite_error(sqlite3.SQLITE_BUSY), LedgerBusy),
        (sqlite_error(sqlite3.SQLITE_BUSY_SNAPSHOT), LedgerBusy),
        (sqlite_error(sqlite3.SQLITE_FULL), LedgerUnavailable),
        (sqlite_error(sqlite3.SQLITE_IOERR_FSYNC), LedgerUnavailable),
        (sqlite_error(sqlite3.SQLITE_READONLY), LedgerUnavailable),
        (sqlite_error(sqlite3.SQLITE_CORRUPT_INDEX), LedgerDamaged),
        (sqlite_error(sqlite3.SQLITE_NOTADB), LedgerDamaged),
        (OperationalError("x", {}, PostgresError("55P03")), LedgerBusy),
        (OperationalError("x", {}, PostgresError("53100")), LedgerUnavailable),
        (ProgrammingError("x", {}, PostgresError("42P01")), LedgerError),
        (PermissionError(13, "Permission denied"), LedgerUnavailable),
    ],
)
def test_each_error_says_what_can_be_done(raised: Exception, expected: type[LedgerError]):
    with pytest.raises(LedgerError, match="the-ledger") as told, ledger_errors("the-ledger"):
        raise raised

    assert expected is told.type
    assert isinstance(told.value, SightglassError)
