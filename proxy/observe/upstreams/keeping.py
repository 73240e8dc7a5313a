"""Keeping: what the watcher saw -> events in the ledger, each once, then log and counts. On the observer's thread.

The state that events are told against is written in the same transaction as they are; so a restart tells nothing twice,
and notices what changed while nobody looked.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from itertools import product
from typing import Final, Protocol

from msgspec.structs import replace

from proxy.core.errors import LedgerError
from proxy.core.event import CHANGE_KINDS, Event, KnownModel, KnownUpstream
from proxy.observe.upstreams.changes import Known, compare
from proxy.observe.upstreams.watcher import Watcher
from proxy.store import UpstreamChanges

EVENTS_AN_HOUR: Final = 1000  # of one upstream; what it changes beyond is taken as known, counted and not told
_RETRY_S: Final = 5.0  # after a ledger that took nothing
_HOUR_S: Final = 3600.0

log = logging.getLogger("sightglass.observer")


class ChangeLedger(Protocol):
    """The ledger as the keeper needs it; `proxy.store.Ledger` is one."""

    def note_changes(self, changes: UpstreamChanges) -> list[Event]: ...
    def known_models(self) -> list[KnownModel]: ...
    def known_upstreams(self) -> list[KnownUpstream]: ...


class ChangeCounts:
    """How many changes were told, for metrics. Written by the observer's thread, read by any."""

    def __init__(self, upstreams: Iterable[str]) -> None:
        # (upstream, kind) -> events
        self.told: dict[tuple[str, ...], float] = dict.fromkeys(product(upstreams, CHANGE_KINDS), 0)
        self.left_out = 0  # changes beyond EVENTS_AN_HOUR


class Keeper:
    """Compares and writes whenever there was a look."""

    def __init__(
        self,
        watcher: Watcher,
        ledger: ChangeLedger,
        counts: ChangeCounts,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises LedgerError: the state is in the ledger."""
        self._watcher = watcher
        self._ledger = ledger
        self._counts = counts
        self._clock = clock
        models, servers = ledger.known_models(), ledger.known_upstreams()
        self._known = Known(
            {(model.upstream, model.model): model for model in models},
            {server.upstream: server for server in servers},
        )
        watcher.remember(model for model in models if model.gone_unix_ns is None)
        self._done = -1  # the revision that was kept last
        self._retry_at = 0.0
        self._hour: dict[str, tuple[float, int]] = {}  # upstream -> (begin of its hour, events told in it)

    def turn(self) -> None:
        """Keep what is new. A ledger that takes nothing is tried again later; other errors are the caller's."""
        revision = self._watcher.revision
        if revision == self._done or self._clock() < self._retry_at:
            return
        try:
            for upstream in self._watcher.seen():
                self._keep(upstream)
        except LedgerError:
            self._retry_at = self._clock() + _RETRY_S
            return
        self._done = revision

    def _keep(self, upstream: str) -> None:
        found = self._watcher.look_of(upstream)
        if found is None:
            return
        seen, models, since_s = found
        changes = compare(self._known, upstream, seen, models, since_s, time.time_ns())
        if not (changes.events or changes.models or changes.upstreams or changes.forgotten):
            return
        may, began, told = self._allowance(upstream)
        left_out = len(changes.events) - len(changes.events[:may])
        changes = replace(changes, events=changes.events[:may])
        written = self._ledger.note_changes(changes)
        self._known.take(changes)
        self._hour[upstream] = (began, told + len(written))
        if left_out:
            self._counts.left_out += left_out
            log.warning("upstream_changes_left_out", extra={"upstream": upstream, "changes": left_out})
        for event in written:
            self._tell(upstream, event)

    def _allowance(self, upstream: str) -> tuple[int, float, int]:
        """(events that may be told now, begin of the hour, events told in it)."""
        began, told = self._hour.get(upstream, (self._clock(), 0))
        if self._clock() - began >= _HOUR_S:
            began, told = self._clock(), 0
        return max(EVENTS_AN_HOUR - told, 0), began, told

    def _tell(self, upstream: str, event: Event) -> None:
        key = (upstream, event.kind)
        self._counts.told[key] = self._counts.told.get(key, 0) + 1
        log.warning(
            "upstream_changed",
            extra={
                "event_id": event.event_id,
                "kind": event.kind,
                "upstream": upstream,
                "model": event.model,
                "before": event.before,
                "after": event.after,
                **event.details,
            },
        )
