"""JSON as text: what can be said of bytes without making values of them. Pure.

For the request path: linear, never raises on foreign bytes, copies little. See wire/foreign for values.
"""

from __future__ import annotations

import json
import re
from typing import Final

import msgspec

# All that msgspec's decoder raises on foreign bytes.
DECODE_ERRORS: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_MAX_CANDIDATES: Final = 1000  # members of the same name at any level

_decode_text: Final = msgspec.json.Decoder(str).decode
_check_json: Final = msgspec.json.Decoder(msgspec.Raw).decode


def last_member(text: bytes, member: re.Pattern[bytes], value: bytes) -> re.Match[bytes] | None:
    """The match of the last top-level member that looks like this, in an object that is valid JSON.

    member: matches the quoted name to the last byte before the value. value: the JSON text of the value.
    Linear in the text. None also when more than 1000 members of all levels look like this.
    """
    last = None
    depth, in_string, done = 0, False, 0
    for tries, found in enumerate(member.finditer(text)):
        if tries == _MAX_CANDIDATES:
            return None
        start = found.start()
        before = text[done:start]
        escaped = ends_escaped(before)  # then the quote found is a part of a string
        between, in_string = between_strings(without_escapes(before), in_string=in_string)
        depth += between.count(b"{") + between.count(b"[") - between.count(b"}") - between.count(b"]")
        done = start + escaped
        if not escaped and not in_string and depth == 1 and text.startswith(value, found.end()):
            last = found
    return last


def is_json(body: bytes) -> bool:
    """Whether the body is JSON as Go and Python take it, lone surrogates included."""
    try:
        _check_json(without_surrogates(body))
    except RecursionError:
        return True  # deep, not wrong: the limit hangs on how deep our own caller stands
    except DECODE_ERRORS:
        return False
    return True


_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


def without_surrogates(text: bytes) -> bytes:
    r"""JSON of the same length and structure with each \uD8xx..\uDFxx escape made harmless.

    JavaScript cuts an emoji in half and sends "\ud83d": fine for Go and Python, refused by msgspec. For finding out
    only, never to be passed on. (An escaped backslash before "ud83d" stays well-formed too.)
    """
    return _SURROGATE.sub(rb"\\u0041", text)


def string_of(raw: bytes) -> str | None:
    """The string that this JSON text stands for; broken UTF-8 and lone surrogates become U+FFFD, as in Go."""
    if not raw.startswith(b'"'):
        return None
    try:
        return _decode_text(raw)
    except DECODE_ERRORS:
        pass
    try:
        text: str = json.loads(raw.decode("utf-8", "replace"), strict=False)
    except ValueError:
        return None
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def ends_escaped(text: bytes) -> bool:
    """Whether the text ends in a backslash that escapes what follows. Begins outside of an escape."""
    return (len(text) - len(text.rstrip(b"\\"))) % 2 == 1


def without_escapes(text: bytes) -> bytes:
    r"""JSON text without its `\\` and `\"`: every quote left is a string's end. Begins outside of an escape."""
    if b"\\" not in text:
        return text
    return text.replace(b"\\\\", b"").replace(b'\\"', b"")


def between_strings(text: bytes, *, in_string: bool) -> tuple[bytes, bool]:
    """What stands outside of the strings of an escape-free text, and whether it ends inside of one.

    in_string: whether it begins inside of one.
    """
    # Empty strings go first: 64 KiB of quotes would be 64 Ki parts.
    parts = text.replace(b'""', b"").split(b'"')
    return b"".join(parts[in_string::2]), in_string ^ (len(parts) % 2 == 0)
