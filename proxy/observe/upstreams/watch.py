"""The watch over one upstream: when to look, what was seen. On the event loop; what it holds may be read by any thread.

version   every probe_s: up or down, kind, version
models    every models_s while it is an Ollama that is up; at once when it comes up, has another version, or when a call
          shows that we do not know it well (`nudge`), but then at most once in NUDGE_S
show      once for each (model, digest, time of change, server version), a few at each look, those that calls use first;
          again after SHOW_AGAIN_S for models that calls use
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterator
from typing import Final

import msgspec
from aiohttp import ClientSession

from proxy.core.upstreams import ResolvedUpstream
from proxy.observe.upstreams.answers import MODELS_MOST, Installed, Loaded, Shown
from proxy.observe.upstreams.asking import TROUBLES, in_words
from proxy.observe.upstreams.history import ModelHistory
from proxy.observe.upstreams.looking import Seen, look, look_at_model, look_at_models, look_ready

NUDGE_S: Final = 5.0
SHOWS_A_LOOK: Final = 20  # each reads a file's head: 10-50 ms of the server
SHOW_AGAIN_S: Final = 600.0
_STALE_LOOKS: Final = 3  # after so many that failed, nobody knows what is loaded

log = logging.getLogger("sightglass.observer")

_Key = tuple[str | None, float | None, str | None]


class ModelsSeen(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an upstream's models. Values are put in place of one another, never changed."""

    installed: dict[str, Installed] | None = None  # by full name, of the last look that gave them; None = none did
    loaded: dict[str, Loaded] | None = None
    shown: dict[str, Shown] = {}
    listed: bool = False  # the last look gave the list of those installed
    error: str | None = None  # what was wrong with the last look
    at_unix_s: float | None = None  # of the last look that gave a list; None = none did


class UpstreamWatch:
    """One upstream's."""

    def __init__(self, upstream: ResolvedUpstream, *, every_s: float, models_s: float) -> None:
        self.upstream = upstream
        self.seen: Seen | None = None  # None = not looked at yet
        self.models = ModelsSeen()
        self.not_ready: str | None = None  # LiteLLM's own word
        self.history = ModelHistory(stale_s=_STALE_LOOKS * models_s + NUDGE_S)
        self.looked = asyncio.Event()
        self.revision = 0  # grows with each look that may have brought news
        self._every_s, self._models_s = every_s, models_s
        self._version_due = self._models_due = 0.0  # monotonic
        self._looked_at_models = float("-inf")
        self._nudged = asyncio.Event()
        self._used: dict[str, None] = {}  # models that calls named, the latest last
        self._shown_at: dict[str, tuple[_Key, float]] = {}

    async def run(self, session: ClientSession) -> None:
        """Look, wait, look again, until cancelled."""
        while True:
            await self._look(session)
            self.looked.set()
            await self._wait()

    def nudge(self, model: str | None) -> None:
        """Something of this model is not as it was known: look soon. On the event loop."""
        if model is not None:
            self.used(model)
        self._nudged.set()

    def used(self, model: str) -> None:
        """A call named it. From any thread."""
        self._used.pop(model, None)
        self._used[model] = None
        while len(self._used) > MODELS_MOST:
            self._used.pop(next(iter(self._used)), None)

    # -- looking ---------------------------------------------------------------------------------------------

    async def _look(self, session: ClientSession) -> None:
        now = time.monotonic()
        if now >= self._version_due:
            await self._look_at_version(session)
            self._version_due = time.monotonic() + self._every_s
        if self.seen is None or not self.seen.up:
            self._nudged.clear()
            return
        asked = self._nudged.is_set() and now >= self._looked_at_models + NUDGE_S
        if now >= self._models_due or asked:
            self._nudged.clear()
            await self._look_inside(session)
            self._looked_at_models = time.monotonic()
            self._models_due = self._looked_at_models + self._models_s

    async def _wait(self) -> None:
        """Until the next look is due, or a nudge asks for one."""
        up = self.seen is not None and self.seen.up
        due = min(self._version_due, self._models_due) if up else self._version_due
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(asyncio.get_running_loop().time() + max(due - time.monotonic(), 0.001)):
                await self._nudged.wait()
                await asyncio.sleep(max(self._looked_at_models + NUDGE_S - time.monotonic(), 0.0))

    async def _look_at_version(self, session: ClientSession) -> None:
        before = self.seen
        try:
            seen = await look(session, self.upstream)
        except TROUBLES as error:
            kind = self.upstream.kind if before is None else before.kind  # what it was it will be again
            seen = Seen(up=False, kind=kind, error=in_words(error), at_unix_s=time.time())
        if before is None or before.up != seen.up:
            event = "upstream_up" if seen.up else "upstream_down"
            extra = {
                "upstream": self.upstream.name, "url": self.upstream.url, "kind": seen.kind, "error": seen.error
            }  # fmt: skip
            log.log(logging.INFO if seen.up else logging.WARNING, event, extra=extra)
        if before is None or (before.up, before.kind, before.version) != (seen.up, seen.kind, seen.version):
            self._models_due = 0.0
        if not seen.up and self.models.loaded is not None:
            self.models = msgspec.structs.replace(self.models, loaded=None)
        self.seen = seen
        self.revision += 1

    async def _look_inside(self, session: ClientSession) -> None:
        assert self.seen is not None
        if self.seen.kind == "ollama":
            await self._look_at_models(session)
            await self._show(session)
            self.revision += 1
        elif self.seen.kind == "litellm":
            version, self.not_ready = await look_ready(session, self.upstream)
            if version is not None and self.seen.version is None:
                self.seen = msgspec.structs.replace(self.seen, version=version)
            self.revision += 1

    async def _look_at_models(self, session: ClientSession) -> None:
        lists = await look_at_models(session, self.upstream)
        known = self.models
        if lists.error is not None and known.error is None:
            log.warning("models_not_listed", extra={"upstream": self.upstream.name, "error": lists.error})
        self.models = msgspec.structs.replace(
            known,
            installed=known.installed if lists.installed is None else lists.installed,
            loaded=lists.loaded,
            listed=lists.installed is not None,
            error=lists.error,
            at_unix_s=known.at_unix_s if lists.installed is None else lists.at_unix_s,
        )
        if lists.installed is not None:
            self.history.saw_installed(lists.installed, lists.at_unix_s, ahead_s=lists.ahead_s)
        if lists.loaded is not None:
            self.history.saw_loaded(lists.loaded, lists.at_unix_s, ahead_s=lists.ahead_s)

    async def _show(self, session: ClientSession) -> None:
        installed = self.models.installed
        if installed is None or not self.models.listed:
            return
        now = time.monotonic()
        shown = {name: found for name, found in self.models.shown.items() if name in installed}
        self._shown_at = {name: at for name, at in self._shown_at.items() if name in installed}
        for name in [name for name, _ in zip(self._to_show(installed, now), range(SHOWS_A_LOOK), strict=False)]:
            try:
                found = await look_at_model(session, self.upstream, name)
            except TROUBLES as error:
                log.info("model_not_shown", extra={"upstream": self.upstream.name, "error": in_words(error)})
                break  # the rest at the next look
            finally:
                self._shown_at[name] = (self._key(installed[name]), now)
            if found is not None:
                shown[name] = found
        self.models = msgspec.structs.replace(self.models, shown=shown)

    def _to_show(self, installed: dict[str, Installed], now: float) -> Iterator[str]:
        used = [name for name in reversed(list(self._used)) if name in installed]
        in_use = set(used)
        for name in (*used, *(name for name in installed if name not in in_use)):
            key, at = self._shown_at.get(name, (None, 0.0))
            if key != self._key(installed[name]) or (name in in_use and now - at > SHOW_AGAIN_S):
                yield name

    def _key(self, model: Installed) -> _Key:
        assert self.seen is not None
        return model.digest, model.modified_unix_s, self.seen.version
