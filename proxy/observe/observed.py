"""Observed: one ended call as the observer has it: its record, and what the record was made of.

The record travels on to the ledger; the rest lives in memory until the sinks have taken what they need of it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from proxy.core.call import CallRecord
from proxy.core.exchange import Exchange, Started
from proxy.wire.meaning import Meaning


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """One call. None: the relay died before its end, or its bytes could not be read."""

    record: CallRecord
    exchange: Exchange | None = None
    meaning: Meaning | None = None
    request: dict[str, Any] | None = None  # the body's JSON object; None also where it is none
    started: Started | None = None  # what is known where there is no exchange
