"""The ledger's table of clients' keys."""

from __future__ import annotations

from collections.abc import Collection

import msgspec
from sqlalchemy import Connection, select, update

from proxy.core.client_key import ClientKey
from proxy.store.schema import keys


def all_keys(connection: Connection) -> list[ClientKey]:
    """Oldest first."""
    rows = connection.execute(select(keys).order_by(keys.c.created_unix_ns, keys.c.name)).mappings()
    return [ClientKey(**row) for row in rows]


def put(connection: Connection, wanted: Collection[ClientKey]) -> None:
    """Add what is not there, note what is revoked; take nothing away and open nothing again."""
    known = {key.sha256: key for key in all_keys(connection)}
    names = {key.name for key in known.values()}
    for key in wanted:
        before = known.get(key.sha256)
        if before is None and key.name not in names:
            connection.execute(keys.insert().values(msgspec.structs.asdict(key)))
            names.add(key.name)
        elif before is not None and before.revoked_unix_ns is None and key.revoked_unix_ns is not None:
            revoked = update(keys).where(keys.c.sha256 == key.sha256)
            connection.execute(revoked.values(revoked_unix_ns=key.revoked_unix_ns))
