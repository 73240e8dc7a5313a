"""Whether what a tool gave back looks like an error. A rule, not knowledge: docs/callers.md has it in words. Pure."""

from __future__ import annotations

import re
from typing import Any, Final

import orjson

_LOOKED_AT: Final = 400  # characters of a text; errors say so at once
_JSON_CHARACTERS: Final = 256 * 1024

# A text that begins so, after blanks and marks: `Error: ...`, `<tool_use_error>`, `ValueError: ...`, `HTTP 500`.
_BEGINS: Final = re.compile(
    r"[\s\W]{0,16}(?:"
    r"(?:tool_use_)?error\s*(?:[:>!\-\[(]|$)"
    r"|(?:[A-Za-z_][\w.]{0,80})?(?:Error|Exception)\s*:"
    r"|(?:error|failure)\s+(?:while|when|in|at|executing|calling|running)\b"
    r"|(?:failed|unable)\s+to\b"
    r"|(?:cannot|can't|could not|couldn't)\s+\w"
    r"|(?:an )?(?:unexpected |internal |unknown )?(?:error|exception) (?:occurred|was thrown)"
    r"|(?:failed|failure|fatal|exception)\s*(?:[:!\-]|$)"
    r"|traceback \(most recent call last\)"
    r"|command (?:failed|not found|timed out)"
    r"|(?:process )?exit(?:ed)?(?: with)?(?: code| status)?:? [1-9]\d{0,2}\b"
    r"|http(?:/[\d.]+)?(?: error| status)?:? [45]\d\d\b"
    r"|(?:permission denied|access denied|connection refused|timed? ?out|no such file or directory)\b"
    r")",
    re.IGNORECASE,
)
_BAD_WORDS: Final = frozenset({"error", "failed", "failure", "exception"})
_NOTHING: Final = (None, False, "", 0)


def looks_failed(text: str, *, flag: bool | None = None) -> bool:
    """Whether the tool failed. flag: what the client itself says, which counts alone."""
    if flag is not None:
        return flag
    start = text[:_LOOKED_AT].lstrip()
    if start.startswith("{") and len(text) <= _JSON_CHARACTERS:
        try:
            said = orjson.loads(text)
        except ValueError:
            return False
        return isinstance(said, dict) and _object_failed(said)
    return _BEGINS.match(start) is not None


def _object_failed(said: dict[str, Any]) -> bool:
    """An object that says so in one of the usual fields of its top level."""
    for name in ("error", "errors", "exception"):
        value = said.get(name)
        if value not in _NOTHING and value not in ([], {}):
            return True
    if said.get("isError") is True or said.get("is_error") is True:
        return True
    if said.get("success") is False or said.get("ok") is False:
        return True
    status = said.get("status")
    if isinstance(status, str) and status.lower() in _BAD_WORDS:
        return True
    for name in ("status", "status_code", "statusCode"):
        code = said.get(name)
        if type(code) is int and 400 <= code <= 599:
            return True
    return False
