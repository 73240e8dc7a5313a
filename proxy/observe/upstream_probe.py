"""Asks each upstream's free health path now and then. Never loads a model, follows no redirect, sends no key.

ollama            GET /api/version            {"version": "0.32.3"}
litellm           GET /health/liveliness      "I'm alive!"
openai, auto      both in turn; else: does it take a connection?
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector

from proxy.core.config import UpstreamKind
from proxy.core.upstreams import ResolvedUpstream

TIMEOUT_S: Final = 2.0
VERSION_CHARACTERS: Final = 40
_ANSWER_BYTES: Final = 4096

log = logging.getLogger("sightglass.observer")


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What the last look at an upstream found."""

    up: bool
    kind: UpstreamKind  # as the settings say, else as found; auto = it answers, as none we know
    version: str | None = None
    error: str | None = None  # why it is not up
    at_unix_s: float


class Probe:
    """Looks at all upstreams every `every_s` seconds. On the event loop; `seen` may be asked from any thread."""

    def __init__(self, upstreams: Sequence[ResolvedUpstream], *, every_s: float) -> None:
        self._upstreams = tuple(upstreams)
        self._every_s = every_s
        self._seen: dict[str, Seen] = {}
        self._looked = asyncio.Event()

    def seen(self) -> dict[str, Seen]:
        """The last look at each upstream that was looked at."""
        return self._seen.copy()

    def kind(self, upstream: str | None) -> UpstreamKind | None:
        """What was found at the upstream of that name; None = not known."""
        seen = self._seen.get(upstream or "")
        return None if seen is None or seen.kind == "auto" else seen.kind

    async def looked(self, *, patience_s: float) -> None:
        """Wait for the first look at all upstreams, for at most that long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                await self._looked.wait()

    async def run(self) -> None:
        """Look, wait, look again, until cancelled."""
        timeout, connector = ClientTimeout(total=TIMEOUT_S), TCPConnector(force_close=True)
        async with ClientSession(timeout=timeout, connector=connector, cookie_jar=DummyCookieJar()) as session:
            while True:
                await asyncio.gather(*(self._look_at(session, upstream) for upstream in self._upstreams))
                self._looked.set()
                await asyncio.sleep(self._every_s)

    async def _look_at(self, session: ClientSession, upstream: ResolvedUpstream) -> None:
        before = self._seen.get(upstream.name)
        try:
            seen = await look(session, upstream)
        except (TimeoutError, OSError, ClientError, ValueError) as error:
            kind = upstream.kind if before is None else before.kind  # what it was it will be again
            seen = Seen(up=False, kind=kind, error=_words(error), at_unix_s=time.time())
        if before is None or before.up != seen.up:
            event = "upstream_up" if seen.up else "upstream_down"
            extra = {"upstream": upstream.name, "url": upstream.url, "kind": seen.kind, "error": seen.error}
            log.log(logging.INFO if seen.up else logging.WARNING, event, extra=extra)
        self._seen[upstream.name] = seen


async def look(session: ClientSession, upstream: ResolvedUpstream) -> Seen:
    """What answers there now. Raises OSError, ClientError or TimeoutError when nothing does."""
    if upstream.kind in ("ollama", "openai", "auto"):
        status, headers, answer = await _get(session, f"{upstream.url}/api/version")
        version = _version(answer) if status == 200 else None
        if version is not None or upstream.kind == "ollama":
            kind: UpstreamKind = "ollama" if upstream.kind == "auto" else upstream.kind
            return _answered(status, kind, version)
    status, headers, answer = await _get(session, f"{upstream.url}/health/liveliness")
    kind = "litellm" if upstream.kind == "auto" and status == 200 and b"alive" in answer else upstream.kind
    return _answered(status, kind, headers.get("x-litellm-version", "")[:VERSION_CHARACTERS] or None)


def _answered(status: int, kind: UpstreamKind, version: str | None) -> Seen:
    """Whatever it answers, somebody is there, but for a gateway that says that nobody is."""
    error = f"it answers with status {status}" if status >= 500 else None
    return Seen(up=error is None, kind=kind, version=version, error=error, at_unix_s=time.time())


async def _get(session: ClientSession, url: str) -> tuple[int, Mapping[str, str], bytes]:
    async with session.get(url, allow_redirects=False) as answer:
        return answer.status, answer.headers, await answer.content.read(_ANSWER_BYTES)


def _version(answer: bytes) -> str | None:
    try:
        found = msgspec.json.decode(answer)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    version = found.get("version") if isinstance(found, dict) else None
    return version[:VERSION_CHARACTERS] if isinstance(version, str) else None


def _words(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {TIMEOUT_S:.0f} s"
    reason = getattr(error, "os_error", None) or error
    number = getattr(reason, "errno", None)
    if isinstance(number, int) and number > 0:  # asyncio's own text holds the address as a tuple
        return os.strerror(number)
    return str(reason) or type(error).__name__
