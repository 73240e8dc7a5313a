"""What a sink of calls is, such as metrics and the call log. Sinks do not know each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from proxy.observe.guards import Part
from proxy.observe.observed import Observed


class Sink(Protocol):
    """Takes each call once, in two steps, so that the record can say that a sink failed on it."""

    part: Part

    def prepare(self, observed: Observed) -> Any:
        """Before the commit: everything that can fail. Gives what deliver() needs; changes nothing."""

    def deliver(self, prepared: Sequence[Any]) -> None:
        """After the commit: take the calls that are new in the ledger."""
