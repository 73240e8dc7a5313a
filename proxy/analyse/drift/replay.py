"""Replay: the detector over records in order, as live. One record a call, content and all; nothing of it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from proxy.analyse.drift.detector import Detector
from proxy.analyse.drift.severity import Severity
from proxy.analyse.drift.told import EventWord, Kind, Moved, Sample, Told
from proxy.analyse.drift.tuning import DEFAULT, Tuning
from proxy.observe.quality.answer import Answer
from proxy.observe.quality.reference import References
from proxy.observe.quality.signals import Signals, signals_of

BUDGET = 20_000  # answers to a false alarm
_KEPT_INDEXES = 4096


class DriftEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One line of `sightglass drift replay`."""

    index: int  # of the record at which it happened
    event: EventWord
    kind: Kind
    route: str | None
    model: str | None
    signals: tuple[Moved, ...] = ()
    evidence: float = 0.0
    since_index: int = 0
    severity: Severity = "none"


class _Lane:
    """One route and model: its detector, what its first answers were like, and where its answers were in the input."""

    def __init__(self, budget: float, tuning: Tuning) -> None:
        self.detector = Detector(budget, tuning)
        self.references = References()
        self.indexes: list[int] = []

    def at(self, index: int) -> None:
        """Its next answer is that record."""
        self.indexes.append(index)
        if len(self.indexes) > 2 * _KEPT_INDEXES:
            del self.indexes[:_KEPT_INDEXES]

    def index(self, ago: int) -> int:
        """Record of the answer that many ago, 1 being the last."""
        return self.indexes[-min(max(ago, 1), len(self.indexes))]


class Replay:
    """Feed records, get events."""

    def __init__(self, budget: float = BUDGET, tuning: Tuning = DEFAULT) -> None:
        """budget: answers between two false alarms."""
        self._budget, self._tuning = budget, tuning
        self._lanes: dict[tuple[str | None, str | None], _Lane] = {}
        self._models: dict[str | None, str | None] = {}  # route -> the model that answered there last
        self.index = -1  # of the last record
        self.signals: Signals | None = None  # of the last record

    def feed(self, record: Mapping[str, Any]) -> list[DriftEvent]:
        """Events of one record. Raises TypeError, ValueError for one that is none; it then counts as an index only."""
        self.index += 1
        answer = answer_of(record)
        route, model = _text(record, "route"), _text(record, "model")
        events = self._exact(route, model)
        lane = self._lanes.get((route, model))
        if lane is None:
            lane = self._lanes[route, model] = _Lane(self._budget, self._tuning)
        lane.at(self.index)
        self.signals = lane.references.filled(signals_of(answer))
        for told in lane.detector.feed(sample_of(self.signals, record)):
            events.append(self._event(told, route, model, lane.index(told.ago)))
        return events

    def _exact(self, route: str | None, model: str | None) -> list[DriftEvent]:
        """A model that never answered on a route before, where another one has a baseline."""
        before = self._models.get(route)
        known = (route, model) in self._lanes
        self._models[route] = model
        if known or before is None or model is None or not self._lanes[route, before].detector.learned:
            return []
        signal = Moved(name=f"model {before} -> {model}", before=0.0, after=1.0)
        told = Told(event="raised", kind="exact", subject="exact:model", signals=(signal,), severity="high")
        return [self._event(told, route, model, self.index)]

    def _event(self, told: Told, route: str | None, model: str | None, since_index: int) -> DriftEvent:
        return DriftEvent(
            index=self.index, event=told.event, kind=told.kind, route=route, model=model, signals=told.signals,
            evidence=round(told.evidence, 2), since_index=since_index, severity=told.severity,
        )  # fmt: skip


def answer_of(record: Mapping[str, Any]) -> Answer:
    """The answer that a record is about. Raises TypeError for fields of another type."""
    return Answer(
        response=_text(record, "response") or "",
        prompt=_text(record, "prompt") or "",
        finish_reason=_text(record, "finish_reason"),
        response_format=record.get("response_format"),
        prompt_tokens=_count(record, "prompt_tokens"),
        completion_tokens=_count(record, "completion_tokens"),
    )


def sample_of(signals: Signals, record: Mapping[str, Any]) -> Sample:
    """Signals and what the record tells of the wire. Raises TypeError, ValueError for fields that cannot be."""
    latency_ms = _number(record, "latency_ms")
    return Sample(
        features=signals.features,
        prompt=signals.prompt,
        faults=signals.faults,
        latency_s=latency_ms / 1000 if latency_ms is not None and latency_ms > 0 else None,
        tokens=_count(record, "completion_tokens"),
        prompt_tokens=_count(record, "prompt_tokens"),
        in_flight=_count(record, "in_flight"),
    )


def _text(record: Mapping[str, Any], name: str) -> str | None:
    value = record.get(name)
    if value is not None and not isinstance(value, str):
        raise TypeError(f"{name}: expected a text or null, got {type(value).__name__}")
    return value


def _number(record: Mapping[str, Any], name: str) -> float | None:
    value = record.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise TypeError(f"{name}: expected a number or null, got {type(value).__name__}")
    if value is not None and not abs(value) < _HUGE:
        raise ValueError(f"{name}: {value} is not a number that can be")
    return value


def _count(record: Mapping[str, Any], name: str) -> int | None:
    value = _number(record, name)
    if value is not None and value < 0:
        raise ValueError(f"{name}: {value} is negative")
    return None if value is None else int(value)


_HUGE = 1e15
