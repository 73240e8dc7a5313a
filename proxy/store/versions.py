"""Which schema a ledger holds, and bringing it to ours. alembic is imported only when there is something to bring:
it costs 0.4 s and 20 MB.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, inspect, text

from proxy.core.errors import LedgerMissing, LedgerWrongVersion
from proxy.store.engine import reading
from proxy.store.schema import HEAD, metadata

MIGRATIONS: Final = Path(__file__).parent / "migrations"
_VERSION_TABLE: Final = "alembic_version"


def bring_up_to_date(engine: Engine, name: str) -> None:
    """Make the tables, or carry an older ledger over to HEAD. Raises LedgerWrongVersion and SQLAlchemy's errors."""
    with reading(engine) as connection:
        if _found(connection, name) == HEAD:
            return
    with engine.begin() as connection:  # looked at again under the lock: another process may have been faster
        found = _found(connection, name)
        if found is None:
            _create(connection)
        elif found != HEAD:
            migrate(connection)


def check_readable(connection: Connection, name: str) -> None:
    """Raise LedgerMissing or LedgerWrongVersion unless the schema is ours."""
    found = _found(connection, name)
    if found is None:
        raise LedgerMissing(f"ledger {name} is empty: no call was recorded yet")
    if found != HEAD:
        raise LedgerWrongVersion(
            f"ledger {name} is of an older Sightglass (schema {found}, this one reads {HEAD}); start `sightglass serve`"
            " once with it, which carries it over"
        )


def migrate(connection: Connection) -> None:
    """Run alembic's migrations up to HEAD inside the connection's transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, HEAD)


def _create(connection: Connection) -> None:
    """A new ledger at once as HEAD has it; a test proves that the migrations lead to the same tables."""
    metadata.create_all(connection)
    connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
    connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD})


def _found(connection: Connection, name: str) -> str | None:
    """The revision that the ledger says it has; None = no tables yet. Refuses what is newer or not ours."""
    tables = inspect(connection).get_table_names()
    if not tables:
        return None
    versions = (
        connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
        if _VERSION_TABLE in tables
        else []
    )
    if len(versions) != 1:
        raise LedgerWrongVersion(f"{name} is a database, but no ledger of Sightglass; choose another data directory")
    found = str(versions[0])
    if found > HEAD:
        raise LedgerWrongVersion(
            f"ledger {name} was written by a newer Sightglass (schema {found}, this one knows {HEAD}); install that"
            " version again, or move the file aside to begin a new ledger: `sightglass serve --recover` does that"
        )
    return found
