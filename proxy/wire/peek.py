"""What the relay reads of a request body that is there whole: model, stream flag, where `stream_options` can be edited.

Meant for up to 256 KiB, where a C decoder is quickest; longer bodies come in pieces, see wire/peeker. Both give the
same `Peek` for the same JSON. Runs on the request path, in the relay's event loop. It must not raise on foreign bytes
or import anything heavy. It changes nothing; see wire/injection.
"""

from __future__ import annotations

import re

import msgspec

from proxy.wire.json_text import DECODE_ERRORS, is_json, last_member
from proxy.wire.peeked import Peek, options_state
from proxy.wire.peeker import Peeker


class _Members(msgspec.Struct):
    """The three members, in the types that they usually have; all others are passed over by the decoder."""

    model: str | None = None
    stream: bool | None = None
    stream_options: msgspec.Raw = msgspec.Raw(b"")


_decode_members = msgspec.json.Decoder(_Members).decode
_OPTIONS_MEMBER = re.compile(rb'"stream_options"[ \t\n\r]*:[ \t\n\r]*')
_LETTER_ESCAPE = re.compile(rb"\\u00[4567]")


def peek(body: bytes) -> Peek:
    """What a whole body says. About 1 us per KiB, 7 with options to edit; of wrong types or not JSON: 50 us more."""
    try:
        seen = _decode_members(body)
    except DECODE_ERRORS:
        return _peek_odd(body)
    start = body.find(b"{") + 1
    if seen.stream is not True:
        return Peek(model=seen.model, stream=seen.stream, valid=True, object_start=start)
    options = options_state(bytes(seen.stream_options))
    value = None
    if options in ("null", "empty", "open"):
        value = _options_start(body, bytes(seen.stream_options))
        if value is None:
            return _scan(body)
    return Peek(
        model=seen.model,
        stream=True,
        valid=True,
        object_start=start,
        options=options,
        options_start=value,
        options_end=None if value is None else value + len(seen.stream_options),
    )


def _options_start(body: bytes, raw: bytes) -> int | None:
    """Where the value of `stream_options` begins in valid JSON; None = its name might be written with escapes."""
    if _LETTER_ESCAPE.search(body):
        return None
    found = last_member(body, _OPTIONS_MEMBER, raw)
    return found.end() if found else None


def _peek_odd(body: bytes) -> Peek:
    """The scanner's answer, with the decoder's word on validity."""
    seen = _scan(body)
    if seen.valid and not is_json(body):
        return Peek(model=seen.model, stream=seen.stream, object_start=seen.object_start)
    return seen


def _scan(body: bytes) -> Peek:
    peeker = Peeker()
    peeker.feed(body)
    return peeker.result()
