"""A pipeline put together as the observer does it, with sinks that remember what they got."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from proxy.core.call import CallRecord
from proxy.core.config import Price
from proxy.journal.segments import journal_directory
from proxy.observe.attribution import Attribution
from proxy.observe.guards import Guards, Part
from proxy.observe.interpreting import Interpreter
from proxy.observe.observed import Observed
from proxy.observe.pipeline import LedgerWriter, Pipeline
from proxy.observe.pricing import PriceBook
from proxy.observe.state import ObserverState

PRICES = {"llama3.2": Price(input_usd_per_mtok=1.0, output_usd_per_mtok=2.0)}


class Remembering:
    """A sink."""

    def __init__(self, part: Part = "metrics") -> None:
        self.part = part
        self.got: list[CallRecord] = []

    def prepare(self, observed: Observed) -> CallRecord:
        return observed.record

    def deliver(self, prepared: Sequence[CallRecord]) -> None:
        self.got.extend(prepared)

    def ids(self) -> list[str]:
        """The calls that came, in their order."""
        return [record.call_id for record in self.got]


class Kit:
    """All that belongs to one pipeline."""

    def __init__(self, data: Path, ledger: LedgerWriter, *, fail: str = "", key: bytes = b"k", **options: Any) -> None:
        self.guards = Guards(fail)
        self.state = ObserverState()
        self.metrics, self.log = Remembering("metrics"), Remembering("log")
        self.pauses: list[float] = []
        interpreter = Interpreter(
            self.guards, PriceBook(PRICES, None), lambda _upstream: None, attribution=Attribution(self.guards, key)
        )
        settings: dict[str, Any] = {"pause": self.pauses.append, **options}
        self.pipeline = Pipeline(
            journal_directory(data), ledger, interpreter, (self.metrics, self.log), self.guards, self.state, **settings
        )

    def run(self) -> None:
        """Turn until all is read."""
        while self.pipeline.turn():
            pass


def stop_after(failures: int) -> Callable[[], bool]:
    """A `goes_on` that gives up after so many questions."""
    left = [failures]

    def goes_on() -> bool:
        left[0] -= 1
        return left[0] > 0

    return goes_on
