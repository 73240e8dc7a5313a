"""What one commit of the ledger takes and gives back."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec

from proxy.core.call import CallRecord
from proxy.core.exchange import Started
from proxy.core.tally import Tally


class OpenCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call whose `started` frame was read and whose end was not."""

    writer: str  # the relay's journal that it stands in
    started: Started


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """What is written in one transaction: either all of it is in the ledger, or none.

    opened: calls that began; one that also ends in this batch need not be named.
    cleaned: the calls went through `cleaning.clean` already.
    closed: call ids that ended; naming one that is not open is no mistake.
    positions: writer -> (segment, offset) behind the last frame that this batch holds.
    tallies: writer -> what this batch accounts for.
    """

    calls: Sequence[CallRecord] = ()
    cleaned: bool = False
    positions: Mapping[str, tuple[int, int]] = {}
    opened: Sequence[OpenCall] = ()
    closed: Collection[str] = ()
    tallies: Mapping[str, Tally] = {}


class Committed(msgspec.Struct, frozen=True, kw_only=True):
    """What a commit did.

    records: the calls now in the ledger that were not there before, once each, in the batch's order and as stored
    (cleaned ones are marked): what counters and logs should take.
    repeated: ids that were there already, or stood in the batch twice.
    refused: ids that the database would not take even cleaned and alone; they are lost and want counting.
    """

    records: tuple[CallRecord, ...] = ()
    repeated: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()

    @property
    def inserted(self) -> int:
        """How many calls are new in the ledger."""
        return len(self.records)


class StoredCall(msgspec.Struct, frozen=True):
    """A call and its place in the order of commits."""

    seq: int
    record: CallRecord


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """Sums over the whole ledger. Unknown values add nothing."""

    calls: int
    outcomes: dict[str, int]
    prompt_tokens: int
    completion_tokens: int
    cost_nanousd: int
