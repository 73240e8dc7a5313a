"""Signals of one answer as the ledger keeps them: numbers only, nothing of its text."""

from __future__ import annotations

import msgspec


class SignalRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the ledger's `signals`, written with its call."""

    lane: int  # of route, model and digest: observe.quality.signalling.lane_of
    numbers: bytes  # float32: the features, then those of the prompt
    faults: int  # observe.quality.faults.BITS
    quality: float | None = None  # in [0, 1]
    in_flight: int | None = None  # calls of the lane that ran at the same time and ended before
    identity: str | None = None  # what the answer calls its model, and its system fingerprint
