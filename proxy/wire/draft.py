"""Draft: a Meaning under way. The readers of the dialects write into it, `settle` closes it. No I/O here."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from proxy.core.usage import TokenCounts
from proxy.wire import foreign
from proxy.wire.meaning import Durations, Mark, ToolCall, Unread, WireError

Payloads = Iterable[tuple[bytes | None, int]]  # data of each event and the offset behind it; None = too long
END_MARK: Final = b"[DONE]"
_LENIENT_TRIES: Final = 1000  # that may fail in one answer: each costs 10 us, and a stream of rubbish has millions


class CallDraft:
    """A tool call whose argument text comes in fragments."""

    __slots__ = ("arguments", "custom", "id", "name")

    def __init__(self, call_id: str | None, name: str | None) -> None:
        self.id = call_id
        self.name = name
        self.arguments: list[str] = []
        self.custom = False  # OpenAI's custom tools take text, not JSON

    def settle(self) -> ToolCall:
        """The call as it stands."""
        arguments = foreign.clean_text("".join(self.arguments))
        valid = None if self.custom else foreign.is_json(arguments)
        return ToolCall(id=self.id, name=self.name, arguments=arguments, arguments_valid=valid)


class Draft:
    """What was read so far. Plain attributes: a stream of 200 events writes here 200 times."""

    def __init__(self) -> None:
        self.text: list[str] = []
        self.reasoning: list[str] = []
        self.refusal: list[str] = []
        self.calls: list[CallDraft] = []
        self._latest: dict[int | str, CallDraft] = {}  # by index
        self.answered = False  # there is an answer that is no text: vectors
        self.finish_reason: str | None = None
        self.done = False
        self.error: WireError | None = None
        self.identified = False  # the first event was read, which names model and id
        self.model: str | None = None
        self.response_id: str | None = None
        self.system_fingerprint: str | None = None
        self.service_tier: str | None = None
        self.counts: TokenCounts | None = None
        self.reported_cost_usd: float | None = None
        self.durations: Durations | None = None
        self.logprob_count = 0
        self.logprob_sum = 0.0
        self.streamed = False
        self.events = 0
        self.unreadable_events = 0
        self.token_ends: list[int] = []
        self.first_token: Mark | None = None
        self.first_answer_token: Mark | None = None
        self.unread: Unread | None = None

    def identify(self, said: dict[str, Any]) -> None:
        """Take model, id, fingerprint and tier where they are told; the first word stands, but for the tier."""
        self.identified = True
        self.model = self.model or foreign.as_name(said.get("model"))
        self.response_id = self.response_id or foreign.as_name(said.get("id"))
        self.system_fingerprint = self.system_fingerprint or foreign.as_name(said.get("system_fingerprint"))
        self.service_tier = foreign.as_name(said.get("service_tier")) or self.service_tier

    def token(self, event: int, end: int, *, answer: bool) -> None:
        """An event of the stream holds a token; answer: not (only) reasoning."""
        self.token_ends.append(end)
        if self.first_token is None:
            self.first_token = Mark(event=event, end=end)
        if answer and self.first_answer_token is None:
            self.first_answer_token = Mark(event=event, end=end)

    def fail(self, error: WireError | None) -> None:
        """Take an error; the first one stands."""
        self.error = self.error or error

    def finish(self, reason: object) -> None:
        """Take a finish reason where one is told; the last one stands."""
        self.finish_reason = foreign.as_name(reason) or self.finish_reason

    def call(self, index: int | str, call_id: object, name: object) -> CallDraft:
        """The tool call that this fragment belongs to, a new one where needed.

        index: whatever the dialect tells its calls apart by.
        A new id is a new call, even under a known index: LiteLLM sends two calls under index 0.
        """
        said_id, said_name = foreign.as_name(call_id), foreign.as_name(name)
        known = self._latest.get(index)
        if known is not None and not _is_another(known, said_id, said_name):
            known.id = known.id or said_id
            known.name = known.name or said_name
            return known
        fresh = CallDraft(said_id, said_name)
        self._latest[index] = fresh
        self.calls.append(fresh)
        return fresh

    def logprob(self, value: object) -> None:
        """Count one token's log probability; what is no finite number <= 0 is none."""
        number = foreign.as_number(value)
        if number is not None and number <= 0 and math.isfinite(self.logprob_sum + number):
            self.logprob_count += 1
            self.logprob_sum += number

    def objects(self, payloads: Payloads) -> Iterator[tuple[dict[str, Any], int, int]]:
        """(object, event index, end) of each event that is a JSON object, up to the end mark; counts the rest."""
        self.streamed = True
        for data, end in payloads:
            index = self.events
            self.events += 1
            said = self.object_of(data)
            if said is not None:
                yield said, index, end
            elif self.done:
                return

    def object_of(self, data: bytes | None) -> dict[str, Any] | None:
        """The JSON object of an event's data; None = none: the end mark, or it is counted as unreadable."""
        if data is None:
            self.unread = "bound"
        elif data.startswith(END_MARK):
            self.done = True
            return None
        elif data.lstrip().startswith(b"{"):
            lenient = self.unreadable_events < _LENIENT_TRIES
            said = foreign.parse_json(data) if lenient else foreign.parse_strict_json(data)
            if isinstance(said, dict):
                return said
        self.unreadable_events += 1
        return None


def _is_another(known: CallDraft, said_id: str | None, said_name: str | None) -> bool:
    if said_id is not None and known.id is not None:
        return said_id != known.id
    # A server without ids: a name again, behind arguments, is a call again.
    return said_id is None and known.id is None and said_name is not None and bool(known.arguments)


ReadWhole = Callable[[Draft, dict[str, Any]], None]
ReadEvents = Callable[[Draft, Payloads], None]
ReadRuns = Callable[[Draft, list[bytes], list[int]], int]  # gives how many events it read
