"""Live: the parts of drift in the observer, made from the settings and tied to its metrics."""

from __future__ import annotations

from typing import Any, Final

from proxy.analyse.drift.watching import DriftWatch, LaneState
from proxy.core.config import Config
from proxy.observe import definitions as d
from proxy.observe.guards import Guards
from proxy.observe.metrics import Metrics
from proxy.observe.quality.score import WEIGHTS
from proxy.observe.quality.scorers import load_scorers
from proxy.observe.quality.signalling import Signalling

_STATES: Final = {"learning": 0, "calm": 1, "alarmed": 2}
_SHOWN: Final = 200  # lanes with series of their own


class LiveDrift:
    """Makes signals, watches them, and shows what it finds."""

    def __init__(self, config: Config, guards: Guards, metrics: Metrics) -> None:
        self.signalling = Signalling(load_scorers(config.quality.scorers, guards, taken=WEIGHTS))
        self.watch = DriftWatch(config.drift, guards)
        self._metrics = metrics
        metrics.at_scrape(self._show)

    def _show(self) -> None:
        self._metrics.set(d.QUALITY_PARTS, {(name,): total for name, total in dict(self.signalling.parts).items()})
        shown = self.watch.states()[-_SHOWN:]
        self._metrics.set(d.DRIFT_EVENTS, {labels: float(count) for labels, count in dict(self.watch.raised).items()})
        self._metrics.replace(d.DRIFT_STATE, {_labels(one): float(_STATES[one.state]) for one in shown})
        self._metrics.replace(d.DRIFT_BASELINE, {_labels(one): float(one.version) for one in shown})
        evidence: dict[tuple[str, ...], float] = {}
        for one in shown:
            for subject, nats in one.evidence.items():
                labels = (*_labels(one), subject.partition(":")[0])
                evidence[labels] = max(evidence.get(labels, 0.0), round(nats / one.level, 3))
        self._metrics.replace(d.DRIFT_EVIDENCE, evidence)


def _labels(state: LaneState) -> tuple[str, ...]:
    return state.route, state.model or "none"


def states_json(states: list[LaneState]) -> list[dict[str, Any]]:
    """Lanes as the console and `drift status` tell them."""
    return [
        {
            "route": one.route, "model": one.model, "digest": one.digest, "state": one.state, "answers": one.answers,
            "baseline": one.version, "alarms": list(one.alarms), "level": round(one.level, 2),
            "evidence": {name: round(nats, 2) for name, nats in one.evidence.items()},
        }
        for one in states
    ]  # fmt: skip
