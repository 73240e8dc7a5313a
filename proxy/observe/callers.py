"""Who calls, and with what: SDK and app from the request's head, user and tags from head and body. Pure.

All of it is what the caller says of itself: claims, good for sums and for finding things, no proof of anything. So the
names say `claimed_`, and what software says of itself begins with `client_`. Sources, first wins: docs/callers.md.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final
from urllib.parse import unquote

import orjson

from proxy.observe.agents import Agent, read_agent
from proxy.wire import foreign

CHARACTERS: Final = 256  # of a claim; Anthropic's user ids reach 170
PAIRS: Final = 16  # of `metadata`, as OpenAI allows
METADATA_CHARACTERS: Final = 1024  # of all its pairs as JSON
_VALUE_CHARACTERS: Final = 256
_KNOWN_LINES: Final = 4096
_LINE_BYTES: Final = 1024
_HEAD_BYTES: Final = 2048  # longer heads are read anew each time

# Header -> what it says. Lower case. Ours first, then what programs in the field send by themselves.
HEADERS: Final[dict[bytes, str]] = {
    b"x-sightglass-user": "user",
    b"x-sightglass-team": "team",
    b"x-sightglass-project": "project",
    b"x-sightglass-task": "task",
    b"x-sightglass-session": "session",
    b"x-sightglass-app": "app",
    b"x-litellm-end-user-id": "user 2",
    b"x-openwebui-user-id": "user 3",
    b"x-litellm-session-id": "session 2",
    b"x-openwebui-chat-id": "session 3",
    b"x-session-id": "session 4",
    b"session_id": "session 5",  # Codex
    b"openai-project": "project 2",
    b"x-title": "app 2",  # OpenRouter's; many apps send it everywhere
    b"x-stainless-lang": "lang",
    b"x-stainless-package-version": "version",
    b"x-stainless-runtime": "runtime",
    b"x-stainless-runtime-version": "runtime version",
    b"x-stainless-retry-count": "retry",
    b"user-agent": "agent",
    b"baggage": "baggage",
}
# Keys of `metadata` and of baggage -> the claim that they are.
_KEYS: Final = {
    "user_id": "user",
    "user.id": "user",
    "enduser.id": "user",
    "team": "team",
    "project": "project",
    "task": "task",
    "session_id": "session",
    "session.id": "session",
}
_CLAIMS: Final = {what: f"claimed_{what}" for what in ("user", "team", "project", "task", "session")}
_RANKED: Final = {field: tuple(f"{what} {rank}" for rank in range(2, 7)) for what, field in _CLAIMS.items()}
_LOWER: Final = frozenset().union(*_RANKED.values())
_SECRET: Final = re.compile(r"key|token|secret|passw|auth|credential|cookie", re.IGNORECASE)

_VARY: Final = frozenset({b"content-length", b"x-request-id", b"traceparent", b"tracestate", b"idempotency-key"})
_lines: dict[bytes, tuple[str, str] | None] = {}  # header line -> what it says; the same lines come with each call

Caller = dict[str, Any]  # what a call says of its caller, by the record's field names; without what it does not say


def read_caller(head: bytes, request: dict[str, Any] | None, *, baggage: bool = False) -> Caller:
    """What head and body say. head: as the journal keeps it. request: None = it could not be read.

    baggage: whether W3C baggage is looked at.
    """
    found = _known_head(_without_length(head)) if len(head) <= _HEAD_BYTES else _read_head(head)
    said, caller = found[0].copy(), found[1].copy()
    if request is not None:
        _read_body(request, said, caller)
    if baggage and "baggage" in said:
        _read_baggage(said["baggage"], said)
    for what, value in said.items():
        if what in _CLAIMS:
            caller[_CLAIMS[what]] = value
    if not _LOWER.isdisjoint(said):
        for field, whats in _RANKED.items():
            lower = next((said[what] for what in whats if what in said), None)
            if lower is not None:
                caller.setdefault(field, lower)
    return caller


def _without_length(head: bytes) -> bytes:
    """The head without what differs from call to call of one program."""
    before, found, after = head.partition(b"\r\nContent-Length:")
    return before + b"\r\n" + after.partition(b"\r\n")[2] if found else head


def _read_head(head: bytes) -> tuple[dict[str, str], Caller]:
    """What its lines say, and what of this is of the software."""
    said: dict[str, str] = {}
    for line in head.split(b"\r\n"):
        found = _lines[line] if line in _lines else _read_line(line)
        if found is not None:
            said.setdefault(*found)
    caller: Caller = {}
    _take_software(said, caller)
    return said, caller


_known_head: Final = lru_cache(maxsize=1024)(_read_head)


def _take_software(said: dict[str, str], caller: Caller) -> None:
    """What SDK, runtime and app say of themselves."""
    agent = read_agent(said["agent"]) if "agent" in said else _NO_AGENT
    language = said.get("lang") or agent.language
    sdk = agent.sdk or (f"stainless-{language}" if "lang" in said else None)
    version = said.get("version") or agent.sdk_version
    if sdk is not None:
        caller["client_sdk"] = sdk
    if version is not None:
        caller["client_sdk_version"] = version
    if language is not None:
        caller["client_language"] = language
    if "runtime" in said:
        caller["client_runtime"] = " ".join(filter(None, (said["runtime"], said.get("runtime version"))))
    app = said.get("app") or said.get("app 2") or agent.app
    if app is not None:
        caller["client_app"] = app
    retry = said.get("retry")
    if retry is not None and retry.isascii() and retry.isdigit() and len(retry) <= 4:
        caller["client_retry"] = int(retry)


_NO_AGENT: Final = Agent()


def _read_line(line: bytes) -> tuple[str, str] | None:
    name, _, value = line.partition(b":")
    name = name.strip().lower()
    what = HEADERS.get(name)
    text = None if what is None else _claim(value[:_LINE_BYTES].decode("utf-8", "replace"), long=what == "baggage")
    found = None if what is None or text is None else (what, text)
    if len(line) <= _LINE_BYTES and name not in _VARY:
        if len(_lines) >= _KNOWN_LINES:
            _lines.clear()
        _lines[line] = found
    return found


def _claim(value: object, *, long: bool = False) -> str | None:
    """A claim, short and on one line; None when it is no text, or empty."""
    if not isinstance(value, str) or not value:
        return None
    return foreign.one_line(value, _LINE_BYTES if long else CHARACTERS) or None


def _read_body(request: dict[str, Any], said: dict[str, str], caller: Caller) -> None:
    """`user` (OpenAI), `safety_identifier`, which takes its place there, and `metadata`."""
    user = _claim(request.get("user"))
    if user is not None:
        said.setdefault("user", user)
    safety = _claim(request.get("safety_identifier"))
    if safety is not None:
        caller["claimed_safety_identifier"] = safety
    metadata = _metadata(request["metadata"], said) if "metadata" in request else None
    if metadata is not None:
        caller["claimed_metadata"] = metadata


def _metadata(value: object, said: dict[str, str]) -> str | None:
    """The pairs that are short and plain, as JSON; secrets left out. Takes the claims among them."""
    if not isinstance(value, dict) or not value:
        return None
    kept: dict[str, Any] = {}
    left = METADATA_CHARACTERS
    for name, content in value.items():
        name = foreign.one_line(name, 64)
        if not isinstance(content, str | int | float | bool) or _SECRET.search(name):
            continue
        content = foreign.one_line(content, _VALUE_CHARACTERS) if isinstance(content, str) else content
        left -= len(name) + len(str(content)) + 6
        if left < 0 or len(kept) >= PAIRS:
            break
        kept[name] = content
        if name in _KEYS and isinstance(content, str) and content:
            said.setdefault(f"{_KEYS[name]} {_RANKS.get(_KEYS[name], 4)}", content)
    try:
        return orjson.dumps(kept).decode() if kept else None
    except TypeError:  # a number beyond 64 bits
        return None


_RANKS: Final = {"session": 6}  # behind the headers of that name


def _read_baggage(value: str, said: dict[str, str]) -> None:
    """W3C baggage: `key=value;property, key=value`, values percent-encoded."""
    for member in value.split(",")[:64]:
        name, _, content = member.partition(";")[0].partition("=")
        what = _KEYS.get(name.strip())
        text = _claim(unquote(content.strip(), errors="replace"))
        if what is not None and text is not None:
            said.setdefault(f"{what} {_RANKS.get(what, 4)}", text)
