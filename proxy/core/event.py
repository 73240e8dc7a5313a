"""What happened beside the calls: one row of the ledger's events. Documented in docs/events.md."""

from __future__ import annotations

from typing import Any, Final, Literal, get_args

import msgspec

from proxy.core.call_json import rfc3339

# What changed at an upstream.
ChangeKind = Literal[
    "digest",  # other weights, template or parameters under the same name
    "template",
    "quantization",
    "context_length",  # the longest context that the model can
    "loaded_context",  # the context that it is loaded with
    "version",  # of the server
]
CHANGE_KINDS: Final[tuple[ChangeKind, ...]] = get_args(ChangeKind)
# What the drift detector said: docs/drift.md.
DriftKind = Literal["drift_baseline", "drift_raised", "drift_recovered", "drift_accepted"]
EventKind = ChangeKind | DriftKind

NAMES: Final = ("event_id", "at", "kind", "upstream", "model", "before", "after", "details")


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One change. `before` and `after` are short texts; None = there was nothing."""

    event_id: int = 0  # given by the ledger, in the order of commits; 0 = not in it yet
    at_unix_ns: int  # when it was noticed
    kind: EventKind
    upstream: str | None = None
    model: str | None = None  # by its full name; None = the whole server
    before: str | None = None
    after: str | None = None
    details: dict[str, Any] = {}


class KnownModel(msgspec.Struct, frozen=True, kw_only=True):
    """What a model was at the last look, as the ledger keeps it. None is unknown."""

    upstream: str
    model: str
    since_unix_ns: int  # it has had this digest at least since then
    digest: str | None = None
    quantization: str | None = None
    context_length: int | None = None
    template_hash: str | None = None
    loaded_context: int | None = None
    loaded_context_unix_ns: int | None = None
    gone_unix_ns: int | None = None  # when it was first not listed any more; None = it is


class KnownUpstream(msgspec.Struct, frozen=True, kw_only=True):
    """What a server was at the last look that it answered."""

    upstream: str
    version: str | None = None
    since_unix_ns: int


def event_json(event: Event) -> dict[str, Any]:
    """An event as people's tools read it. What there is not is absent."""
    values = msgspec.structs.asdict(event)
    values["at"] = rfc3339(event.at_unix_ns)
    return {name: value for name in NAMES if (value := values[name]) not in (None, {})}
