"""Whether this version may write into a ledger."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from proxy.store import open_ledger
from proxy.store.schema import HEAD
from proxy.store.standing import newest_schema, trouble_with


def test_the_newest_schema_is_the_one_of_the_tables() -> None:
    assert newest_schema() == HEAD


@pytest.mark.parametrize(("version", "trouble"), [("0001", None), (HEAD, None), ("9999", "newer Sightglass")])
def test_only_a_newer_schema_is_a_trouble(tmp_path: Path, version: str, trouble: str | None) -> None:
    open_ledger(tmp_path).close()
    path = tmp_path / "ledger.sqlite3"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = ?", (version,))

    found = trouble_with(path)

    assert found is None if trouble is None else trouble in str(found)


def test_a_locked_one_is_none(tmp_path: Path) -> None:
    open_ledger(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite3", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")

        assert trouble_with(tmp_path / "ledger.sqlite3") is None


def test_asking_loads_no_sqlalchemy() -> None:
    script = "import sys, proxy.store.standing; sys.exit('sqlalchemy' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
