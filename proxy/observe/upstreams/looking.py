"""One look at an upstream: who answers, and which models. Asks free paths only; never loads a model, sends no key.

ollama            GET /api/version, then GET /api/tags and /api/ps, POST /api/show
litellm           GET /health/liveliness, then GET /health/readiness; never /health, which calls every model
openai, auto      /api/version and /health/liveliness in turn; else: does it take a connection?
"""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Final, TypeVar

import msgspec
from aiohttp import ClientSession

from proxy.core.config import UpstreamKind
from proxy.core.upstreams import ResolvedUpstream
from proxy.observe.upstreams.answers import (
    Installed,
    Loaded,
    Shown,
    read_ps,
    read_show,
    read_tags,
    read_version,
)
from proxy.observe.upstreams.asking import LIST_TIMEOUT_S, TROUBLES, Answer, get, get_list, in_words, post

T = TypeVar("T")
_SAME_CLOCK_S: Final = 2.0  # Date tells whole seconds: what is less is no difference


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What the last look at an upstream found."""

    up: bool
    kind: UpstreamKind  # as the settings say, else as found; auto = it answers, as none we know
    version: str | None = None
    error: str | None = None  # why it is not up
    at_unix_s: float


class Lists(msgspec.Struct, frozen=True, kw_only=True):
    """What an Ollama said of its models."""

    installed: dict[str, Installed] | None = None  # None = it did not say
    loaded: dict[str, Loaded] | None = None
    ahead_s: float = 0.0  # its clock before ours
    error: str | None = None
    at_unix_s: float


async def look(session: ClientSession, upstream: ResolvedUpstream) -> Seen:
    """Who answers there now. Raises one of TROUBLES when nobody does."""
    if upstream.kind in ("ollama", "openai", "auto"):
        answer = await get(session, f"{upstream.url}/api/version")
        version = read_version(answer.body) if answer.status == 200 else None
        if version is not None or upstream.kind == "ollama":
            kind: UpstreamKind = "ollama" if upstream.kind == "auto" else upstream.kind
            return _answered(answer.status, kind, version)
    answer = await get(session, f"{upstream.url}/health/liveliness")
    alive = answer.status == 200 and b"alive" in answer.body
    kind = "litellm" if upstream.kind == "auto" and alive else upstream.kind
    version = read_version(msgspec.json.encode({"version": answer.headers.get("x-litellm-version")}))
    return _answered(answer.status, kind, version)


async def look_ready(session: ClientSession, upstream: ResolvedUpstream) -> tuple[str | None, str | None]:
    """LiteLLM's own word: (its version, why it is not ready). None = it does not say; it is."""
    try:
        answer = await get(session, f"{upstream.url}/health/readiness")
    except TROUBLES as error:
        return None, in_words(error)
    if answer.status >= 500:
        return None, f"it says that it is not ready (status {answer.status})"
    return read_version(answer.body, "litellm_version", "version"), None


async def look_at_models(session: ClientSession, upstream: ResolvedUpstream) -> Lists:
    """Ollama's models. Raises nothing: what went wrong is in `error`, and that list is None."""
    dates: list[float] = []
    installed, no_tags = await _list(session, f"{upstream.url}/api/tags", read_tags, dates)
    loaded, no_ps = await _list(session, f"{upstream.url}/api/ps", read_ps, dates)
    return Lists(
        installed=installed,
        loaded=loaded,
        ahead_s=dates[-1] if dates else 0.0,
        error=no_tags or no_ps,
        at_unix_s=time.time(),
    )


async def look_at_model(session: ClientSession, upstream: ResolvedUpstream, name: str) -> Shown | None:
    """What /api/show says of it; None = nothing. Raises one of TROUBLES."""
    answer = await post(session, f"{upstream.url}/api/show", {"model": name})
    return read_show(answer.body) if answer.status == 200 else None


async def _list(
    session: ClientSession, url: str, read: Callable[[bytes], dict[str, T] | None], dates: list[float]
) -> tuple[dict[str, T] | None, str | None]:
    path = url[url.rindex("/api/") :]
    try:
        answer = await get_list(session, url)
    except TimeoutError:
        return None, f"{path}: no answer within {LIST_TIMEOUT_S:.0f} s"
    except TROUBLES as error:
        return None, f"{path}: {in_words(error)}"
    if answer.status != 200:
        return None, f"{path}: status {answer.status}"
    dates.append(_ahead_s(answer))
    found = read(answer.body)
    return found, None if found is not None else f"{path}: no list of models"


def _ahead_s(answer: Answer) -> float:
    """How far the server's clock is before ours; 0 when it does not tell the time or tells ours."""
    try:
        ahead_s = parsedate_to_datetime(answer.headers.get("Date", "")).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError, OSError):
        return 0.0
    return ahead_s if abs(ahead_s) > _SAME_CLOCK_S else 0.0


def _answered(status: int, kind: UpstreamKind, version: str | None) -> Seen:
    """Whatever it answers, somebody is there, but for a gateway that says that nobody is."""
    error = f"it answers with status {status}" if status >= 500 else None
    return Seen(up=error is None, kind=kind, version=version, error=error, at_unix_s=time.time())
