"""Conversations found by themselves: whose earlier call a request goes on from. Nothing but hashes is remembered.

looked for                                      found                                    the call is
what the request says up to some place          is a call's messages with its answer     its next turn
the same, with an answer of the model behind    is a call's messages; the client told    its next turn
                                                the answer in another way
the same, or all that it says                   is a call that got no answer             its next turn; the same one
`previous_response_id`                          is an answer's id                        its next turn
nothing of this                                                                          the first of a new conversation

The longest match counts. Several calls can have the same hashes ("hi" is often said): then the one with the same system
prompt and tools, not gone on from yet, of the same client, the latest. Calls that claim different sessions or users
never share a conversation. For one thread. State advances as calls are read; a call read twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Final, TypeVar

import msgspec

from proxy.core.remembered import RememberedTurn
from proxy.observe.fingerprints import Fingerprint, kept_from

CALLS: Final = 16_384  # calls not gone on from that are remembered; 0.5 KB each
_SAME: Final = 8  # calls remembered under one hash
# A sixteenth of all is forgotten at once: the oldest key of a dictionary is found behind the gaps of all that went.
_AT_ONCE: Final = 16

# Under one hash mostly one call: a list of one would take as much memory again.
Index = dict[bytes, "Turn | tuple[Turn, ...]"]

_VALUES_KEPT: Final = 4096

Key = TypeVar("Key")
Value = TypeVar("Value", bound=Hashable)


class Who(msgspec.Struct, frozen=True, gc=False):
    """What tells the callers apart."""

    client: str | None = None
    user: str | None = None
    session: str | None = None

    def may_be(self, other: Who) -> bool:
        """Whether nothing that both claim differs."""
        return _agree(self.user, other.user) and _agree(self.session, other.session)


class Turn(msgspec.Struct, eq=False, gc=False):
    """A remembered call."""

    call_id: str
    conversation_id: str
    number: int
    who: Who
    asked: bytes
    answered: bytes | None
    frame: bytes
    calls_in: str | None = None  # the call whose answer called the tools that the next request may bring results of
    continued: bool = False

    @property
    def after(self) -> bytes:
        """Hash that a request starts with which goes on from here without repeating it."""
        return self.answered or self.asked


class Place(msgspec.Struct, frozen=True, gc=False):
    """Where a call stands."""

    conversation_id: str
    turn: int
    new_from: int  # first line of the request that no earlier call had; for a new conversation 0
    earlier: Turn | None  # that it goes on from, or repeats
    repeated: bool = False  # the same request again: what it brings was brought before
    seen: bool = False  # the same call again, read twice

    @property
    def calls_in(self) -> str | None:
        """The call whose answer called the tools that this request may bring results of."""
        return None if self.earlier is None else self.earlier.calls_in


class Conversations:
    """Remembers the newest calls."""

    def __init__(self, *, calls: int = CALLS) -> None:
        self._most = calls
        self._leaves: dict[str, Turn] = {}  # by call id, oldest first
        self._continued: dict[str, Turn] = {}  # a quarter as many: only who edits an earlier message needs them
        self._by_answered: Index = {}
        self._by_asked: Index = {}
        self._by_response: dict[bytes, Turn] = {}
        self._whos: dict[Who, Who] = {}  # one value for each: most calls come from few callers
        self._frames: dict[bytes, bytes] = {}  # likewise

    def __len__(self) -> int:
        return len(self._leaves) + len(self._continued)

    def named(self, response: bytes | None, who: Who) -> Turn | None:
        """The call whose answer has that id. Ids collide: the latest of them."""
        turn = None if response is None else self._by_response.get(response)
        return turn if turn is not None and turn.who.may_be(who) else None

    def place(
        self, call_id: str, fingerprint: Fingerprint, who: Who, *, named: Turn | None = None, calls_tools: bool = False
    ) -> Place:
        """Where the call stands, and remember it. named: what `named` found."""
        known = self._leaves.get(call_id) or self._continued.get(call_id)
        if known is not None:
            return Place(known.conversation_id, known.number, fingerprint.lines[-1], known, repeated=True, seen=True)
        place = Place(named.conversation_id, named.number + 1, 0, named) if named else self._find(fingerprint, who)
        place = place or Place(call_id, 1, 0, None)
        calls_in = call_id if calls_tools else place.calls_in if fingerprint.answered is None else None
        turn = Turn(
            call_id,
            place.conversation_id,
            place.turn,
            _one(self._whos, who),
            asked=fingerprint.asked,
            answered=fingerprint.answered,
            frame=_one(self._frames, fingerprint.frame),
            calls_in=calls_in,
        )
        if place.earlier is not None:
            self._go_on(place.earlier)
        self._remember(turn, fingerprint.response)
        return place

    def recall(self, turns: Iterable[RememberedTurn]) -> None:
        """Take what the ledger remembers, oldest first, in place of all that was known."""
        self.__init__(calls=self._most)  # type: ignore[misc]
        latest: dict[tuple[str, int], Turn] = {}
        for said in turns:
            kept = kept_from(said.conversation_hash)
            if kept is None:
                continue
            turn = Turn(
                said.call_id,
                said.conversation_id,
                said.turn,
                _one(self._whos, Who(said.client, said.claimed_user, said.claimed_session)),
                asked=kept.asked,
                answered=kept.answered,
                frame=_one(self._frames, kept.frame),
                calls_in=said.call_id if said.called else None,
            )
            earlier = latest.get((said.conversation_id, said.turn - 1))
            if earlier is not None:
                self._go_on(earlier)
            latest[said.conversation_id, said.turn] = turn
            self._remember(turn, kept.response)

    def _find(self, fingerprint: Fingerprint, who: Who) -> Place | None:
        prefixes, kinds, lines = fingerprint.prefixes, fingerprint.kinds, fingerprint.lines
        for at in range(len(prefixes) - 1, 0, -1):
            prefix = prefixes[at]
            same = _under(self._by_answered, prefix)
            found = _best(same, fingerprint.frame, who) if same else None
            if found is not None:
                return Place(found.conversation_id, found.number + 1, lines[at], found)
            same = _under(self._by_asked, prefix)
            if not same or at > fingerprint.asked_at:
                continue
            if at == fingerprint.asked_at or kinds[at] not in ("assistant", "call"):
                same = [turn for turn in same if turn.answered is None]
            same = [turn for turn in same if not turn.continued and turn.who == who]
            found = _best(same, fingerprint.frame, who) if same else None
            if found is not None:
                again = at == fingerprint.asked_at
                return Place(found.conversation_id, found.number + (not again), lines[at], found, repeated=again)
        return None

    def _go_on(self, turn: Turn) -> None:
        if turn.continued:
            return
        turn.continued = True
        if self._leaves.pop(turn.call_id, None) is not None:
            self._continued[turn.call_id] = turn
            self._bound(self._continued, self._most // 4)

    def _remember(self, turn: Turn, response: bytes | None) -> None:
        self._leaves[turn.call_id] = turn
        _add(self._by_asked, turn.asked, turn)
        if turn.answered is not None:
            _add(self._by_answered, turn.answered, turn)
        if response is not None:
            self._by_response[response] = turn
            for oldest in _oldest(self._by_response, self._most):
                del self._by_response[oldest]
        self._bound(self._leaves, self._most)

    def _bound(self, turns: dict[str, Turn], most: int) -> None:
        for oldest in _oldest(turns, most):
            self._forget(turns.pop(oldest))

    def _forget(self, turn: Turn) -> None:
        _drop(self._by_asked, turn.asked, turn)
        if turn.answered is not None:
            _drop(self._by_answered, turn.answered, turn)


def _agree(one: str | None, other: str | None) -> bool:
    return one is None or other is None or one == other


def _best(turns: Sequence[Turn], frame: bytes, who: Who) -> Turn | None:
    """Of those that may be, the likeliest; of equals the latest."""
    best, most = None, (False, False, False)
    for turn in turns:
        if not turn.who.may_be(who):
            continue
        likely = (turn.frame == frame, not turn.continued, turn.who.client == who.client)
        if best is None or likely >= most:
            best, most = turn, likely
    return best


def _oldest(known: Mapping[Key, object], most: int) -> list[Key]:
    """What is to be forgotten so that there are at most so many."""
    return list(islice(known, max(most // _AT_ONCE, 1))) if len(known) > most else []


def _one(known: dict[Value, Value], value: Value) -> Value:
    """The value that was seen before, in place of one that equals it."""
    found = known.get(value)
    if found is None:
        if len(known) >= _VALUES_KEPT:
            known.clear()
        found = known[value] = value
    return found


def _under(index: Index, key: bytes) -> Sequence[Turn]:
    """The calls under that hash, oldest first."""
    found = index.get(key)
    return () if found is None else found if isinstance(found, tuple) else (found,)


def _add(index: Index, key: bytes, turn: Turn) -> None:
    before = index.get(key)
    if before is None:
        index[key] = turn
    else:
        index[key] = (*before[1 - _SAME :], turn) if isinstance(before, tuple) else (before, turn)


def _drop(index: Index, key: bytes, turn: Turn) -> None:
    found = index.get(key)
    if found is turn:
        del index[key]
    elif isinstance(found, tuple) and turn in found:
        rest = tuple([other for other in found if other is not turn])
        index[key] = rest if len(rest) > 1 else rest[0]
