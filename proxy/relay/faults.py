"""What the relay answers itself: closed error codes, their status, and the body in OpenAI's error shape.

before the head     the client gets one of these
after the head      the connection is closed without the end of the body: a broken answer never ends clean
"""

from __future__ import annotations

from typing import Final, NamedTuple

from proxy.core.exchange import Ending
from proxy.relay.error_body import error_body


class Fault(NamedTuple):
    """One way a call ends that is not the upstream's answer."""

    code: str  # closed word; error.code of the body and error_code of the record
    status: int  # sent when the head was not sent yet
    kind: str  # error.type of the body, one of OpenAI's
    ending: Ending
    message: str  # for the client's developer; says what to do where there is something to do


BAD_REQUEST: Final = Fault("bad_request", 400, "invalid_request_error", "refused", "The request is not valid HTTP.")
BAD_TARGET: Final = Fault(
    "bad_target", 400, "invalid_request_error", "refused", "The request target must be a path that begins with /."
)
HOST_REFUSED: Final = Fault(
    "host_refused",
    403,
    "invalid_request_error",
    "refused",
    "This Host is not one that Sightglass answers to; the setting allowed_hosts lists them.",
)
KEY_MISSING: Final = Fault(
    "missing_api_key",
    401,
    "invalid_request_error",
    "refused",
    "No API key was sent. Send the key that you were given here as `Authorization: Bearer KEY` or `x-api-key: KEY`.",
)
KEY_UNKNOWN: Final = Fault(
    "invalid_api_key",
    401,
    "invalid_request_error",
    "refused",
    "This API key is not one that Sightglass knows; `sightglass keys list` shows those it does.",
)
KEY_REVOKED: Final = Fault(
    "revoked_api_key", 401, "invalid_request_error", "refused", "This API key was revoked; ask for another one."
)
KEYS_SEVERAL: Final = Fault(
    "several_api_keys", 400, "invalid_request_error", "refused", "Two different API keys were sent; send one."
)
KEYS_UNREADABLE: Final = Fault(
    "control_unreadable",
    503,
    "api_error",
    "refused",
    "Sightglass cannot tell who may call: its control file cannot be read; its log says more.",
)
ORIGIN_REFUSED: Final = Fault(
    "origin_refused",
    403,
    "invalid_request_error",
    "refused",
    "Pages of this Origin may not call; the setting allowed_origins lists those that may.",
)
MANAGEMENT_CLOSED: Final = Fault(
    "management_closed",
    403,
    "invalid_request_error",
    "refused",
    "Paths that change the model server are closed here; the setting access.ollama_management opens them.",
)
BAD_HOST: Final = Fault(
    "bad_host",
    400,
    "invalid_request_error",
    "refused",
    "The Host field must be there once: a name or address, and a port.",
)
TWICE: Final = Fault(
    "credentials_twice", 400, "invalid_request_error", "refused", "A field with credentials is there more than once."
)
HEAD_TOO_LARGE: Final = Fault(
    "head_too_large",
    431,
    "invalid_request_error",
    "refused",
    "The request's head is longer than limits.head_bytes or has more fields than limits.head_fields.",
)
TARGET_TOO_LONG: Final = Fault(
    "target_too_long", 414, "invalid_request_error", "refused", "The first line is longer than limits.head_bytes."
)
HEAD_TIMEOUT: Final = Fault(
    "head_timeout", 408, "invalid_request_error", "refused", "The request's head was not whole within limits.head_s."
)
BODY_TIMEOUT: Final = Fault(
    "body_timeout", 408, "invalid_request_error", "refused", "The request's body was not whole within limits.body_s."
)
TOO_MANY_CONNECTIONS: Final = Fault(
    "too_many_connections", 503, "api_error", "refused", "All connections are taken (limits.connections)."
)
TOO_MANY_OF_ADDRESS: Final = Fault(
    "too_many_connections_of_address",
    429,
    "rate_limit_error",
    "refused",
    "This address has as many connections as it may have (limits.per_address).",
)
TOO_MANY_CALLS: Final = Fault(
    "too_many_calls",
    429,
    "rate_limit_error",
    "refused",
    "This client has as many calls under way as it may have (limits.calls_per_client).",
)
OVERLOADED: Final = Fault(
    "out_of_memory", 503, "api_error", "refused", "Sightglass has too much in memory (limits.memory_bytes); try again."
)
TOO_LARGE: Final = Fault(
    "request_too_large", 413, "invalid_request_error", "refused", "The body is longer than limits.body_bytes allows."
)
NOT_SUPPORTED: Final = Fault(
    "not_supported", 501, "invalid_request_error", "refused", "CONNECT, TRACE and protocol upgrades are not forwarded."
)
NO_SUCH_PAGE: Final = Fault(
    "not_found", 404, "invalid_request_error", "refused", "Nothing here: below /-/ there is only /-/health."
)
SHUTTING_DOWN: Final = Fault(
    "shutting_down", 503, "api_error", "refused", "Sightglass is shutting down; try again in a moment."
)
CONNECT_FAILED: Final = Fault(
    "upstream_connect_failed", 502, "api_error", "upstream_failed", "The upstream cannot be reached"
)
CONNECT_TIMEOUT: Final = Fault(
    "upstream_connect_timeout", 504, "api_error", "timeout", "The upstream did not take the connection in time."
)
CLOSED: Final = Fault(
    "upstream_closed", 502, "api_error", "upstream_failed", "The upstream closed the connection without an answer."
)
RESET: Final = Fault(
    "upstream_reset", 502, "api_error", "upstream_failed", "The upstream reset the connection without an answer."
)
MALFORMED: Final = Fault(
    "upstream_malformed", 502, "api_error", "upstream_failed", "The upstream's answer is not valid HTTP"
)
FIRST_BYTE_TIMEOUT: Final = Fault(
    "upstream_first_byte_timeout", 504, "api_error", "timeout", "The upstream gave no answer in time."
)
BETWEEN_BYTES_TIMEOUT: Final = Fault(
    "upstream_between_bytes_timeout", 504, "api_error", "timeout", "The upstream fell silent inside its answer."
)
BROKE_OFF: Final = Fault(
    "upstream_broke_off", 502, "api_error", "upstream_failed", "The upstream broke off inside its answer."
)
KEY_REPEATED: Final = Fault(
    "upstream_key_repeated",
    502,
    "api_error",
    "upstream_failed",
    "The upstream's error repeats the key that Sightglass showed it, in a compressed body: it is held back.",
)
INTERNAL: Final = Fault(
    "internal_error", 500, "api_error", "proxy_failed", "Sightglass failed; its log says how. The upstream may be well."
)
CLIENT_LEFT: Final = Fault("client_left", 499, "api_error", "client_left", "The client closed the connection.")
CLIENT_STALLED: Final = Fault(
    "client_stalled", 499, "api_error", "client_left", "The client took nothing of its answer for limits.send_s."
)
STOPPED: Final = Fault(
    "stopped", 503, "api_error", "stopped", "Sightglass was stopped before the answer was at its end."
)

ALL: Final[tuple[Fault, ...]] = tuple(value for value in list(globals().values()) if isinstance(value, Fault))

_REASONS: Final = {
    400: b"Bad Request",
    401: b"Unauthorized",
    403: b"Forbidden",
    404: b"Not Found",
    408: b"Request Timeout",
    413: b"Content Too Large",
    414: b"URI Too Long",
    429: b"Too Many Requests",
    431: b"Request Header Fields Too Large",
    500: b"Internal Server Error",
    501: b"Not Implemented",
    502: b"Bad Gateway",
    503: b"Service Unavailable",
    504: b"Gateway Timeout",
}


def error_answer(
    fault: Fault, *, request_id: str, detail: str | None = None, close: bool, head_only: bool, target: str = "/"
) -> bytes:
    """The whole answer, head and body. `detail` is added to the message; never put a secret or a traceback there.

    target: of the request, whose client reads errors in its own shape.
    """
    message = f"{fault.message.rstrip('.')}: {detail}" if detail else fault.message
    body = error_body(
        message, kind=fault.kind, code=fault.code, status=fault.status, request_id=request_id, target=target
    )
    lines = [
        b"HTTP/1.1 %d %b" % (fault.status, _REASONS.get(fault.status, b"Error")),
        b"Content-Type: application/json",
        b"Content-Length: %d" % len(body),
        b"x-request-id: " + request_id.encode("latin-1", "replace"),
    ]
    if fault.status == 401:
        lines.append(b"WWW-Authenticate: Bearer")
    if fault.status in (429, 503):
        lines.append(b"Retry-After: 1")
    if close:
        lines.append(b"Connection: close")
    return b"\r\n".join(lines) + b"\r\n\r\n" + (b"" if head_only else body)
