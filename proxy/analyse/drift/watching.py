"""Watching: the detector live. Reads what was committed, after the observer's pass, and writes events to the ledger.

The place behind the last row that was read is written together with the events that came of it: what is killed when,
each row is told of once. A lane that is not in memory is rebuilt, silently, from the first answers of its baseline and
its newest ones; which alarms stand, the ledger's events say. Each turn takes a bounded time; the next goes on there.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any, Final, Protocol

import numpy as np

from proxy.analyse.drift.detector import LATE, full_length
from proxy.analyse.drift.known import Known, KnownLanes, lane_of
from proxy.analyse.drift.lane import LEAST_BUDGET, Lane, LaneState, event_of
from proxy.analyse.drift.moved import LENGTHS
from proxy.analyse.drift.told import Told
from proxy.core.config import Drift
from proxy.core.event import Event
from proxy.observe.guards import Guards, Part
from proxy.observe.observed import Observed
from proxy.store import UpstreamChanges
from proxy.store.signal_rows import StoredSignals

READER: Final = "drift"  # whose place the ledger keeps
LANES: Final = 500  # detectors in memory; the one used longest ago goes, and comes back from the ledger
NEWEST: Final = 2_000  # answers of a lane that it is rebuilt from, beside those of its baseline
TURN_S: Final = 0.05  # longest time of a turn
BUSY_TURN_S: Final = 0.005  # the same while the observer has more to read: calls go first
_PAGE: Final = 200  # rows of one reading
_DAY_S: Final = 86_400.0
_MOST_BUDGET: Final = 1e9
_LOOK_S: Final = 1.0  # how often what people accepted is looked for
_KEEP_S: Final = 5.0  # how often the place is written when there are no events

log = logging.getLogger("sightglass.drift")


class SignalSource(Protocol):
    """What signals are read from."""

    def signals_after(self, seq: int, *, limit: int, lane: int | None = None) -> list[StoredSignals]: ...


class DriftLedger(SignalSource, Protocol):
    """The ledger as the detector needs it."""

    def newest_signals(self, seq: int, *, limit: int, lane: int) -> list[StoredSignals]: ...
    def read_until(self, reader: str) -> int | None: ...
    def drift_events(self, *, after: int = 0) -> list[Event]: ...
    def note_changes(self, changes: UpstreamChanges) -> list[Event]: ...


class DriftWatch:
    """For the observer's thread; `states` and the counts may be read by any."""

    part: Part = "drift"

    def __init__(self, settings: Drift, guards: Guards, *, told: Callable[[Event], None] = lambda _: None) -> None:
        """told: called with each new event, after it was written."""
        self._settings, self._guards, self._told = settings, guards, told
        self._waiting = True  # there may be rows that were not read yet
        self._last: int | None = None  # seq of the newest row that was read
        self._kept = 0  # of the newest row of which the ledger knows so
        self._steps: Iterator[None] | None = None
        self._unwritten: list[Event] = []
        self._lanes: OrderedDict[int, Lane] = OrderedDict()
        self._known = KnownLanes()
        self._aside: set[int] = set()  # lanes whose detector failed
        self._event_id = 0
        self._own: set[int] = set()  # ids of events that were written here and not read back yet
        self._looked = self._kept_at = 0.0
        self.raised: dict[tuple[str, str], int] = {}  # (kind, severity) -> events since the start

    def prepare(self, observed: Observed) -> bool:
        """Whether the call has signals."""
        return observed.record.signals is not None

    def deliver(self, prepared: Sequence[Any]) -> None:
        """Rows were committed."""
        self._waiting = self._waiting or any(prepared)

    def turn(self, ledger: DriftLedger, *, busy: bool = False) -> None:
        """Feed what was committed since, for a bounded time, and write what it showed.

        busy: the observer has more to read. Raises LedgerError; the next turn goes on there.
        """
        until = time.monotonic() + (BUSY_TURN_S if busy else TURN_S)
        if self._last is None:
            self._begin(ledger)
        if time.monotonic() - self._looked >= _LOOK_S:
            self._looked = time.monotonic()
            self._take_events(ledger.drift_events(after=self._event_id))
        try:
            self._step(ledger, until)
        finally:
            self._write(ledger)

    def states(self) -> list[LaneState]:
        """All lanes in memory."""
        return [lane.state(number) for number, lane in list(self._lanes.items())]

    @property
    def idle(self) -> bool:
        """Whether all rows that were told of are read."""
        return self._steps is None and not self._waiting

    @property
    def began(self) -> bool:
        """Whether the ledger's events were read."""
        return self._last is not None

    def alarms(self) -> list[Event]:
        """All that stand, of lanes in memory or not, oldest first."""
        return self._known.alarms()

    def _begin(self, ledger: DriftLedger) -> None:
        """Behind the row that was read last; in ledgers that do not say, behind the newest event's."""
        self._known = KnownLanes()
        self._event_id = 0
        self._own.clear()
        told = ledger.drift_events()
        self._take_events(told)
        seqs = [seq for event in told if isinstance(seq := event.details.get("seq"), int)]
        last = ledger.read_until(READER)
        self._last = self._kept = last if last is not None else max(seqs, default=0)

    def _take_events(self, events: Sequence[Event]) -> None:
        for event in events:
            if event.event_id <= self._event_id:
                continue
            self._event_id = event.event_id
            if event.event_id in self._own:
                self._own.remove(event.event_id)
                continue
            self._take(event)
            number = lane_of(event)
            if event.kind == "drift_accepted" and number is not None:
                self._lanes.pop(number, None)
                self._aside.discard(number)

    def _take(self, event: Event) -> None:
        for number in self._known.take(event):
            self._lanes.pop(number, None)  # should it answer again, it comes back without those alarms

    def _step(self, ledger: DriftLedger, until: float) -> None:
        if self._steps is None:
            if not self._waiting:
                return
            self._waiting = False
            self._steps = self._read(ledger)
        try:
            for _ in self._steps:
                if time.monotonic() >= until:
                    return
        except BaseException:
            self._steps, self._waiting = None, True
            raise
        self._steps = None

    def _read(self, ledger: DriftLedger) -> Iterator[None]:
        """All rows that are there, a step each."""
        assert self._last is not None
        while rows := ledger.signals_after(self._last, limit=_PAGE):
            for stored in rows:
                yield from self._see(ledger, stored)
                self._last = stored.seq
                yield  # only here: what a row showed is written with its place
            if len(rows) < _PAGE:
                return

    def _see(self, ledger: DriftLedger, stored: StoredSignals) -> Iterator[None]:
        number = stored.row.lane
        known = self._known.of(number)
        while True:
            lane = self._lanes.get(number)
            if lane is not None:
                found = yield from self._fed(number, lane, stored)
                if self._lanes.get(number) is lane:
                    break  # else it failed, or was accepted meanwhile
            if number in self._aside or stored.seq <= known.since:
                return
            yield from self._rebuild(ledger, stored, known)
        self._lanes.move_to_end(number)
        for told in found:
            event = event_of(number, lane, stored, told)
            self._take(event)
            self._unwritten.append(event)

    def _rebuild(self, ledger: DriftLedger, stored: StoredSignals, known: Known) -> Iterator[None]:
        """The lane as it was before this row. A bounded number of rows, a step each."""
        number, since, warm_up = stored.row.lane, known.since, self._settings.warm_up_answers
        # An alarm is raised at most so long after what it takes out of the baseline: it must be seen again.
        seen = full_length(warm_up) + (int(LENGTHS[-1]) if known.ended is not None else LATE)
        first = ledger.signals_after(since, limit=seen, lane=number)
        yield
        newest = ledger.newest_signals(stored.seq, limit=NEWEST, lane=number)
        learned_until = first[-1].seq if first else 0
        lane = Lane(first[0] if first else stored, self._settings, known.version)
        for row in [*first, *(row for row in newest if row.seq > learned_until)]:
            if row.seq < stored.seq and number not in self._aside:
                yield from self._fed(number, lane, row)
                if lane.detector.growing and known.ended is not None and row.seq >= known.ended:
                    lane.detector.freeze(lane.detector.count)  # raised by an earlier version, at other levels
                yield
        if number in self._aside or since != known.since:  # it failed, or was accepted meanwhile
            return
        lane.stand(known.standing, known.swings)
        self._lanes[number] = lane
        if len(self._lanes) > LANES:
            self._lanes.popitem(last=False)

    def _fed(self, number: int, lane: Lane, stored: StoredSignals) -> Generator[None, None, list[Told]]:
        """What the answer showed. A lane whose detector fails is set aside: until it is accepted, or a restart."""
        try:
            found = yield from lane.steps(stored)
        except Exception as error:
            self._guards.note("drift", error, call_id=stored.call_id)
            self._aside.add(number)
            self._lanes.pop(number, None)
            return []
        if any(told.event == "baseline" for told in found):
            lane.detector.level = self._level(number, lane, stored)
        return found

    def _level(self, number: int, lane: Lane, stored: StoredSignals) -> float:
        """From the budget of the settings and this lane's share of the traffic; as it was, if it was told before."""
        told = self._known.of(number).levels.get(stored.seq)
        if told is not None:
            return told
        took_s = max((stored.started_unix_ns - lane.began_unix_ns) / 1e9, 1.0)
        a_day = lane.detector.answers / took_s * _DAY_S
        lanes = max(sum(other.detector.learned for other in self._lanes.values()), 1)
        budget = a_day * self._settings.false_alarm_days * lanes
        return float(np.log(min(max(budget, LEAST_BUDGET), _MOST_BUDGET)))

    def _write(self, ledger: DriftLedger) -> None:
        """Events with the place that they come from; the place alone now and then."""
        assert self._last is not None
        now = time.monotonic()
        if not self._unwritten and (self._last == self._kept or now - self._kept_at < _KEEP_S):
            return
        written = ledger.note_changes(UpstreamChanges(events=self._unwritten, read=(READER, self._last)))
        self._unwritten, self._kept, self._kept_at = [], self._last, now
        for event in written:
            self._own.add(event.event_id)
            self._known.numbered(event)
            self._tell(event)

    def _tell(self, event: Event) -> None:
        raised = event.kind == "drift_raised"
        if raised:
            key = (str(event.details["kind"]), str(event.details["severity"]))
            self.raised[key] = self.raised.get(key, 0) + 1
        log.log(logging.WARNING if raised else logging.INFO, event.kind, extra=_logged(event))
        self._told(event)


def _logged(event: Event) -> dict[str, Any]:
    names = ("route", "kind", "subject", "severity", "evidence", "since_call_id", "version")
    told = {f"drift_{name}": event.details[name] for name in names if name in event.details}
    return {"model": event.model, "upstream": event.upstream, "before": event.before, "after": event.after, **told}
