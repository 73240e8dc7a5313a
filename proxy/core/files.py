"""Names in the data directory that parts know which must not load each other."""

from __future__ import annotations

from typing import Final

LEDGER_NAME: Final = "ledger.sqlite3"
