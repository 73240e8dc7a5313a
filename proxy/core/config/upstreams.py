"""Where calls go."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from proxy.core.config.section import Seconds, Section

UpstreamKind = Literal["auto", "ollama", "litellm", "openai"]


class Upstream(Section, frozen=True, kw_only=True):
    """One server that calls can go to."""

    url: Annotated[str, Meta(description="Base address, http:// or https://, without the /v1.")]
    kind: Annotated[
        UpstreamKind,
        Meta(
            description="What answers there. It decides what is polled, which prices apply (Ollama: only your own) and"
            " how long an idle connection is kept. auto: found out from what it answers."
        ),
    ] = "auto"
    models: Annotated[
        tuple[str, ...],
        Meta(description="Patterns (* and ?) of the models it serves. The first upstream that matches takes the call."),
    ] = ()
    key_env: Annotated[
        str | None,
        Meta(description="Environment variable with its key. The key replaces the client's, which never travels on."),
    ] = None
    key_file: Annotated[str | None, Meta(description="File with its key, when it is not in the environment.")] = None
    connect_s: Annotated[Seconds | None, Meta(description="Own value for limits.connect_s.")] = None
    first_byte_s: Annotated[Seconds | None, Meta(description="Own value for limits.first_byte_s.")] = None
    between_bytes_s: Annotated[Seconds | None, Meta(description="Own value for limits.between_bytes_s.")] = None
    keep_idle_s: Annotated[
        Seconds | None,
        Meta(
            description="How long an unused connection is kept; must be below the server's own limit."
            " Unset: 60 for Ollama, which has no limit, else 4, as uvicorn (LiteLLM) closes after 5."
        ),
    ] = None
