"""What answers at an upstream's address: one look with the standard library, loading no model, never raising."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
from contextlib import closing
from typing import Any, Final, Literal

import msgspec

from proxy.core.upstreams import ResolvedUpstream

Trouble = Literal["refused", "unknown_name", "timeout", "unreachable", "tls", "not_tls", "certificate", "not_http"]
LOOK_S: Final = 3.0  # each look; somebody waits in front of a terminal
_BIGGEST: Final = 16 * 1024 * 1024


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What one look found. `kind` None = it answers, as none we know. `trouble` None = it answers."""

    kind: Literal["ollama", "litellm", "openai"] | None = None
    version: str | None = None
    models: tuple[str, ...] | None = None  # None = it does not tell, or not without another key
    status: int | None = None  # of the list of models, when it was refused
    trouble: Trouble | None = None
    detail: str = ""


def look(upstream: ResolvedUpstream, *, timeout_s: float = LOOK_S) -> Seen:
    """Ask the paths that cost the server nothing, until one tells who it is."""
    try:
        return _look(upstream, timeout_s)
    except (OSError, http.client.HTTPException) as error:
        return _troubled(error)


def _look(upstream: ResolvedUpstream, timeout_s: float) -> Seen:
    deadline = time.monotonic() + timeout_s
    status, answer = _get(upstream, "/api/version", deadline)
    if status == 400 and upstream.scheme == "http" and b"HTTPS" in answer[:200]:
        return Seen(trouble="tls", detail="it wants TLS")
    version = _member(answer, "version") if status == 200 else None
    if isinstance(version, str):
        _, tags = _get(upstream, "/api/tags", deadline)
        return Seen(kind="ollama", version=version, models=_names(_member(tags, "models"), "name"))
    status, answer = _get(upstream, "/health/liveliness", deadline)
    kind: Literal["litellm", "openai"] = "litellm" if status == 200 and b"alive" in answer else "openai"
    status, answer = _get(upstream, "/v1/models", deadline)
    models = _names(_member(answer, "data"), "id")
    if models is None and kind == "openai" and status not in (401, 403):
        return Seen(status=status)
    return Seen(kind=kind, models=models, status=None if status == 200 else status)


def _get(upstream: ResolvedUpstream, path: str, deadline: float) -> tuple[int, bytes]:
    left_s = max(0.1, deadline - time.monotonic())
    headers = {"Accept": "application/json", "User-Agent": "sightglass-doctor"}
    if upstream.key is not None:
        headers["Authorization"] = f"Bearer {upstream.key}"
    connection: http.client.HTTPConnection
    if upstream.scheme == "https":
        connection = http.client.HTTPSConnection(upstream.host, upstream.port, timeout=left_s)
    else:
        connection = http.client.HTTPConnection(upstream.host, upstream.port, timeout=left_s)
    with closing(connection):
        connection.request("GET", upstream.base_path + path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read(_BIGGEST)


def _member(answer: bytes, name: str) -> Any:
    try:
        value = json.loads(answer)
    except ValueError:
        return None
    return value.get(name) if isinstance(value, dict) else None


def _names(models: Any, member: str) -> tuple[str, ...] | None:
    if not isinstance(models, list):
        return None
    return tuple(str(model[member]) for model in models if isinstance(model, dict) and member in model)


def _troubled(error: OSError | http.client.HTTPException) -> Seen:
    detail = (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()
    trouble: Trouble
    match error:
        case ssl.SSLCertVerificationError():
            trouble, detail = "certificate", error.verify_message
        case ssl.SSLError():
            trouble = "not_tls"
        case ConnectionRefusedError():
            trouble = "refused"
        case socket.gaierror():
            trouble = "unknown_name"
        case TimeoutError():
            trouble = "timeout"
        case http.client.HTTPException() | ConnectionError():
            trouble = "not_http"
        case _:
            trouble = "unreachable"
    return Seen(trouble=trouble, detail=detail)
