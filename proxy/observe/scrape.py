"""What is looked up at a scrape: relays, journal, observer, processes, upstreams. Sets it all in the metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from proxy.journal.counters import Counter
from proxy.journal.segments import journal_directory
from proxy.observe import definitions as d
from proxy.observe.exports import Exports
from proxy.observe.families import Family, Labels
from proxy.observe.log.outputs import LogOutputs
from proxy.observe.metrics import Metrics
from proxy.observe.observing import Observing
from proxy.observe.own_processes import taken_by_process
from proxy.observe.relays import counts_of, lag_bytes, living, relays_of, total
from proxy.observe.upstreams.figures import model_figures
from proxy.observe.upstreams.watcher import Watcher

# What the relays count, once for all time.
_TOTALS: Mapping[Counter, tuple[Family, Labels]] = {
    Counter.CALLS: (d.ACCEPTED, ()),
    Counter.RETRIES: (d.RETRIES, ()),
    Counter.UNFRAMED: (d.UNFRAMED, ()),
    Counter.CONNECTIONS_REFUSED: (d.CONNECTIONS_REFUSED, ()),
    Counter.CLIENTS_STALLED: (d.CLIENTS_STALLED, ()),
    Counter.STARTED_FRAMES: (d.FRAMES, ("started",)),
    Counter.FINISHED_FRAMES: (d.FRAMES, ("finished",)),
    Counter.STARTED_LOST: (d.FRAMES_LOST, ("started",)),
    Counter.FINISHED_LOST: (d.FRAMES_LOST, ("finished",)),
    Counter.WRITE_ERRORS: (d.WRITE_ERRORS, ()),
    Counter.WRITE_STALLS: (d.WRITE_STALLS, ()),
}
# What holds now.
_STATES: Mapping[Counter, tuple[Family, Labels]] = {
    Counter.CLIENTS: (d.CLIENTS, ()),
    Counter.UPSTREAM_BUSY: (d.UPSTREAM_CONNECTIONS, ("busy",)),
    Counter.UPSTREAM_IDLE: (d.UPSTREAM_CONNECTIONS, ("idle",)),
    Counter.BACKLOG_FRAMES: (d.BACKLOG_FRAMES, ()),
    Counter.BACKLOG_BYTES: (d.BACKLOG_BYTES, ()),
}


class Scrape:
    """Everything that is not counted call by call. Called from the thread that renders."""

    def __init__(
        self,
        metrics: Metrics,
        observing: Observing,
        watcher: Watcher,
        outputs: LogOutputs,
        exports: Exports,
        data: Path,
    ) -> None:
        self._metrics, self._observing = metrics, observing
        self._watcher, self._outputs, self._exports = watcher, outputs, exports
        self._journal = journal_directory(data)
        for source in (self.relays, self.observer, self.upstreams):
            metrics.at_scrape(self._guarded(source))

    def relays(self) -> None:
        """Counters of the relays, and what the processes take."""
        counts = self._observing.relay_counters()
        relays = relays_of(self._journal, counts)
        if counts is None:
            counts = counts_of(relays)
        for counter, (family, labels) in _TOTALS.items():
            self._metrics.set(family, {labels: total(counts, counter)})
        for counter, (family, labels) in _STATES.items():
            self._metrics.set(family, {labels: living(relays, counter)})
        self._metrics.set(d.ACTIVE, {(): sum(relay.active_calls for relay in relays)})
        taken = taken_by_process(relays)
        self._metrics.replace(d.RESIDENT, {(name,): use.resident_bytes for name, use in taken.items()})
        self._metrics.replace(d.CPU, {(name,): use.cpu_s for name, use in taken.items()})
        self._metrics.replace(d.OPEN_FILES, {(name,): use.open_files for name, use in taken.items()})

    def observer(self) -> None:
        """How far the observer is, and what went wrong in it."""
        state, metrics = self._observing.state, self._metrics
        metrics.set(d.LAG_BYTES, {(): lag_bytes(self._journal, self._observing.positions())})
        metrics.set(d.LAG, {(): state.lag_s()})
        metrics.set(d.DAMAGED, {(): state.damaged_frames})
        metrics.set(d.LOST, {(cause,): count for cause, count in state.lost.items()})
        metrics.set(d.OBSERVER_ERRORS, {(part,): count for part, count in self._observing.guards.errors.items()})
        metrics.set(d.ANSWERS_UNSCORED, {(): self._observing.unscored()})
        metrics.set(d.LEDGER_CALLS, {(): state.ledger_calls})
        metrics.set(d.LEDGER_COMMITS, {(): state.commits})
        metrics.set(d.LEDGER_FAILURES, {(): state.commit_failures})
        metrics.set(d.LAST_COMMIT, {(): state.last_commit_unix_s or 0})
        metrics.set(d.LOG_LINES_LOST, {(output,): count for output, count in self._outputs.lost.items()})
        metrics.set(d.SPANS_SENT, {(): self._exports.spans_sent})
        metrics.set(d.SPANS_DROPPED, {(reason,): count for reason, count in self._exports.spans_dropped.items()})

    def _guarded(self, source: Callable[[], None]) -> Callable[[], None]:
        """The source, with its faults counted and kept from the others: old numbers are better than no page."""

        def guarded() -> None:
            try:
                source()
            except Exception as error:
                self._observing.guards.note("metrics", error)

        return guarded

    def upstreams(self) -> None:
        """What the watcher found last."""
        seen, figures = self._watcher.seen(), model_figures(self._watcher.models())
        self._metrics.set(d.UPSTREAM_UP, {(name,): float(found.up) for name, found in seen.items()})
        self._metrics.replace(
            d.UPSTREAM_INFO,
            {(name, found.kind, found.version or ""): 1 for name, found in seen.items() if found.up},
        )
        self._metrics.replace(d.UPSTREAM_LAST_LOOK, {(name,): found.at_unix_s for name, found in seen.items()})
        self._metrics.replace(d.MODELS_INSTALLED, figures.installed)
        self._metrics.replace(d.MODEL_LOADED, figures.loaded)
        self._metrics.replace(d.MODEL_VRAM, figures.vram_bytes)
        changes = self._observing.changes
        self._metrics.set(d.UPSTREAM_CHANGES, changes.told)
        self._metrics.set(d.UPSTREAM_CHANGES_LEFT_OUT, {(): changes.left_out})
