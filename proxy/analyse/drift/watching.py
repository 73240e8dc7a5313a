"""Watching: the detector live. A sink of the observer that reads what was committed, and writes events to the ledger.

A lane (route, model, digest) is rebuilt from the ledger when its first answer comes: its signals are fed again, and
the same events come out. Those that the ledger has already are not written again, so that whatever is killed when,
nothing is forgotten and nothing is told twice. Runs in the observer's thread, after the commit; bounded.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

import msgspec
import numpy as np

from proxy.analyse.drift.detector import Detector, Moved, Sample, Told
from proxy.analyse.drift.tuning import DEFAULT
from proxy.core.config import Drift
from proxy.core.event import DriftKind, Event
from proxy.observe.guards import Guards, Part
from proxy.observe.observed import Observed
from proxy.observe.quality.faults import named
from proxy.observe.quality.signals import NAMES, PROMPT_NAMES
from proxy.store import UpstreamChanges
from proxy.store.signal_rows import StoredSignals

LANES: Final = 500  # detectors in memory; the one used longest ago goes, and comes back from the ledger
_PAGE: Final = 500  # rows of one reading
_DAY_S: Final = 86_400.0
_LEAST_BUDGET, _MOST_BUDGET = 5_000.0, 1e9
_CALLS_KEPT: Final = 1024
_LOOK_S: Final = 1.0  # how often what people accepted is looked for
_KINDS: Final[dict[str, DriftKind]] = {
    "baseline": "drift_baseline", "raised": "drift_raised", "recovered": "drift_recovered",
}  # fmt: skip

log = logging.getLogger("sightglass.drift")


class SignalSource(Protocol):
    """What signals are read from."""

    def signals_after(self, seq: int, *, limit: int, lane: int | None = None) -> list[StoredSignals]: ...


class DriftLedger(SignalSource, Protocol):
    """The ledger as the detector needs it."""

    def drift_events(self, *, after: int = 0) -> list[Event]: ...
    def note_changes(self, changes: UpstreamChanges) -> list[Event]: ...


class LaneState(msgspec.Struct, frozen=True, kw_only=True):
    """One lane as metrics, console and `drift status` show it."""

    lane: int
    route: str
    model: str | None
    digest: str | None
    state: str  # learning, calm, alarmed
    answers: int
    version: int  # of the baseline; 0 = none yet
    evidence: dict[str, float]
    level: float
    alarms: tuple[str, ...]


class _Lane:
    def __init__(self, first: StoredSignals, settings: Drift, version: int) -> None:
        self.first = first
        self.version = version
        self.last = 0  # seq of the row that was fed last
        self.began_unix_ns = first.started_unix_ns
        self.calls: deque[str] = deque(maxlen=_CALLS_KEPT)
        self.identities: set[str] = set()
        tuning = msgspec.structs.replace(
            DEFAULT, warm_up=settings.warm_up_answers, latency_tolerance=settings.latency_tolerance
        )
        self.detector = Detector(_LEAST_BUDGET, tuning)


class DriftWatch:
    """For the observer's thread; `states` and the counts may be read by any."""

    part: Part = "drift"

    def __init__(self, settings: Drift, guards: Guards, *, told: Callable[[Event], None] = lambda _: None) -> None:
        """told: called with each new event, after it was written."""
        self._settings, self._guards, self._told = settings, guards, told
        self._waiting = False  # there are rows that were not read yet
        self._last: int | None = None  # seq of the newest row that was read
        self._lanes: OrderedDict[int, _Lane] = OrderedDict()
        self._written: dict[int, dict[tuple[str, str, int], Event]] = {}  # lane -> (event, subject, seq) -> event
        self._accepted: dict[int, tuple[int, int]] = {}  # lane -> (seq, how often)
        self._event_id = 0
        self._looked = 0.0
        self.raised: dict[tuple[str, str], int] = {}  # (kind, severity) -> events since the start

    def prepare(self, observed: Observed) -> bool:
        """Whether the call has signals."""
        return observed.record.signals is not None

    def deliver(self, prepared: Sequence[Any]) -> None:
        """Rows were committed."""
        self._waiting = self._waiting or any(prepared)

    def turn(self, ledger: DriftLedger) -> None:
        """Feed what was committed since, write what it showed. Raises LedgerError; the next turn goes on there."""
        if self._last is None:
            self._begin(ledger)
        if time.monotonic() - self._looked >= _LOOK_S:
            self._looked = time.monotonic()
            self._take_events(ledger.drift_events(after=self._event_id))
        if not self._waiting:
            return
        assert self._last is not None
        rows = ledger.signals_after(self._last, limit=_PAGE)
        for stored in rows:
            self._see(ledger, stored)
            self._last = stored.seq
        self._waiting = len(rows) == _PAGE

    def states(self) -> list[LaneState]:
        """All lanes in memory."""
        return [_state(number, lane) for number, lane in list(self._lanes.items())]

    def _begin(self, ledger: DriftLedger) -> None:
        """From the events that are there: rows behind the newest event's may have shown more than was written."""
        self._take_events(ledger.drift_events())
        newest = max((seq for events in self._written.values() for _, _, seq in events), default=0)
        self._last, self._waiting = newest, True

    def _take_events(self, events: Sequence[Event]) -> None:
        for event in events:
            self._event_id = max(self._event_id, event.event_id)
            lane, seq = event.details.get("lane"), event.details.get("seq")
            if not isinstance(lane, str) or not isinstance(seq, int):
                continue
            number = int(lane)
            if event.kind == "drift_accepted":
                self._accepted[number] = (seq, self._accepted.get(number, (0, 0))[1] + 1)
                self._lanes.pop(number, None)
            word = event.kind.removeprefix("drift_")
            self._written.setdefault(number, {})[word, str(event.details.get("subject")), seq] = event

    def _see(self, ledger: DriftLedger, stored: StoredSignals) -> None:
        number = stored.row.lane
        lane = self._lanes.get(number)
        if lane is None:
            lane = self._rebuilt(ledger, stored)
        self._lanes.move_to_end(number)
        if stored.seq > lane.last:
            self._feed(ledger, number, lane, stored)

    def _rebuilt(self, ledger: DriftLedger, stored: StoredSignals) -> _Lane:
        """The lane as it was before this row: all its rows since it began, or was accepted, once more."""
        number = stored.row.lane
        since, times = self._accepted.get(number, (0, 0))
        lane: _Lane | None = None
        while True:
            rows = ledger.signals_after(since, limit=_PAGE, lane=number)
            for row in rows:
                since = row.seq
                if row.seq >= stored.seq:
                    break
                lane = lane or _Lane(row, self._settings, times + 1)
                self._feed(ledger, number, lane, row)
            if len(rows) < _PAGE or since >= stored.seq:
                break
        lane = lane or _Lane(stored, self._settings, times + 1)
        self._lanes[number] = lane
        if len(self._lanes) > LANES:
            self._lanes.popitem(last=False)
        return lane

    def _feed(self, ledger: DriftLedger, number: int, lane: _Lane, stored: StoredSignals) -> None:
        lane.calls.append(stored.call_id)
        found = _exact(lane, stored)
        found += lane.detector.feed(sample_of(stored))
        for told in found:
            if told.event == "baseline":
                lane.detector.level = self._level(number, lane, stored)
            key = (told.event, told.subject, stored.seq)
            if key not in self._written.get(number, {}):
                self._write(ledger, number, lane, stored, told)
        lane.last = stored.seq

    def _level(self, number: int, lane: _Lane, stored: StoredSignals) -> float:
        """From the budget of the settings and this lane's share of the traffic; as it was, if it was told before."""
        known = self._written.get(number, {}).get(("baseline", "output", stored.seq))
        if known is not None and isinstance(known.details.get("level"), int | float):
            return float(known.details["level"])
        took_s = max((stored.started_unix_ns - lane.began_unix_ns) / 1e9, 1.0)
        a_day = lane.detector.answers / took_s * _DAY_S
        lanes = max(sum(other.detector.learned for other in self._lanes.values()), 1)
        budget = a_day * self._settings.false_alarm_days * lanes
        return float(np.log(min(max(budget, _LEAST_BUDGET), _MOST_BUDGET)))

    def _write(self, ledger: DriftLedger, number: int, lane: _Lane, stored: StoredSignals, told: Told) -> None:
        event = _event(number, lane, stored, told)
        [written] = ledger.note_changes(UpstreamChanges(events=[event]))
        self._written.setdefault(number, {})[told.event, told.subject, stored.seq] = written
        self._event_id = max(self._event_id, written.event_id)
        if told.event == "raised":
            key = (told.kind, told.severity)
            self.raised[key] = self.raised.get(key, 0) + 1
        level = logging.WARNING if told.event == "raised" else logging.INFO
        log.log(level, written.kind, extra=_logged(written))
        self._told(written)


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


def _exact(lane: _Lane, stored: StoredSignals) -> list[Told]:
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


def _event(number: int, lane: _Lane, stored: StoredSignals, told: Told) -> Event:
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
    if stored.digest:
        details["digest"] = stored.digest
    return Event(
        at_unix_ns=time.time_ns(), kind=_KINDS[told.event], upstream=stored.upstream, model=stored.model,
        before=f"{first.name} {first.before:.4g}" if first else None,
        after=f"{first.name} {first.after:.4g}" if first else None,
        details=details,
    )  # fmt: skip


def _logged(event: Event) -> dict[str, Any]:
    names = ("route", "kind", "subject", "severity", "evidence", "since_call_id", "version")
    told = {f"drift_{name}": event.details[name] for name in names if name in event.details}
    return {"model": event.model, "upstream": event.upstream, "before": event.before, "after": event.after, **told}


def _state(number: int, lane: _Lane) -> LaneState:
    detector = lane.detector
    alarms = tuple(sorted(detector.standing))
    return LaneState(
        lane=number, route=lane.first.route, model=lane.first.model, digest=lane.first.digest,
        state="alarmed" if alarms else "calm" if detector.learned else "learning",
        answers=detector.answers, version=lane.version if detector.learned else 0,
        evidence=dict(detector.evidence), level=detector.level, alarms=alarms,
    )  # fmt: skip
