"""Live: drift in the observer, tied to its metrics. Light until the first answer comes: only then numpy is imported."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from proxy.analyse.drift.known import KnownLanes
from proxy.core.call import CallRecord
from proxy.core.config import Config
from proxy.core.event import Event
from proxy.core.signal_row import SignalRow
from proxy.observe import definitions as d
from proxy.observe.guards import Guards, Part
from proxy.observe.metrics import Metrics
from proxy.observe.observed import Observed
from proxy.wire.meaning import Meaning

if TYPE_CHECKING:
    from proxy.analyse.drift.lane import LaneState
    from proxy.analyse.drift.watching import DriftWatch
    from proxy.observe.quality.signalling import Signalling

_STATES: Final = {"learning": 0, "calm": 1, "alarmed": 2}
DIGEST_CHARACTERS: Final = 12  # as `ollama list` shows it
LANES_TOLD: Final = 200  # lanes with series of their own


class Remembered(Protocol):
    """The ledger, as far as it is asked at the begin."""

    def references(self) -> Sequence[tuple[int, bytes, bytes]]: ...
    def drift_events(self, *, after: int = 0) -> list[Event]: ...


class DriftReport(msgspec.Struct, frozen=True, kw_only=True):
    """How it stands with all routes and models, for people."""

    states: dict[str, int]  # how many are learning, calm, alarmed; of those not in memory, only alarmed ones
    alarms: list[Event]  # that stand, oldest first; those of lanes that did not answer since the start as well


class LiveDrift:
    """Makes signals, watches them, shows what it finds: signalling, sink and reader of the ledger in one."""

    part: Part = "drift"

    def __init__(
        self, config: Config, guards: Guards, metrics: Metrics, *, told: Callable[[Event], None] = lambda _: None
    ) -> None:
        """told: called with each new event, after it was written."""
        self._told = told
        self._config, self._guards, self._metrics = config, guards, metrics
        self._ledger: Remembered | None = None
        self._signalling: Signalling | None = None
        self._watch: DriftWatch | None = None
        self._stood: list[Event] = []  # alarms of before our time, until the watch knows them itself
        metrics.at_scrape(self._show)

    def recall(self, ledger: Remembered) -> None:
        """Begin anew with what the ledger remembers. Raises LedgerError."""
        self._ledger = ledger
        self._stood = KnownLanes(ledger.drift_events()).alarms()
        if self._signalling is not None:
            self._signalling.recall(ledger)

    def row(self, record: CallRecord, meaning: Meaning, request: dict[str, Any] | None) -> SignalRow | None:
        """As Signalling.row. Raises LedgerError when what was learned cannot be read back yet."""
        if record.model is None or record.outcome != "ok":
            return None
        return self._begun().row(record, meaning, request)

    def passed(self, record: CallRecord, meaning: Meaning) -> bool:
        """As Signalling.passed."""
        if record.model is None or record.outcome != "ok":
            return False
        return self._begun().passed(record, meaning)

    def learned(self) -> Sequence[tuple[int, bytes, bytes]]:
        """As Signalling.learned."""
        return self._signalling.learned() if self._signalling is not None else ()

    def prepare(self, observed: Observed) -> bool:
        """Whether the call has signals."""
        return observed.record.signals is not None

    def deliver(self, prepared: Sequence[Any]) -> None:
        """Rows were committed."""
        if self._watch is not None:
            self._watch.deliver(prepared)

    def turn(self, ledger: Any, /, *, busy: bool = False) -> None:
        """As DriftWatch.turn; nothing before the first answer."""
        if self._watch is not None:
            self._watch.turn(ledger, busy=busy)

    def report(self) -> DriftReport:
        """How it stands. From any thread."""
        watch = self._watch
        states = dict.fromkeys(_STATES, 0)
        shown = watch.states() if watch is not None else []
        for lane in shown:
            states[lane.state] += 1
        alarms = self._alarms()
        states["alarmed"] += len({_labels_of(event) for event in alarms} - {_labels(lane) for lane in shown})
        return DriftReport(states=states, alarms=alarms)

    def _alarms(self) -> list[Event]:
        return self._watch.alarms() if self._watch is not None and self._watch.began else self._stood

    def _begun(self) -> Signalling:
        if self._signalling is None:
            from proxy.analyse.drift.watching import DriftWatch
            from proxy.observe.quality.score import WEIGHTS
            from proxy.observe.quality.scorers import load_scorers
            from proxy.observe.quality.signalling import Signalling

            made = Signalling(load_scorers(self._config.quality.scorers, self._guards, taken=WEIGHTS))
            if self._ledger is not None:
                made.recall(self._ledger)
            self._signalling, self._watch = made, DriftWatch(self._config.drift, self._guards, told=self._told)
        return self._signalling

    def _show(self) -> None:
        stood = {_labels_of(event): float(_STATES["alarmed"]) for event in self._alarms()[-LANES_TOLD:]}
        if self._signalling is None or self._watch is None:
            self._metrics.replace(d.DRIFT_STATE, stood)
            return
        self._metrics.set(d.QUALITY_PARTS, {(name,): total for name, total in dict(self._signalling.parts).items()})
        known = dict(self._signalling.known)
        self._metrics.set(d.QUALITY_PART_ANSWERS, {(name,): float(count) for name, count in known.items()})
        self._metrics.set(d.DRIFT_EVENTS, {labels: float(count) for labels, count in dict(self._watch.raised).items()})
        shown = self._watch.states()[-LANES_TOLD:]
        self._metrics.replace(d.DRIFT_STATE, stood | {_labels(one): float(_STATES[one.state]) for one in shown})
        self._metrics.replace(d.DRIFT_BASELINE, {_labels(one): float(one.version) for one in shown})
        answers = {_labels(one): float(one.baseline_answers) for one in shown}
        self._metrics.replace(d.DRIFT_BASELINE_ANSWERS, answers)
        evidence: dict[tuple[str, ...], float] = {}
        for one in shown:
            for subject, nats in one.evidence.items():
                labels = (*_labels(one), subject.partition(":")[0])
                evidence[labels] = max(evidence.get(labels, 0.0), round(nats / one.level, 3))
        self._metrics.replace(d.DRIFT_EVIDENCE, evidence)


def _labels(state: LaneState) -> tuple[str, ...]:
    return _named(state.route, state.model, state.digest)


def _labels_of(event: Event) -> tuple[str, ...]:
    """Of the lane that an alarm is of, which need not have answered since the start."""
    return _named(str(event.details.get("route")), event.model, event.details.get("digest"))


def _named(route: str, model: str | None, digest: str | None) -> tuple[str, ...]:
    return route, model or "none", (digest or "none").removeprefix("sha256:")[:DIGEST_CHARACTERS]
