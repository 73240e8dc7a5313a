"""The only SQL: the ledger's schema, its one writer and its readers.

Names are looked up when they are asked for: SQLAlchemy takes a third of a second to import, which `sightglass serve`
does not need for its look at the ledger (standing.py).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from proxy.store.batch import Batch, Committed, OpenCall, StoredCall, Totals
    from proxy.store.ledger import Ledger, open_ledger
    from proxy.store.reader import LedgerReader, open_reader
    from proxy.store.upstream_changes import Correction, UpstreamChanges

__all__ = [
    "Batch",
    "Committed",
    "Correction",
    "Ledger",
    "LedgerReader",
    "OpenCall",
    "StoredCall",
    "Totals",
    "UpstreamChanges",
    "open_ledger",
    "open_reader",
]

_WHERE: Final = {
    **dict.fromkeys(("Batch", "Committed", "OpenCall", "StoredCall", "Totals"), "batch"),
    **dict.fromkeys(("Ledger", "open_ledger"), "ledger"),
    **dict.fromkeys(("LedgerReader", "open_reader"), "reader"),
    **dict.fromkeys(("Correction", "UpstreamChanges"), "upstream_changes"),
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
