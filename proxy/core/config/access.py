"""Who may call, and who may look."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from proxy.core.config.section import Section


class Access(Section, frozen=True, kw_only=True):
    """Who may do what; docs/access.md has the whole of it."""

    client_keys: Annotated[
        Literal["auto", "required"],
        Meta(
            description="auto: calls need a key once one was made by `sightglass keys add`, revoked or not."
            " required: always, so that nobody calls before there is one."
        ),
    ] = "auto"
    console_login: Annotated[
        Literal["auto", "required"],
        Meta(
            description="auto: the console asks for the admin token once other machines reach it. required: always,"
            " for machines that several people work on."
        ),
    ] = "auto"
    token_env: Annotated[
        str | None,
        Meta(
            description="Environment variable with the admin token. Unset: one is made at the first start and kept in"
            " the data directory, in `admin-token`, mode 0600."
        ),
    ] = None
    token_file: Annotated[str | None, Meta(description="File with the admin token, such as a mounted secret.")] = None
    ollama_management: Annotated[
        Literal["auto", "open", "closed"],
        Meta(
            description="Ollama's paths that change the server: /api/create, pull, push, copy, delete, blobs, signout,"
            " user. auto: open on loopback, closed once other machines reach us."
        ),
    ] = "auto"
