"""The only SQL: the ledger's schema, its one writer and its readers."""

from proxy.store.batch import Batch, Committed, OpenCall, StoredCall, Totals
from proxy.store.ledger import Ledger, open_ledger
from proxy.store.reader import LedgerReader, open_reader

__all__ = [
    "Batch",
    "Committed",
    "Ledger",
    "LedgerReader",
    "OpenCall",
    "StoredCall",
    "Totals",
    "open_ledger",
    "open_reader",
]
