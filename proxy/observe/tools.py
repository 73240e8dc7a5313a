"""Tools of a call: offered by its request, called by its answer, their results brought by the next request.

A result is joined to the call that it answers inside its conversation: in the answer that the request goes on from, by
id, else by the tool's name, else by order. Ids alone are not believed, as Ollama's and LiteLLM's repeat; where no
conversation is known, an id counts when exactly one answer that waits has it. For one thread. What waits for its result
is bounded by number and age; a call read twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import msgspec

from proxy.core.call import CallRecord
from proxy.core.remembered import RememberedTurn
from proxy.core.tool_event import ToolEvent
from proxy.observe.conversation import Place, Who
from proxy.observe.schemas import Schemas
from proxy.observe.tool_errors import looks_failed
from proxy.wire.foreign import as_name
from proxy.wire.meaning import Meaning
from proxy.wire.transcript import Line, Transcript

WAITING: Final = 4096  # answers whose tools have not all given their results
AGE_S: Final = 24 * 3600.0  # a person may have to approve a tool
EVENTS: Final = 64  # of each kind in one call
_NAME_CHARACTERS: Final = 128


class Waiting:
    """An answer that called tools."""

    __slots__ = ("answered", "called", "ended_unix_ns", "who")

    def __init__(self, ended_unix_ns: int, called: Sequence[tuple[int, str | None, str | None]], who: Who) -> None:
        """called: (position, tool, id) of each."""
        self.ended_unix_ns = ended_unix_ns
        self.called = tuple(called)
        self.who = who
        self.answered: set[int] = set()

    def match(self, line: Line) -> tuple[int, str | None] | None:
        """(position, tool) of the call that the result answers."""
        left = [call for call in self.called if call[0] not in self.answered]
        for position, tool, call_id in left:
            if line.id is not None and call_id == line.id:
                return position, tool
        for position, tool, call_id in left:
            if (line.id is None or call_id is None) and line.name is not None and tool == _short(line.name):
                return position, tool
        if left and line.name is None and (line.id is None or left[0][2] is None):
            return left[0][:2]
        return None


class ToolUse(NamedTuple):
    """What a call had to do with tools, for its record."""

    events: tuple[ToolEvent, ...]
    offered: int
    invalid: int
    results: int
    errors: int
    round_trip_max_s: float | None  # None = no result could be joined to its call


NO_TOOLS: Final = ToolUse((), 0, 0, 0, 0, None)


class Tools:
    """Remembers the answers that wait for results."""

    def __init__(self, *, waiting: int = WAITING) -> None:
        self._most = waiting
        self._waiting: dict[str, Waiting] = {}  # by call id, oldest first
        self._by_id: dict[str, list[str]] = {}  # id of a tool's call -> call ids of the answers that wait
        self._schemas = Schemas()

    def __len__(self) -> int:
        return len(self._waiting)

    def take(
        self,
        record: CallRecord,
        transcript: Transcript,
        meaning: Meaning,
        tools_hash: bytes,
        place: Place | None,
        who: Who,
        *,
        new_offer: bool = True,
    ) -> ToolUse:
        """What the call has to do with tools. place: None = no conversation is known. tools_hash: of those on offer.

        new_offer: False = the call before in the conversation offered the same.
        """
        if not transcript.tools and not meaning.tool_calls and all(line.kind != "result" for line in transcript.lines):
            return NO_TOOLS
        repeated = place is not None and place.repeated
        seen = record.call_id in self._waiting or (place is not None and place.seen)
        self._age(record.started_unix_ns)
        called = self._called(record, transcript, meaning, tools_hash)
        results = [] if repeated else list(self._results(record, transcript, place, who))
        if called and not seen:
            ended_unix_ns = record.started_unix_ns + round((record.duration_s or 0.0) * 1e9)
            self._wait(
                record.call_id, Waiting(ended_unix_ns, [(e.position, e.tool, e.tool_call_id) for e in called], who)
            )
        times = [event.round_trip_s for event in results if event.round_trip_s is not None]
        return ToolUse(
            events=(*(_offered(transcript) if new_offer else ()), *called, *results),
            offered=len(transcript.tools),
            invalid=sum(event.valid is False for event in called),
            results=len(results),
            errors=sum(event.error is True for event in results),
            round_trip_max_s=max(times, default=None),
        )

    def recall(self, turns: Iterable[RememberedTurn]) -> None:
        """Take what the ledger remembers, oldest first, in place of all that was known."""
        self._waiting.clear()
        self._by_id.clear()
        for turn in turns:
            if len(turn.answered) < len(turn.called):
                who = Who(turn.client, turn.claimed_user, turn.claimed_session)
                waiting = Waiting(turn.ended_unix_ns, turn.called, who)
                waiting.answered.update(turn.answered)
                self._wait(turn.call_id, waiting)

    # -- what the answer calls -------------------------------------------------------------------------------

    def _called(
        self, record: CallRecord, transcript: Transcript, meaning: Meaning, tools_hash: bytes
    ) -> list[ToolEvent]:
        whole = record.outcome == "ok"  # what broke off may have broken off inside the arguments
        events = []
        for position, call in enumerate(meaning.tool_calls[:EVENTS]):
            valid = self._schemas.fits(
                tools_hash, transcript.tools, call.name, None if call.arguments_valid is None else call.arguments
            )
            if call.arguments_valid is False:
                valid = False
            events.append(
                ToolEvent(
                    kind="called",
                    position=position,
                    tool=_short(call.name),
                    tool_call_id=call.id,
                    valid=valid if whole or valid else None,
                )
            )
        return events

    # -- what the request brings -----------------------------------------------------------------------------

    def _results(
        self, record: CallRecord, transcript: Transcript, place: Place | None, who: Who
    ) -> Iterable[ToolEvent]:
        lines = [line for line in _new_lines(transcript, place) if line.kind == "result"][:EVENTS]
        inside = place.calls_in if place is not None else None
        for position, line in enumerate(lines):
            called_in = inside or self._only_one_with(line.id, who)
            waiting = self._waiting.get(called_in) if called_in is not None else None
            found = waiting.match(line) if waiting is not None else None
            event = ToolEvent(
                kind="result",
                position=position,
                tool=_short(line.name),
                tool_call_id=line.id,
                error=looks_failed(line.text, flag=line.failed),
            )
            if waiting is not None and found is not None:
                waiting.answered.add(found[0])
                event = msgspec.structs.replace(
                    event,
                    tool=found[1],
                    round_trip_s=max(0.0, (record.started_unix_ns - waiting.ended_unix_ns) / 1e9),
                    called_in=called_in,
                    called_position=found[0],
                )
                if called_in is not None and len(waiting.answered) == len(waiting.called):
                    self._forget(called_in)
            yield event

    def _only_one_with(self, call_id: str | None, who: Who) -> str | None:
        """The one answer that waits for this id, of the same caller; None = none, or several."""
        found = self._by_id.get(call_id or "", ())
        if len(found) != 1 or self._waiting[found[0]].who != who:
            return None
        return found[0]

    # -- what waits ------------------------------------------------------------------------------------------

    def _wait(self, answer: str, waiting: Waiting) -> None:
        self._waiting[answer] = waiting
        for call_id in {call_id for _, _, call_id in waiting.called if call_id is not None}:
            self._by_id.setdefault(call_id, []).append(answer)
        if len(self._waiting) > self._most:
            self._forget(next(iter(self._waiting)))

    def _age(self, now_unix_ns: int) -> None:
        """Forget the oldest when they are too old; one look a call is enough to keep up."""
        for answer in self._waiting:
            if now_unix_ns - self._waiting[answer].ended_unix_ns > AGE_S * 1e9:
                self._forget(answer)
            return

    def _forget(self, answer: str) -> None:
        waiting = self._waiting.pop(answer)
        for call_id in {call_id for _, _, call_id in waiting.called if call_id is not None}:
            answers = self._by_id.get(call_id, [])
            if answer in answers:
                answers.remove(answer)
            if not answers:
                self._by_id.pop(call_id, None)


def _offered(transcript: Transcript) -> list[ToolEvent]:
    return [
        ToolEvent(kind="offered", position=position, tool=_short(tool.name))
        for position, tool in enumerate(transcript.tools[:EVENTS])
    ]


def _new_lines(transcript: Transcript, place: Place | None) -> Sequence[Line]:
    """Lines that no earlier call had; without an earlier call, what follows the model's last words."""
    if place is not None and place.earlier is not None:
        return transcript.lines[place.new_from :]
    start = len(transcript.lines)
    while start and transcript.lines[start - 1].kind not in ("assistant", "call"):
        start -= 1
    return transcript.lines[start:]


def _short(name: str | None) -> str | None:
    return None if name is None else as_name(name[:_NAME_CHARACTERS])
