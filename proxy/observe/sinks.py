"""What a sink of records is: metrics and the call log; spans will be one. Sinks do not know each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from proxy.core.call import CallRecord
from proxy.observe.guards import Part


class Sink(Protocol):
    """Takes each call once, in two steps, so that the record can say that a sink failed on it."""

    part: Part

    def prepare(self, record: CallRecord) -> Any:
        """Before the commit: everything that can fail. Gives what deliver() needs; changes nothing."""

    def deliver(self, prepared: Sequence[Any]) -> None:
        """After the commit: take the calls that are new in the ledger."""
