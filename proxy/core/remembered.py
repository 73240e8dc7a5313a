"""What the ledger tells an observer that starts of a call: its place in a conversation, the tools that it called."""

from __future__ import annotations

import msgspec


class RememberedTurn(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a conversation."""

    call_id: str
    ended_unix_ns: int
    conversation_id: str
    turn: int
    conversation_hash: str
    client: str | None = None
    claimed_user: str | None = None
    claimed_session: str | None = None
    called: tuple[tuple[int, str | None, str | None], ...] = ()  # (position, tool, id of the call) of each
    answered: frozenset[int] = frozenset()  # positions whose result was brought
