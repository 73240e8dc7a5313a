"""Schemas: what is made at once is what the migrations lead to, and what is not ours is refused."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from proxy.core.errors import LedgerDamaged, LedgerWrongVersion
from proxy.store import open_ledger
from proxy.store.engine import make_private, writer_engine
from proxy.store.schema import HEAD
from proxy.store.versions import MIGRATIONS, migrate


def structure(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Tables, columns and indexes as SQLite has them, without how their SQL is spelled."""
    connection = sqlite3.connect(path)
    tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1")]
    found = {
        table: connection.execute(f"PRAGMA table_xinfo({table})").fetchall()
        + sorted(row[1:] for row in connection.execute(f"PRAGMA index_list({table})"))
        for table in tables
    }
    connection.close()
    return found


def test_migrations_lead_to_the_tables_that_are_made_at_once(tmp_path):
    path = tmp_path / "migrated.sqlite3"
    make_private(path)
    engine = writer_engine(path, fsync=False)
    with engine.begin() as connection:
        migrate(connection)
    engine.dispose()
    with open_ledger(tmp_path):
        pass

    assert structure(tmp_path / "ledger.sqlite3") == structure(path)


def test_head_is_the_newest_migration():
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))

    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_alembic_is_not_imported_for_a_new_or_current_ledger(tmp_path):
    """It costs 0.4 s and 20 MB of the observer."""
    script = (
        "import sys; from pathlib import Path; from proxy.store import open_ledger;"
        f"[open_ledger(Path({str(tmp_path)!r})).close() for _ in range(2)];"
        "sys.exit('alembic' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_a_newer_ledger_is_refused_with_what_to_do(tmp_path):
    with open_ledger(tmp_path) as ledger, ledger._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(LedgerWrongVersion, match=r"newer Sightglass \(schema 9999.*install"):
        open_ledger(tmp_path)


def test_another_programs_database_is_left_alone(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE photos (name)")
    other.close()

    with pytest.raises(LedgerWrongVersion, match="no ledger of Sightglass"):
        open_ledger(tmp_path)
    assert list(structure(path)) == ["photos"]


def test_a_file_that_is_no_database_is_left_alone(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    path.write_bytes(b"hello" * 1000)

    with pytest.raises(LedgerDamaged, match=r"ledger\.sqlite3"):
        open_ledger(tmp_path)
    assert path.read_bytes() == b"hello" * 1000


def test_a_ledger_opens_while_another_process_holds_its_lock(tmp_path):
    """Nothing is to be changed in it, so nothing waits."""
    open_ledger(tmp_path).close()
    other = sqlite3.connect(tmp_path / "ledger.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with open_ledger(tmp_path) as ledger:
        assert ledger.totals().calls == 0
    other.close()
