"""What is known of an upstream against what a look saw -> events, and the state to keep. Pure.

What a look does not tell is not a change; what is seen for the first time is none either. A model that goes and comes
back is compared with what it was when it went.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec.structs import replace

from proxy.core.event import ChangeKind, Event, KnownModel, KnownUpstream
from proxy.observe.upstreams.answers import MODELS_MOST, Installed, Loaded, Shown
from proxy.observe.upstreams.looking import Seen
from proxy.observe.upstreams.watch import ModelsSeen
from proxy.store import Correction, UpstreamChanges

# Clients that ask for contexts of their own make Ollama load the model again and again: told at most so often a model.
LOADED_CONTEXT_NS: Final = 600 * 10**9


class Known:
    """The state as the ledger has it, in memory. For the observer's thread."""

    def __init__(self, models: Mapping[tuple[str, str], KnownModel], upstreams: Mapping[str, KnownUpstream]) -> None:
        self.models = dict(models)
        self.upstreams = dict(upstreams)

    def take(self, changes: UpstreamChanges) -> None:
        """They are in the ledger."""
        for key in changes.forgotten:
            self.models.pop(key, None)
        self.models.update(((model.upstream, model.model), model) for model in changes.models)
        self.upstreams.update((server.upstream, server) for server in changes.upstreams)


def compare(
    known: Known, upstream: str, seen: Seen, models: ModelsSeen, since_s: Mapping[str, float], now_ns: int
) -> UpstreamChanges:
    """What changed at the upstream. since_s: model -> since when it has had its digest, Unix time."""
    events: list[Event] = []
    kept: list[KnownModel] = []
    servers = list(_server(known, upstream, seen, now_ns, events))
    forgotten: list[tuple[str, str]] = []
    if models.listed and models.installed is not None and seen.kind == "ollama":
        for name, installed in models.installed.items():
            before = known.models.get((upstream, name))
            loaded = (models.loaded or {}).get(name)
            after = _model(
                upstream, before, installed, loaded, models.shown.get(name), since_s.get(name), now_ns, events
            )
            if after != before:
                kept.append(after)
        gone = [model for key, model in known.models.items() if key[0] == upstream and key[1] not in models.installed]
        kept.extend(replace(model, gone_unix_ns=now_ns) for model in gone if model.gone_unix_ns is None)
        if len(gone) > MODELS_MOST:
            oldest = sorted(gone, key=lambda model: model.gone_unix_ns or now_ns)[: len(gone) - MODELS_MOST]
            forgotten = [(upstream, model.model) for model in oldest]
    return UpstreamChanges(
        events=events,
        models=kept,
        upstreams=servers,
        forgotten=forgotten,
        corrections=[
            _correction(event, since_s[event.model], kept)
            for event in events
            if event.kind == "digest" and event.model is not None and event.model in since_s
        ],
    )


def _correction(event: Event, since_s: float, kept: list[KnownModel]) -> Correction:
    """For the calls between the change and the look that noticed it, which were stamped with what was known then."""
    name, model = str(event.model), next(model for model in kept if model.model == event.model)
    return Correction(
        upstream=str(event.upstream),
        names=tuple({name, name.removesuffix(":latest"), f"library/{name}"}),
        since_unix_ns=int(since_s * 1e9),
        was_digest=str(event.before),
        digest=str(event.after),
        quantization=model.quantization,
    )


def _server(known: Known, upstream: str, seen: Seen, now_ns: int, events: list[Event]) -> Iterator[KnownUpstream]:
    if not seen.up or seen.version is None:
        return
    before = known.upstreams.get(upstream)
    if before is not None and before.version == seen.version:
        return
    if before is not None and before.version is not None:
        events.append(_event("version", upstream, None, before.version, seen.version, now_ns, {"server": seen.kind}))
    yield KnownUpstream(upstream=upstream, version=seen.version, since_unix_ns=now_ns)


def _model(
    upstream: str,
    before: KnownModel | None,
    installed: Installed,
    loaded: Loaded | None,
    shown: Shown | None,
    since_s: float | None,
    now_ns: int,
    events: list[Event],
) -> KnownModel:
    known = before or KnownModel(upstream=upstream, model=installed.name, since_unix_ns=now_ns)
    shown = shown or Shown()
    since_ns = now_ns if since_s is None else min(int(since_s * 1e9), now_ns)
    other_digest = installed.digest not in (None, known.digest)
    seen: dict[ChangeKind, tuple[str, str | int | None]] = {
        "digest": ("digest", installed.digest),
        "template": ("template_hash", shown.template_hash),
        "quantization": ("quantization", installed.quantization or shown.quantization),
        "context_length": ("context_length", installed.context_length or shown.context_length),
        "loaded_context": ("loaded_context", None if loaded is None else loaded.context),
    }
    after: dict[str, Any] = {"gone_unix_ns": None}
    for kind, (field, value) in seen.items():
        was = getattr(known, field)
        if value is None or value == was:
            continue
        if kind == "loaded_context":
            if was is not None and now_ns - (known.loaded_context_unix_ns or 0) < LOADED_CONTEXT_NS:
                continue
            after["loaded_context_unix_ns"] = now_ns if was is not None else None
        after[field] = value
        if was is not None:
            details = _details(installed, since_ns) if kind == "digest" else {}
            events.append(_event(kind, upstream, installed.name, str(was), str(value), now_ns, details))
    if before is None or other_digest:
        after["since_unix_ns"] = since_ns
    return replace(known, **after)


def _details(installed: Installed, since_ns: int) -> dict[str, Any]:
    found = {
        "since_unix_ns": since_ns,
        "size_bytes": installed.size_bytes,
        "parameter_size": installed.parameter_size,
        "quantization": installed.quantization,
        "family": installed.family,
    }
    return {name: value for name, value in found.items() if value is not None}


def _event(
    kind: ChangeKind,
    upstream: str,
    model: str | None,
    before: str,
    after: str,
    now_ns: int,
    details: dict[str, Any],
) -> Event:
    return Event(
        at_unix_ns=now_ns, kind=kind, upstream=upstream, model=model, before=before, after=after, details=details
    )
