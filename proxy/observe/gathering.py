"""Gathering: frames of the journal -> one batch for the ledger. Knows which calls are open; writes nothing.

started    the call is open
finished   it is closed, with a record
lost       it is closed without one: its finished frame could not be kept
ended      the writer is dead and wholly read: what it left open was interrupted
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from proxy.core.call import CallRecord
from proxy.core.tally import BEGAN_BEFORE, Tally
from proxy.journal import frames
from proxy.journal.frames import Frame
from proxy.journal.reader import Reading
from proxy.journal.segments import Position
from proxy.observe.guards import Guards, Part
from proxy.observe.interpreting import Interpreter
from proxy.observe.observed import Observed
from proxy.observe.reading import interrupted_call
from proxy.observe.sinks import Sink
from proxy.store import Batch, OpenCall
from proxy.store.cleaning import clean

_SINK_FAILED: Final = object()


class _Times(msgspec.Struct):
    started_unix_ns: int = 0
    duration_s: float = 0.0


_decode_times: Final = msgspec.json.Decoder(_Times).decode


@dataclass
class Gathered:
    """One batch in the making, and what the sinks get once it is committed."""

    calls: list[CallRecord] = field(default_factory=list)
    prepared: dict[str, list[Any]] = field(default_factory=dict)  # call id -> what each sink prepared
    opened: dict[str, OpenCall] = field(default_factory=dict)
    closed: list[str] = field(default_factory=list)
    positions: dict[str, Position] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)
    tallies: dict[str, Tally] = field(default_factory=dict)  # writer -> what this batch accounts for
    oldest_end_unix_s: float | None = None  # when the first of the calls ended

    def batch(self, committed: Mapping[str, Position]) -> Batch | None:
        """What the ledger is to write; None = nothing. `committed`: positions that it has already."""
        moved = {
            name: (place.segment, place.offset)
            for name, place in self.positions.items()
            if committed.get(name) != place
        }
        if not (moved or self.calls or self.opened or self.closed or self.tallies):
            return None
        return Batch(
            calls=self.calls,
            cleaned=True,
            positions=moved,
            opened=list(self.opened.values()),
            closed=self.closed,
            tallies=self.tallies,
        )

    def tally(self, writer: str) -> Tally:
        """Of that writer, to add to."""
        found = self.tallies.get(writer)
        if found is None:
            found = self.tallies[writer] = Tally()
        return found

    def note_seen(self, writer: str, calls: int | None) -> None:
        """How many calls a dead writer took in all; None: nobody knows."""
        self.tally(writer).seen = BEGAN_BEFORE if calls is None else calls

    @property
    def lost(self) -> int:
        """Calls named by lost frames."""
        return sum(tally.lost for tally in self.tallies.values())

    @property
    def unreadable(self) -> int:
        """Finished frames whose call cannot even be named."""
        return sum(tally.unreadable for tally in self.tallies.values())

    def reading(self) -> Reading:
        """All that was read, as the journal's reader wants to have it released."""
        return Reading([], self.positions, self.ended, more=False)

    def prepared_for(self, records: Iterable[CallRecord]) -> list[list[Any]]:
        """What each sink prepared for these calls, those aside that it failed on."""
        found = [self.prepared[record.call_id] for record in records if record.call_id in self.prepared]
        return [[one for one in of_sink if one is not _SINK_FAILED] for of_sink in zip(*found, strict=True)]


class Gatherer:
    """Keeps the open calls of all writers. For the observer's thread."""

    def __init__(
        self, guards: Guards, interpreter: Interpreter, sinks: Sequence[Sink], open_calls: Iterable[OpenCall]
    ) -> None:
        """`open_calls` come from the ledger."""
        self._guards = guards
        self._interpreter = interpreter
        self._sinks = sinks
        self._open = {call.started.call_id: call for call in open_calls}

    @property
    def open_count(self) -> int:
        """Calls that began and did not end, as far as was read."""
        return len(self._open)

    def take(self, gathered: Gathered, reading: Reading) -> None:
        """Add a reading to the batch."""
        for writer, frame in _in_order(reading.frames):
            match frame.kind:
                case frames.STARTED:
                    self._started(gathered, writer, frame)
                case frames.FINISHED:
                    self._finished(gathered, writer, frame)
                case _:
                    self._lost(gathered, writer, frame)
        for writer in reading.ended:
            self.interrupt(gathered, writer)
            gathered.ended.append(writer)
        gathered.positions.update(reading.positions)

    def interrupt(self, gathered: Gathered, writer: str) -> None:
        """Close what that writer left open."""
        for call in [call for call in self._open.values() if call.writer == writer]:
            self._close(gathered, call.started.call_id)
            gathered.tally(writer).interrupted += 1
            self._add(gathered, Observed(record=interrupted_call(call.started), started=call.started))

    def orphans(self, there: Iterable[str]) -> set[str]:
        """Writers that left calls open and whose journal is not among those that are there."""
        return {call.writer for call in self._open.values()}.difference(there)

    def _started(self, gathered: Gathered, writer: str, frame: Frame) -> None:
        gathered.tally(writer).started += 1
        try:
            call = OpenCall(writer=writer, started=frame.started())
        except msgspec.MsgspecError as error:
            self._guards.note("reading", error)
            return
        self._open[call.started.call_id] = gathered.opened[call.started.call_id] = call

    def _finished(self, gathered: Gathered, writer: str, frame: Frame) -> None:
        tally = gathered.tally(writer)
        tally.finished += 1
        observed = self._interpreter.observed(frame)
        if observed is None:
            tally.unreadable += 1
            return
        record = observed.record
        self._close(gathered, record.call_id)
        self._add(gathered, observed)
        if gathered.oldest_end_unix_s is None:
            gathered.oldest_end_unix_s = min(record.started_unix_ns / 1e9 + (record.duration_s or 0.0), time.time())

    def _lost(self, gathered: Gathered, writer: str, frame: Frame) -> None:
        try:
            call_ids = frame.lost().call_ids
        except msgspec.MsgspecError as error:
            self._guards.note("reading", error)
            return
        if call_ids:  # none: a probe of the disk
            gathered.tally(writer).lost += len(call_ids)
        for call_id in call_ids:
            self._close(gathered, call_id)

    def _close(self, gathered: Gathered, call_id: str) -> None:
        if self._open.pop(call_id, None) is not None and gathered.opened.pop(call_id, None) is None:
            gathered.closed.append(call_id)

    def _add(self, gathered: Gathered, observed: Observed) -> None:
        record = clean(observed.record)
        if record is not observed.record:
            observed = replace(observed, record=record)
        prepared, failed = [], []
        for sink in self._sinks:
            try:
                self._guards.force(sink.part)
                prepared.append(sink.prepare(observed))
            except Exception as error:
                self._guards.note(sink.part, error, call_id=record.call_id)
                prepared.append(_SINK_FAILED)
                failed.append(sink.part)
        if failed:
            record = _marked(record, failed)
        gathered.calls.append(record)
        gathered.prepared.setdefault(record.call_id, prepared)


def _in_order(found: list[tuple[str, Frame]]) -> list[tuple[str, Frame]]:
    """The frames, with the ends of several writers' calls as they came: a conversation may use more than one relay.

    Beginnings first and losses last keeps what matters within a writer: a call begins before it ends or is lost.
    """
    if len({writer for writer, _ in found}) < 2:
        return found
    order = {frames.STARTED: 0, frames.FINISHED: 1}
    return sorted(found, key=lambda entry: (order.get(entry[1].kind, 2), _end_unix_s(entry[1])))


def _end_unix_s(frame: Frame) -> float:
    """When the call of a finished frame ended; 0 = of no consequence, or not to be read."""
    if frame.kind != frames.FINISHED:
        return 0.0
    try:
        times = _decode_times(frame.meta)
    except msgspec.MsgspecError:
        return 0.0
    return times.started_unix_ns / 1e9 + times.duration_s


def _marked(record: CallRecord, failed: Sequence[Part]) -> CallRecord:
    return replace(record, observer_errors=(*record.observer_errors, *failed))
