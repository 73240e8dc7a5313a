"""The watcher: one watch an upstream, and what they know, for the observer's thread and for those who show it.

It stamps each call with the model that answered it, and looks at once where a call shows that we do not know enough.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec.structs import replace

from proxy.core.call import CallRecord
from proxy.core.config import UpstreamKind
from proxy.core.event import KnownModel
from proxy.core.upstreams import ResolvedUpstream
from proxy.observe.upstreams.answers import MODELS_MOST, full_name
from proxy.observe.upstreams.asking import open_session
from proxy.observe.upstreams.looking import Seen
from proxy.observe.upstreams.watch import ModelsSeen, UpstreamWatch

# Calls that change what is installed: whoever makes one through us wants to see it.
_CHANGING: Final = frozenset({"/api/pull", "/api/create", "/api/copy", "/api/delete"})
_RELOADED_S: Final = 0.5  # a load that takes longer was one: what is ready takes Ollama some milliseconds


class Watcher:
    """Looks at all upstreams. `run` on the event loop; everything else from any thread."""

    def __init__(self, upstreams: Sequence[ResolvedUpstream], *, every_s: float, models_s: float = 30.0) -> None:
        """every_s: between two looks at who answers. models_s: between two looks at an Ollama's models."""
        self._watches = {each.name: UpstreamWatch(each, every_s=every_s, models_s=models_s) for each in upstreams}
        self._answered_as: dict[tuple[str, str], str] = {}  # (upstream, model asked for) -> model of the last answer
        self._missing: dict[tuple[str, str], float] = {}  # names that a look did not find -> when that look was
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(self) -> None:
        """Watch until cancelled."""
        self._loop = asyncio.get_running_loop()
        async with open_session() as session:
            await asyncio.gather(*(watch.run(session) for watch in self._watches.values()))

    async def looked(self, *, patience_s: float) -> None:
        """Wait for the first look at all upstreams, for at most that long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                await asyncio.gather(*(watch.looked.wait() for watch in self._watches.values()))

    # -- what is known ---------------------------------------------------------------------------------------

    @property
    def names(self) -> tuple[str, ...]:
        """Of the upstreams, as in the settings."""
        return tuple(self._watches)

    @property
    def revision(self) -> int:
        """Grows whenever a look may have brought news."""
        return sum(watch.revision for watch in self._watches.values())

    def seen(self) -> dict[str, Seen]:
        """The last look at each upstream that was looked at."""
        return {name: watch.seen for name, watch in self._watches.items() if watch.seen is not None}

    def models(self) -> dict[str, ModelsSeen]:
        """What is known of the models of each upstream."""
        return {name: watch.models for name, watch in self._watches.items()}

    def look_of(self, upstream: str) -> tuple[Seen, ModelsSeen, dict[str, float]] | None:
        """Who answers there, its models, and since when each has had its digest (Unix time); None = not looked at."""
        watch = self._watches.get(upstream)
        if watch is None or watch.seen is None:
            return None
        seen, models = watch.seen, watch.models
        return seen, models, watch.history.since(models.installed or {})

    def not_ready(self) -> dict[str, str]:
        """Upstreams that answer and say that they are not ready, and why."""
        return {name: watch.not_ready for name, watch in self._watches.items() if watch.not_ready is not None}

    def kind(self, upstream: str | None) -> UpstreamKind | None:
        """What was found at the upstream of that name; None = not known."""
        watch = self._watches.get(upstream or "")
        seen = None if watch is None else watch.seen
        return None if seen is None or seen.kind == "auto" else seen.kind

    def remember(self, known: Iterable[KnownModel]) -> None:
        """What the ledger says that models were, when the observer before us looked."""
        for model in known:
            watch = self._watches.get(model.upstream)
            if watch is not None:
                since_s = model.since_unix_ns / 1e9
                watch.history.remember(model.model, model.digest, model.quantization, since_s)

    # -- calls -----------------------------------------------------------------------------------------------

    def stamped(self, record: CallRecord) -> CallRecord:
        """The record with what is known of the model that answered it. For the observer's thread."""
        watch = self._watches.get(record.upstream or "")
        if watch is None:
            return record
        if record.dialect == "other":
            if record.route in _CHANGING:
                self._nudge(watch, None)
            return record
        if record.model is None:
            return record
        if self._answers_as_another(record):
            self._nudge(watch, None)
        if watch.seen is not None and watch.seen.kind in ("litellm", "openai"):
            return record
        return self._of_ollama(watch, record, full_name(record.model))

    def _of_ollama(self, watch: UpstreamWatch, record: CallRecord, name: str) -> CallRecord:
        watch.used(name)
        began_s = record.started_unix_ns / 1e9
        taken = bool(record.attempts) and (record.status is None or record.status < 400)
        model = (watch.models.installed or {}).get(name)
        loaded = None if model is None or model.remote else watch.history.was_loaded(name, began_s)
        if taken and record.first_token_s is not None and not (model and model.remote):
            watch.history.answered(name, began_s + record.first_token_s)
        elif taken and record.outcome == "ok" and record.duration_s is not None and not (model and model.remote):
            watch.history.answered(name, began_s + record.duration_s)
        if model is None:
            self._ask_for_unknown(watch, name)
        elif taken and not model.remote and (loaded is False or (loaded and (record.load_s or 0.0) > _RELOADED_S)):
            self._nudge(watch, name)
        span = watch.history.what_answered(name, began_s)
        return replace(
            record,
            model_digest=None if span is None else span.digest,
            model_quantization=None if span is None else span.quantization,
            model_loaded_before=loaded,
            cold_start=not loaded if taken and loaded is not None else None,
        )

    def _ask_for_unknown(self, watch: UpstreamWatch, name: str) -> None:
        """Look, unless a look since the last regular one did not find it either: wrong names are not worth two."""
        key, at_s = (watch.upstream.name, name), watch.models.at_unix_s or 0.0
        asked_at_s = self._missing.get(key)
        if asked_at_s is not None and at_s > asked_at_s:
            return
        if len(self._missing) >= MODELS_MOST:
            self._missing.clear()
        self._missing[key] = at_s
        self._nudge(watch, name)

    def _answers_as_another(self, record: CallRecord) -> bool:
        """Whether the answer names another model than the last one to the same name."""
        if record.model is None or record.model_answered is None or record.upstream is None:
            return False
        key = (record.upstream, record.model)
        before = self._answered_as.get(key)
        if before is None and len(self._answered_as) >= MODELS_MOST:
            self._answered_as.clear()
        self._answered_as[key] = record.model_answered
        return before is not None and before != record.model_answered

    def _nudge(self, watch: UpstreamWatch, model: str | None) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed():
            with contextlib.suppress(RuntimeError):  # closed between the question and the call: we are leaving
                loop.call_soon_threadsafe(watch.nudge, model)
