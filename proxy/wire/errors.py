"""Errors as upstreams put them, and our closed words for what went wrong. No I/O here.

Shapes seen: `{"error":{"message","type","code"}}` (OpenAI, Ollama's /v1, LiteLLM), `{"type":"error","error":{...}}`
(Anthropic), `{"error":"text"}` (native Ollama; cloud models also on /v1), `{"detail":...}` (FastAPI under LiteLLM),
plain text (Go's router, uvicorn).
"""

from __future__ import annotations

from typing import Any, Final, Literal

from proxy.wire import foreign
from proxy.wire.meaning import WireError

MESSAGE_CHARACTERS: Final = 4000  # LiteLLM's reach 2000; the record keeps 500 of them

# What `error_type` of a call can be. The relay's own codes (relay/faults.py) come on top and pass as they are.
ErrorType = Literal[
    "invalid_request",  # 400, 422 and other 4xx
    "authentication",  # 401
    "quota",  # 402
    "permission",  # 403
    "not_found",  # 404
    "method_not_allowed",  # 405
    "too_large",  # 413
    "canceled",  # 499: the upstream saw its client leave
    "rate_limit",  # 429
    "overloaded",  # 503, 529: queue full
    "upstream_timeout",  # 408, 504
    "server_error",  # other 5xx, and errors in a stream that say no more
    "stream_broken",  # the answer broke off
    "no_end_mark",  # the answer ended cleanly, but neither finish reason nor end mark came
]

_BY_STATUS: Final[dict[int, ErrorType]] = {
    401: "authentication",
    402: "quota",
    403: "permission",
    404: "not_found",
    405: "method_not_allowed",
    408: "upstream_timeout",
    413: "too_large",
    429: "rate_limit",
    499: "canceled",
    503: "overloaded",
    504: "upstream_timeout",
    529: "overloaded",
}
_BY_WORD: Final[dict[str, ErrorType]] = {
    "invalid_request_error": "invalid_request",
    "authentication_error": "authentication",
    "permission_error": "permission",
    "not_found_error": "not_found",
    "request_too_large": "too_large",
    "rate_limit_error": "rate_limit",
    "rate_limit_exceeded": "rate_limit",
    "insufficient_quota": "quota",
    "billing_error": "quota",
    "overloaded_error": "overloaded",
    "timeout_error": "upstream_timeout",
}


def read_error(answer: Any) -> WireError | None:
    """The error that a JSON object tells of, None when it tells of none."""
    said = foreign.as_object(answer)
    error = said.get("error")
    if isinstance(error, dict):
        return _from_object(error)
    if isinstance(error, str) and error:
        return WireError(message=_message(error))
    return None


def read_refusal(answer: Any) -> WireError | None:
    """The error of an answer whose status is 400 or more: any shape, FastAPI's `detail` and bare `message` too."""
    if error := read_error(answer):
        return error
    said = foreign.as_object(answer)
    for name in ("detail", "message"):
        value = said.get(name)
        if isinstance(value, str) and value:
            return WireError(message=_message(value))
        if isinstance(value, dict | list) and value:
            return WireError(message=_message(foreign.dump_json(value)))
    return None


def from_plain_text(body: bytes) -> WireError | None:
    """The error that a body tells which is no JSON: its begin. None when there is none."""
    message = _message(body[:MESSAGE_CHARACTERS].decode("utf-8", "replace").strip())
    return WireError(message=message) if message else None


def word_of_status(status: int) -> ErrorType:
    """Our word for a status of 400 or more."""
    return _BY_STATUS.get(status, "server_error" if status >= 500 else "invalid_request")


def word_of_error(error: WireError) -> ErrorType:
    """Our word for an error inside an answer whose status was fine."""
    for word in (error.type, error.code):
        if word in _BY_WORD:
            return _BY_WORD[word]
    if error.code and error.code.isascii() and error.code.isdigit() and 400 <= int(error.code[:4]) <= 599:
        return word_of_status(int(error.code[:4]))
    return "server_error"


def _from_object(error: dict[str, Any]) -> WireError | None:
    if not error:
        return None
    message = error.get("message")
    code = error.get("code")
    return WireError(
        message=_message(message if isinstance(message, str) else foreign.dump_json(error)),
        type=foreign.as_name(error.get("type")),
        code=foreign.as_name(str(code) if isinstance(code, int) and abs(code) < 10**6 else code),
    )


def _message(text: str) -> str:
    return foreign.clean_text(text[:MESSAGE_CHARACTERS])
