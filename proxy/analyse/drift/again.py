"""Again: the ledger's answers through fresh detectors, as `sightglass drift replay --ledger` tells them."""

from __future__ import annotations

import math
from collections.abc import Iterator

from proxy.analyse.drift.detector import Detector
from proxy.analyse.drift.lane import sample_of
from proxy.analyse.drift.replay import DriftEvent
from proxy.analyse.drift.watching import SignalSource

_PAGE = 500


def replayed(ledger: SignalSource, budget: float) -> Iterator[DriftEvent]:
    """Events in order; `index` counts the ledger's answers from 0. budget: answers to a false alarm."""
    detectors: dict[int, tuple[Detector, list[int]]] = {}
    index = after = 0
    while rows := ledger.signals_after(after, limit=_PAGE):
        for stored in rows:
            detector, indexes = detectors.setdefault(stored.row.lane, (Detector(budget), []))
            indexes.append(index)
            for told in detector.feed(sample_of(stored)):
                yield DriftEvent(
                    index=index, event=told.event, kind=told.kind, route=stored.route, model=stored.model,
                    signals=told.signals, evidence=round(told.evidence, 2) if math.isfinite(told.evidence) else 0.0,
                    since_index=indexes[-min(max(told.ago, 1), len(indexes))], severity=told.severity,
                )  # fmt: skip
            index += 1
        after = rows[-1].seq
