"""JSON as Go writes and reads it: the escapes, number forms and error texts that Ollama's clients see. No I/O."""

from __future__ import annotations

import json
import math
import re
import struct
import time
from typing import Any

import orjson

# encoding/json escapes these so that JSON may stand inside HTML.
_ESCAPES = (
    (b"<", b"\\u003c"),
    (b">", b"\\u003e"),
    (b"&", b"\\u0026"),
    ("\u2028".encode(), b"\\u2028"),
    ("\u2029".encode(), b"\\u2029"),
)
_NEEDS_ESCAPE = re.compile(b"[<>&]|\xe2\x80[\xa8\xa9]")


def dump(value: Any) -> bytes:
    """Compact JSON of `value`, keys in insertion order, escaped as Go does. Lone surrogates become U+FFFD."""
    try:
        raw = orjson.dumps(value)
    except TypeError:
        raw = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    if _NEEDS_ESCAPE.search(raw):
        for plain, escaped in _ESCAPES:
            raw = raw.replace(plain, escaped)
    return raw


def dump_sorted(value: Any) -> bytes:
    """The same with keys sorted at every level, as Go writes maps."""
    return dump(_sorted(value))


def spaced(value: Any) -> str:
    """JSON with a space after each comma and colon, as most clients send it."""
    return json.dumps(value, ensure_ascii=False)


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [_sorted(item) for item in value]
    return value


def _rounded(value: float) -> float:
    """The nearest float32; infinite past its range."""
    try:
        nearest: float = struct.unpack("<f", struct.pack("<f", value))[0]
    except OverflowError:
        return math.copysign(math.inf, value)
    return nearest


_PLAIN_FROM = _rounded(1e-6)  # smaller ones are written with an exponent


def float32(value: float) -> bytes:
    """The shortest text that reads back as the same float32: `1`, `0.25`, `1e-7`, `-3.4028235e+38`."""
    single = _rounded(value)
    if single == 0:
        return b"-0" if math.copysign(1, single) < 0 else b"0"
    for digits in range(1, 10):
        text = f"{single:.{digits}g}"
        if _rounded(float(text)) == single:
            break
    if _PLAIN_FROM <= abs(single) < 1e21:
        plain = f"{float(text):.{20}f}".rstrip("0").rstrip(".") if "e" in text else text
        return plain.encode()
    mantissa, exponent = f"{float(text):.{digits - 1}e}".split("e")
    sign = exponent[0]
    return f"{mantissa}e{sign}{exponent[1:].lstrip('0')}".encode()


def vector(values: list[float]) -> bytes:
    """A JSON array of float32."""
    return b"[" + b",".join(map(float32, values)) + b"]"


def timestamp(unix_ns: int | None = None) -> str:
    """RFC 3339 in UTC with up to 9 fractional digits, trailing zeros trimmed."""
    seconds, fraction = divmod(time.time_ns() if unix_ns is None else unix_ns, 1_000_000_000)
    day = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    digits = f"{fraction:09d}".rstrip("0")
    return f"{day}.{digits}Z" if digits else f"{day}Z"


class DecodeError(ValueError):
    """What Go's decoder says about a body that is no JSON."""


def load(body: bytes) -> Any:
    """The first JSON value of `body`; what follows it is ignored, as Ollama does. Raises DecodeError."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        text = body.decode("utf-8", "replace").lstrip(" \t\r\n")
    if not text:
        raise DecodeError("EOF")
    try:
        return json.JSONDecoder().raw_decode(text)[0]
    except json.JSONDecodeError as error:
        raise DecodeError(_complaint(text, error)) from None
    except RecursionError:
        raise DecodeError("exceeded max depth") from None


_WHERE = {
    "Expecting value": "looking for beginning of value",
    "Expecting property name enclosed in double quotes": "looking for beginning of object key string",
    "Expecting ':' delimiter": "after object key",
    "Expecting ',' delimiter": "after object key:value pair",
    "Invalid control character at": "in string literal",
    "Invalid \\escape": "in string escape code",
}


def _complaint(text: str, error: json.JSONDecodeError) -> str:
    if error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string"):
        return "unexpected EOF"
    where = next(
        (said for start, said in _WHERE.items() if error.msg.startswith(start)), "looking for beginning of value"
    )
    return f"invalid character {_quoted(text[error.pos])} {where}"


def _quoted(char: str) -> str:
    """The character as Go's %q shows it in an error."""
    named = {"'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(char)
    if named is None:
        named = char if 0x20 <= ord(char) != 0x7F else f"\\x{ord(char):02x}"
    return f"'{named}'"
