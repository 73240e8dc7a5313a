"""The only SQL: the ledger's schema, its one writer and its readers."""

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
