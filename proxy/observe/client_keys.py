"""Clients' keys lie in two places, the ledger for keeping and the control snapshot for the relays. They agree here.

A key known to either is known to both, and revoked in either is revoked in both: neither a ledger that was moved aside
nor a lost snapshot opens what was closed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from msgspec.structs import replace

from proxy.control.publishing import publish
from proxy.control.snapshot import Snapshot
from proxy.core.client_key import ClientKey
from proxy.store import Ledger, LedgerReader


def merged(*sources: Iterable[ClientKey]) -> tuple[ClientKey, ...]:
    """All keys of all sources, each once, oldest first; revoked when any says so."""
    found: dict[str, ClientKey] = {}
    for key in (key for source in sources for key in source):
        before = found.setdefault(key.sha256, key)
        if before.revoked_unix_ns is None and key.revoked_unix_ns is not None:
            found[key.sha256] = replace(before, revoked_unix_ns=key.revoked_unix_ns)
    return tuple(sorted(found.values(), key=lambda key: (key.created_unix_ns, key.name)))


def publish_keys(data: Path, keys: Collection[ClientKey]) -> tuple[ClientKey, ...]:
    """Bring these keys into the snapshot, beside those that it has. Gives all of them. Raises OSError."""

    def with_keys(before: Snapshot) -> Snapshot:
        return replace(before, keys=merged(before.keys, keys))

    return publish(data, with_keys).keys


def publish_known(data: Path, ledger: LedgerReader) -> tuple[ClientKey, ...]:
    """Bring the ledger's keys into the snapshot. Gives all of them. Raises OSError, LedgerError."""
    return publish_keys(data, ledger.client_keys())


def agree(data: Path, ledger: Ledger) -> tuple[ClientKey, ...]:
    """Make both places say the same. Gives all keys. Raises OSError, LedgerError."""
    inside = ledger.client_keys()
    keys = publish_keys(data, inside)
    if set(keys) != set(inside):
        ledger.put_keys(keys)
    return keys
