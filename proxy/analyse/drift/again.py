"""Again: the ledger's answers through fresh detectors, as `sightglass drift replay --ledger` tells them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Protocol

from proxy.analyse.drift.detector import Detector
from proxy.analyse.drift.known import lane_of
from proxy.analyse.drift.lane import sample_of
from proxy.analyse.drift.replay import DriftEvent
from proxy.analyse.drift.tuning import Tuning
from proxy.analyse.drift.watching import SignalSource
from proxy.core.event import Event
from proxy.store.signal_rows import StoredSignals

_PAGE = 500


class Past(SignalSource, Protocol):
    """The ledger: answers, and what people accepted meanwhile."""

    def drift_events(self, *, after: int = 0) -> list[Event]: ...


class _Lane:
    """One route, model and digest; learned anew where that was accepted."""

    def __init__(self) -> None:
        self.detector: Detector | None = None
        self.indexes: list[int] = []
        self.since = 0  # seq behind which its baseline is learned


class Again:
    """Detectors with settings of their own over all that is in the ledger."""

    def __init__(self, ledger: Past, budget: float, tuning: Tuning) -> None:
        """budget: answers to a false alarm."""
        self._ledger, self._budget, self._tuning = ledger, budget, tuning
        self._lanes: dict[int, _Lane] = {}
        self._accepted: dict[int, list[int]] = {}
        for event in ledger.drift_events():
            number, seq = lane_of(event), event.details.get("seq")
            if event.kind == "drift_accepted" and number is not None and isinstance(seq, int):
                self._accepted.setdefault(number, []).append(seq)

    @property
    def learning(self) -> int:
        """Routes and models that have no baseline in the end."""
        return sum(lane.detector is None or not lane.detector.learned for lane in self._lanes.values())

    def events(self) -> Iterator[DriftEvent]:
        """In order; `index` counts the ledger's answers from 0."""
        index = after = 0
        while rows := self._ledger.signals_after(after, limit=_PAGE):
            for stored in rows:
                yield from self._fed(stored, index)
                index += 1
            after = rows[-1].seq

    def _fed(self, stored: StoredSignals, index: int) -> Iterator[DriftEvent]:
        lane = self._lanes.setdefault(stored.row.lane, _Lane())
        since = max((seq for seq in self._accepted.get(stored.row.lane, ()) if seq < stored.seq), default=0)
        if lane.detector is None or since > lane.since:
            lane.detector, lane.since = Detector(self._budget, self._tuning), since
        lane.indexes.append(index)
        for told in lane.detector.feed(sample_of(stored)):
            yield DriftEvent(
                index=index, event=told.event, kind=told.kind, route=stored.route, model=stored.model,
                signals=told.signals, evidence=round(told.evidence, 2) if math.isfinite(told.evidence) else 0.0,
                since_index=lane.indexes[-min(max(told.ago, 1), len(lane.indexes))], severity=told.severity,
            )  # fmt: skip
