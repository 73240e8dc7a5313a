"""Answered: what scorers see of one answer. Its texts live in memory only and go no further."""

from __future__ import annotations

import msgspec

from proxy.core.call import CallRecord
from proxy.observe.quality.answer import Answer
from proxy.observe.quality.signals import PLACE, Signals


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """One answer with its signals. None: not known."""

    answer: Answer
    signals: Signals
    latency_s: float | None = None  # from the request to the end of the answer
    record: CallRecord | None = None  # the call; None offline

    @property
    def prompt(self) -> str:
        """The last words of the user."""
        return self.answer.prompt

    @property
    def response(self) -> str:
        return self.answer.response

    @property
    def faults(self) -> frozenset[str]:
        """Hard faults by name, such as `leak`."""
        return self.signals.faults

    def signal(self, name: str) -> float:
        """One of signals.NAMES; nan where it is not known."""
        return float(self.signals.features[PLACE[name]])
