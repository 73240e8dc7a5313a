"""What a request body says to the relay: the value that `peek` and `Peeker` give. Pure."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from proxy.wire.json_text import DECODE_ERRORS

# unread: stream is not true or the body is not valid, so nobody needs it.   absent: no such member.
# null, empty ({}), open (an object that does not name include_usage): can be edited, `options_start/end` are given.
# said: include_usage is named, whatever its value.   foreign: of another type, not well-formed or over 4 KiB.
Options = Literal["unread", "absent", "null", "empty", "open", "said", "foreign"]

OPTIONS_BYTES: Final = 4096  # longest `stream_options` that is looked at; real ones have under 100

_decode_options: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Peek(msgspec.Struct, frozen=True, kw_only=True):
    """What a request body says to the relay.

    model, stream: None = absent, of another type, or not reached. Of duplicate members the last counts, as in Go and
      Python. Names match exactly; Go would also take "Model" or "STREAM".
    valid: the body is one JSON object and nothing else. `peek` knows this to the letter. `Peeker` has checked the top
      level, the balance of quotes and brackets and the characters between them; it does not see a wrong escape, number
      or comma deeper down. False also when it gave up: over 128 members, 1000 levels, or too dense a nest.
    object_start: offset just behind the opening brace; None = no object.
    options_start, options_end: span of the value of `stream_options`; given for null, empty and open.
    """

    model: str | None = None
    stream: bool | None = None
    valid: bool = False
    object_start: int | None = None
    options: Options = "unread"
    options_start: int | None = None
    options_end: int | None = None


def options_state(raw: bytes) -> Options:
    """What a `stream_options` value (JSON text; empty = no such member) leaves to be done."""
    if not raw:
        return "absent"
    if raw == b"null":
        return "null"
    if len(raw) > OPTIONS_BYTES:
        return "foreign"
    try:
        members = _decode_options(raw)
    except DECODE_ERRORS:
        return "foreign"
    if "include_usage" in members:
        return "said"
    return "open" if members else "empty"
