"""What happened to one tool in one call: it was offered, the answer called it, or the request brought its result."""

from __future__ import annotations

from typing import Final, Literal, get_args

import msgspec

ToolEventKind = Literal["offered", "called", "result"]
TOOL_EVENT_KINDS: Final[tuple[ToolEventKind, ...]] = get_args(ToolEventKind)


class ToolEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One row of the ledger's `tool_events`. Documented in docs/callers.md. None is unknown."""

    kind: ToolEventKind
    position: int  # among those of this kind in the call, from 0
    tool: str | None = None  # its name; of a result whose call was not seen it may be unknown
    tool_call_id: str | None = None  # as on the wire; ids collide
    valid: bool | None = None  # called: the arguments fit the schema on offer
    round_trip_s: float | None = None  # result: from the end of the answer that called it to this request
    error: bool | None = None  # result: it looks like an error
    called_in: str | None = None  # result: call_id of the answer that called it
    called_position: int | None = None  # result: `position` of that call in the answer
