"""Errors that cross folders. Builtins serve inside one; these say what a caller can do.

SightglassError
└── LedgerError              the message names the ledger's file
    ├── LedgerMissing        nothing recorded yet: wait, or another --data
    ├── LedgerWrongVersion   written by another version: the message says what to do
    ├── LedgerDamaged        not a ledger, or corrupt: move it aside, restore it
    ├── LedgerBusy           somebody holds its lock: go on, try again
    └── LedgerUnavailable    disk full, I/O error, no permission: go on, try again
"""

from __future__ import annotations


class SightglassError(Exception):
    """Base of ours. Its text is for people: one sentence, what is wrong and what to do."""


class LedgerError(SightglassError):
    """The ledger could not do what was asked."""


class LedgerMissing(LedgerError):  # noqa: N818 - reads as what is the case
    """There is no ledger in the data directory yet."""


class LedgerWrongVersion(LedgerError):  # noqa: N818
    """The ledger's schema is not the one that this version reads."""


class LedgerDamaged(LedgerError):  # noqa: N818
    """The file is no ledger of ours, or its bytes are corrupt."""


class LedgerBusy(LedgerError):  # noqa: N818
    """Another process holds the write lock; nothing was written."""


class LedgerUnavailable(LedgerError):  # noqa: N818
    """The disk or the server behind the ledger refuses; nothing was written."""
