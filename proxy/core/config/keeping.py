"""Journal and observer: how calls are kept."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from proxy.core.config.section import Bytes, Seconds, Section


class Journal(Section, frozen=True, kw_only=True):
    """The spine between relays and observer: what is kept of each call until the observer has read it."""

    request_bytes: Annotated[Bytes, Meta(description="First bytes of a request's body kept to look at.")] = 1024 * 1024
    answer_bytes: Annotated[
        Bytes,
        Meta(description="Bytes of an answer kept to look at: three quarters from its begin, the rest from its end."),
    ] = 4 * 1024 * 1024
    segment_bytes: Annotated[
        Annotated[int, Meta(ge=4096)], Meta(description="A segment file this long is closed and a new one begun.")
    ] = 32 * 1024 * 1024
    max_bytes: Annotated[
        Annotated[int, Meta(ge=4096)],
        Meta(description="Unread bytes on disk, per relay, beyond which new frames are counted as lost, not kept."),
    ] = 2 * 1024 * 1024 * 1024
    backlog_bytes: Annotated[
        Bytes, Meta(description="Frames kept in memory, per relay, while the disk refuses them or stalls.")
    ] = 32 * 1024 * 1024
    fsync: Annotated[
        bool, Meta(description="true: survive power loss, not only kill -9. Each call then waits for the disk.")
    ] = False


class Observer(Section, frozen=True, kw_only=True):
    """Pace of the observer."""

    linger_s: Annotated[
        Seconds, Meta(description="Frames are gathered this long for one commit; the ledger lags by about as much.")
    ] = 0.2
    batch_calls: Annotated[
        Annotated[int, Meta(ge=1)], Meta(description="A commit holds about this many calls at most.")
    ] = 500
    probe_s: Annotated[
        Seconds, Meta(description="How often the upstream's free health path is asked. Never loads a model.")
    ] = 10.0
    models_s: Annotated[
        Seconds,
        Meta(
            description="How often an Ollama is asked which models it has and has loaded, a LiteLLM whether it is"
            " ready. Never loads a model. A call that shows something new makes it look at once."
        ),
    ] = 30.0
    baggage: Annotated[
        bool,
        Meta(
            description="true: take user, session, team, project and task from W3C baggage too, where no header of ours"
            " says them. Off by default, as tracing tools put there what they like."
        ),
    ] = False
