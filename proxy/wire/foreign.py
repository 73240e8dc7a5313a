"""Values of foreign JSON as the type we hoped for, else None. Never raises.

Models, gateways and faults put anything anywhere: `choices` a string, 2**70 tokens, NaN. What has the wrong type is
unknown, it is not an error. No I/O here.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final
from urllib.parse import unquote

import orjson

_INT64: Final = 2**63
_NAME_CHARACTERS: Final = 512  # longest model name seen: 110 (a path); ids of LiteLLM's responses reach 490
_NO_CONTROLS: Final = dict.fromkeys((*range(32), *range(127, 160)), " ")


def parse_json(data: bytes) -> Any:
    """The JSON value, or None where there is none.

    What orjson refuses is tried again leniently: JavaScript servers cut emoji into lone surrogates between two events,
    Python servers write NaN. Strings from there may hold lone surrogates: see `clean_text`.
    """
    try:
        return orjson.loads(data)
    except ValueError:
        pass
    try:
        return json.loads(data.decode("utf-8", "replace"), strict=False)
    except (ValueError, RecursionError):
        return None


def parse_strict_json(data: bytes) -> Any:
    """The JSON value as its standard has it, or None where there is none. Quicker on what is none."""
    try:
        return orjson.loads(data)
    except ValueError:
        return None


def dump_json(value: object) -> str:
    """The value as JSON text; empty where it cannot be (nested too deep)."""
    try:
        return json.dumps(value, ensure_ascii=False)
    except (ValueError, RecursionError):
        return ""


def is_json(text: str) -> bool:
    """Whether a text is one strict JSON value."""
    try:
        orjson.loads(text)
    except ValueError:
        return False
    return True


def as_object(value: object) -> dict[str, Any]:
    """The object, else an empty one, so that look-ups can be chained."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[Any]:
    """The array, else an empty one."""
    return value if isinstance(value, list) else []


def as_text(value: object) -> str:
    """The string, else an empty one."""
    return value if isinstance(value, str) else ""


def as_name(value: object) -> str | None:
    """A short text fit for a label or a column: no control characters, bounded; None when empty or no string."""
    if not isinstance(value, str) or not value:
        return None
    if len(value) <= _NAME_CHARACTERS and value.isascii() and value.isprintable():  # nearly all are
        return value.strip() or None
    return one_line(value, _NAME_CHARACTERS) or None


def as_count(value: object) -> int | None:
    """A whole number from 0 to 2**63-1, else None. true is no number."""
    if type(value) is int and 0 <= value < _INT64:
        return value
    return None


def as_index(value: object) -> int:
    """An `index` field; 0 when it is missing or makes no sense."""
    return as_count(value) or 0


def as_number(value: object) -> float | None:
    """A finite number, else None."""
    if type(value) is float and math.isfinite(value):
        return value
    if type(value) is int and -_INT64 <= value < _INT64:
        return float(value)
    return None


def as_bool(value: object) -> bool | None:
    """true or false, else None."""
    return value if isinstance(value, bool) else None


def text_of(content: object) -> str:
    """Text of a `content`: a string, or a list of parts of which the textual ones are joined."""
    if isinstance(content, str):
        return content
    return "".join(as_text(as_object(part).get("text")) for part in as_list(content))


def clean_text(text: str) -> str:
    """The text as clean UTF-8: surrogate halves that meet become their character, lone ones U+FFFD."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def one_line(text: str, characters: int) -> str:
    """At most that many characters of a text on one line, control characters as blanks."""
    short = clean_text(text[:characters])
    return (short if short.isprintable() else short.translate(_NO_CONTROLS)).strip()


def decoded_name(segment: str | None) -> str | None:
    """A name from a path segment, percent-decoded."""
    return None if segment is None else as_name(unquote(segment, errors="replace"))
