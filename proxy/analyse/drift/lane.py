"""Lane: one route, model and digest as it is watched: its detector, and what events of it tell. Pure."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Iterable
from typing import Any, Final

import msgspec
import numpy as np

from proxy.analyse.drift.detector import Detector
from proxy.analyse.drift.told import Moved, Sample, Told
from proxy.analyse.drift.tuning import tuned
from proxy.core.config import Drift
from proxy.core.event import DriftKind, Event
from proxy.observe.quality.faults import named
from proxy.observe.quality.signals import NAMES, PROMPT_NAMES
from proxy.store.signal_rows import StoredSignals

LEAST_BUDGET: Final = 5_000.0  # answers to a false alarm
_CALLS_KEPT: Final = 1024
_KINDS: Final[dict[str, DriftKind]] = {
    "baseline": "drift_baseline", "raised": "drift_raised", "recovered": "drift_recovered",
}  # fmt: skip


class LaneState(msgspec.Struct, frozen=True, kw_only=True):
    """One lane as metrics, console and `drift status` show it."""

    lane: int
    route: str
    model: str | None
    digest: str | None
    state: str  # learning, calm, alarmed
    answers: int
    version: int  # of the baseline; 0 = none yet
    baseline_answers: int  # that the last ones are compared with
    evidence: dict[str, float]
    level: float
    alarms: tuple[str, ...]


class Lane:
    """Feeds its detector with rows of the ledger."""

    def __init__(self, first: StoredSignals, settings: Drift, version: int) -> None:
        self.first = first
        self.version = version
        self.began_unix_ns = first.started_unix_ns
        self.calls: deque[str] = deque(maxlen=_CALLS_KEPT)
        self.identities: set[str] = set()
        self.detector = Detector(LEAST_BUDGET, tuned(settings))

    def steps(self, stored: StoredSignals) -> Generator[None, None, list[Told]]:
        """What this answer showed, a step at a time; as Detector.steps."""
        self.calls.append(stored.call_id)
        exact = _exact(self, stored)
        if exact:
            self.detector.freeze(0)  # it may be another model from here on
        return exact + (yield from self.detector.steps(sample_of(stored)))

    def stand(self, subjects: Iterable[str], swings: int) -> None:
        """Have these alarms stand, and no others: they were told, and so nothing is told twice or forgotten."""
        detector = self.detector
        detector.swings = swings
        before = detector.standing
        detector.standing = {
            subject: before.get(subject, detector.count) for subject in sorted(subjects) if subject[:6] != "exact:"
        }

    def state(self, number: int) -> LaneState:
        """As it is shown."""
        detector = self.detector
        alarms = tuple(sorted(detector.standing))
        return LaneState(
            lane=number, route=self.first.route, model=self.first.model, digest=self.first.digest,
            state="alarmed" if alarms else "calm" if detector.learned else "learning",
            answers=detector.answers, version=self.version if detector.learned else 0,
            baseline_answers=detector.baseline_answers, evidence=dict(detector.evidence),
            level=detector.level, alarms=alarms,
        )  # fmt: skip


def sample_of(stored: StoredSignals) -> Sample:
    """A row of the ledger as the detector takes it."""
    numbers = np.frombuffer(stored.row.numbers, "<f4")
    if len(numbers) != len(NAMES) + len(PROMPT_NAMES):  # of another version: nothing but its faults can be compared
        numbers = np.full(len(NAMES) + len(PROMPT_NAMES), np.nan, np.float32)
    latency_s = stored.duration_s
    if stored.cold_start:
        latency_s = latency_s - stored.load_s if latency_s and stored.load_s else None
    return Sample(
        features=numbers[: len(NAMES)],
        prompt=numbers[len(NAMES) :],
        faults=named(stored.row.faults),
        latency_s=latency_s,
        tokens=stored.completion_tokens,
        prompt_tokens=stored.prompt_tokens,
        in_flight=stored.row.in_flight,
    )


def _exact(lane: Lane, stored: StoredSignals) -> list[Told]:
    """A name of the model, or a fingerprint, that was never seen while the baseline was learned."""
    identity = stored.row.identity
    if identity is None or identity in lane.identities:
        return []
    before = sorted(lane.identities)
    lane.identities.add(identity)
    if not before or not lane.detector.learned:
        return []
    signal = Moved(name=f"answers as {identity}, before as {before[-1]}", before=0.0, after=1.0)
    return [Told(event="raised", kind="exact", subject="exact:identity", signals=(signal,), severity="medium")]


def event_of(number: int, lane: Lane, stored: StoredSignals, told: Told) -> Event:
    """What is written of it."""
    first = told.signals[0] if told.signals else None
    ago = min(max(told.ago, 1), len(lane.calls))
    details: dict[str, Any] = {
        "lane": str(number), "seq": stored.seq, "route": stored.route, "kind": told.kind, "subject": told.subject,
        "severity": told.severity, "evidence": round(told.evidence, 2), "level": round(lane.detector.level, 4),
        "version": lane.version, "since_call_id": lane.calls[-ago], "call_id": stored.call_id,
        "examples": list(dict.fromkeys(list(lane.calls)[-3:])),
        "signals": [
            {name: value for name, value in msgspec.structs.asdict(signal).items() if value is not None}
            for signal in told.signals[:5]
        ],
    }  # fmt: skip
    if told.event == "raised" and lane.detector.learned:
        details["baseline_answers"] = lane.detector.baseline_answers
    for name in ("digest", "trace_id", "span_id"):
        if (value := getattr(stored, name)) is not None:
            details[name] = value
    return Event(
        at_unix_ns=time.time_ns(), kind=_KINDS[told.event], upstream=stored.upstream, model=stored.model,
        before=f"{first.name} {first.before:.4g}" if first else None,
        after=f"{first.name} {first.after:.4g}" if first else None,
        details=details,
    )  # fmt: skip
