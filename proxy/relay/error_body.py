"""The body of an error of ours, in the shape that the client's library reads.

OpenAI's everywhere, but for Anthropic's own path (its fields go around OpenAI's) and for what only Ollama's clients
ask, whose `error` is a text.
"""

from __future__ import annotations

from typing import Final

import msgspec

# Anthropic's words for a status: https://docs.anthropic.com/en/api/errors
_ANTHROPIC: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
}


def error_body(message: str, *, kind: str, code: str, status: int, request_id: str, target: str) -> bytes:
    """The JSON. kind: OpenAI's word; target: of the request."""
    error = {"message": message, "type": kind, "param": None, "code": code, "request_id": request_id}
    if code == "management_closed":
        return msgspec.json.encode({"error": message, "code": code, "request_id": request_id})
    if target.startswith("/v1/messages"):
        error["type"] = _ANTHROPIC.get(status, "api_error")
        return msgspec.json.encode({"type": "error", "error": error, "request_id": request_id})
    return msgspec.json.encode({"error": error})
