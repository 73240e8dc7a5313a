"""Attribution: who called, in which conversation, with which tools. Adds it to the record, whatever fails on the way.

callers (pure) ──▶ conversation (remembers) ──▶ tools (remembers)
each failing on its own: its fields stay unknown, observer_errors names it

What is remembered advances as calls are read, before they are committed: a batch holds several calls of a conversation.
A commit that fails is tried again with the same batch. When the observer begins anew, `recall` takes the ledger's word.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

import msgspec
from msgspec.structs import replace

from proxy.core.call import CallRecord
from proxy.core.remembered import RememberedTurn
from proxy.observe.callers import read_caller
from proxy.observe.conversation import CALLS, Conversations, Place, Who
from proxy.observe.fingerprints import Fingerprints
from proxy.observe.guards import Guards, Part
from proxy.observe.tools import NO_TOOLS, Tools
from proxy.wire.meaning import Meaning
from proxy.wire.transcript import Transcript, read_transcript, reads

_NO_TOOLS: Final = dict.fromkeys(("tools_offered", "tool_calls_invalid", "tool_results", "tool_result_errors"), 0)


class Remembering(Protocol):
    """The ledger as it is asked here."""

    def remembered_turns(self, most: int) -> Sequence[RememberedTurn]: ...


class _Talk(msgspec.Struct, frozen=True, gc=False):
    """One call, as conversation and tools look at it."""

    record: CallRecord
    meaning: Meaning
    transcript: Transcript
    tools_hash: bytes
    who: Who


class Attribution:
    """For the observer's thread."""

    def __init__(self, guards: Guards, key: bytes, *, baggage: bool = False) -> None:
        """key: of the fingerprints. baggage: whether W3C baggage is looked at."""
        self._guards = guards
        self._baggage = baggage
        self._fingerprints = Fingerprints(key)
        self._conversations = Conversations()
        self._tools = Tools()

    def recall(self, ledger: Remembering) -> None:
        """Forget all, and take what the ledger remembers. Raises LedgerError."""
        turns = ledger.remembered_turns(CALLS)
        try:
            self._conversations.recall(turns)
            self._tools.recall(turns)
        except Exception as error:  # then both begin with what they have
            self._guards.note("conversation", error)

    def attributed(
        self, record: CallRecord, meaning: Meaning, head: bytes, request: dict[str, Any] | None
    ) -> CallRecord:
        """The record with all that is known. head, request: of the request; None = its body could not be read."""
        changes: dict[str, Any] = {}
        failed: list[Part] = []
        who = Who(record.client)
        try:
            self._guards.force("callers")
            changes = read_caller(head, request, baggage=self._baggage)
            who = Who(record.client, changes.get("claimed_user"), changes.get("claimed_session"))
        except Exception as error:
            self._note("callers", error, record, failed)
        if request is not None and reads(meaning.dialect):
            self._follow(changes, failed, record, meaning, request, who)
        if failed:
            changes["observer_errors"] = (*record.observer_errors, *failed)
        return replace(record, **changes) if changes else record

    def _follow(
        self,
        changes: dict[str, Any],
        failed: list[Part],
        record: CallRecord,
        meaning: Meaning,
        request: dict[str, Any],
        who: Who,
    ) -> None:
        place: Place | None = None
        new_offer = True
        try:
            transcript = read_transcript(request, meaning.dialect)
            talk = _Talk(record, meaning, transcript, self._fingerprints.tools(transcript.tools_said), who)
        except Exception as error:
            self._note("conversation", error, record, failed)
            return
        try:
            self._guards.force("conversation")
            if transcript.lines:
                place, new_offer = self._place(changes, talk)
        except Exception as error:
            self._note("conversation", error, record, failed)
        try:
            self._guards.force("tools")
            self._use(changes, talk, place, new_offer=new_offer)
        except Exception as error:
            self._note("tools", error, record, failed)

    def _place(self, changes: dict[str, Any], talk: _Talk) -> tuple[Place, bool]:
        """The call's place, and whether it offers other tools than the call before."""
        named = None
        if talk.transcript.previous is not None:
            named = self._conversations.named(self._fingerprints.id(talk.transcript.previous), talk.who)
        fingerprint = self._fingerprints.of(
            talk.transcript, talk.meaning, tools=talk.tools_hash, start=named.after if named is not None else None
        )
        place = self._conversations.place(
            talk.record.call_id, fingerprint, talk.who, named=named, calls_tools=bool(talk.meaning.tool_calls)
        )
        changes["conversation_id"] = place.conversation_id
        changes["conversation_turn"] = place.turn
        changes["conversation_hash"] = fingerprint.kept().text()
        return place, place.earlier is None or place.earlier.frame != fingerprint.frame

    def _use(self, changes: dict[str, Any], talk: _Talk, place: Place | None, *, new_offer: bool) -> None:
        use = self._tools.take(
            talk.record, talk.transcript, talk.meaning, talk.tools_hash, place, talk.who, new_offer=new_offer
        )
        if use is NO_TOOLS:
            changes.update(_NO_TOOLS)
            return
        changes["tools_offered"] = use.offered
        changes["tool_calls_invalid"] = use.invalid if talk.record.tool_calls is not None else None
        changes["tool_results"] = use.results
        changes["tool_result_errors"] = use.errors
        changes["tool_round_trip_max_s"] = use.round_trip_max_s
        changes["tool_events"] = use.events

    def _note(self, part: Part, error: Exception, record: CallRecord, failed: list[Part]) -> None:
        self._guards.note(part, error, call_id=record.call_id)
        failed.append(part)
