"""Upstreams as the relay needs them: address in parts, limits applied, key read. No I/O here.

`proxy.settings.resolve_upstreams` makes them; `to_processes` and `from_processes` carry settings and upstreams from
the supervisor to its children, which thus never import pydantic or YAML.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from proxy.core.config import Config, UpstreamKind

# Ollama (Go) closes an idle connection never; uvicorn, under LiteLLM and most OpenAI-style servers, after 5 s.
USUAL_IDLE_S: Final[dict[UpstreamKind, float]] = {"ollama": 60.0, "litellm": 4.0, "openai": 4.0, "auto": 4.0}

# Shorter keys ("none", "ollama") protect nothing, and would be found in ordinary text.
SECRET_BYTES: Final = 8


class ResolvedUpstream(msgspec.Struct, frozen=True, kw_only=True):
    """One server that calls can go to. Its repr and str leave out the key."""

    name: str
    scheme: Literal["http", "https"]
    host: str  # name or address, IPv6 without brackets
    port: int
    base_path: str = ""  # goes before each path; settings allow none so far
    kind: UpstreamKind = "auto"
    models: tuple[str, ...] = ()  # patterns; empty for `default`, which takes what nobody else takes
    key: str | None = None  # replaces the client's Authorization; None = the client's passes
    connect_s: float
    first_byte_s: float
    between_bytes_s: float
    keep_idle_s: float | None = None  # as set; None = by kind, see idle_s()
    stand_in: bool = False  # the built-in model that `sightglass demo` started, as nothing answered

    def idle_s(self, kind: UpstreamKind | None = None) -> float:
        """How long an unused connection is kept. kind: what was found to answer there, when that is known."""
        if self.keep_idle_s is not None:
            return self.keep_idle_s
        return USUAL_IDLE_S[kind or self.kind]

    @property
    def netloc(self) -> str:
        """Host and port as a URL or a Host field has them; the scheme's own port is left out."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = 443 if self.scheme == "https" else 80
        return host if self.port == usual else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The whole address, for people and for plain HTTP clients."""
        return f"{self.scheme}://{self.netloc}{self.base_path}"

    def __repr__(self) -> str:
        key = "none" if self.key is None else "hidden"
        return f"ResolvedUpstream({self.name!r}, {self.url!r}, kind={self.kind!r}, models={self.models!r}, key={key})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return [("name", self.name), ("url", self.url), ("kind", self.kind)]


class _Handed(msgspec.Struct, frozen=True, kw_only=True):
    config: Config
    upstreams: tuple[ResolvedUpstream, ...]
    admin_token: str | None = None


def to_processes(config: Config, upstreams: tuple[ResolvedUpstream, ...], *, admin_token: str | None = None) -> bytes:
    """Settings and upstreams as one line of JSON. Holds keys: hand it over a pipe, never in arguments or a log."""
    return msgspec.json.encode(_Handed(config=config, upstreams=upstreams, admin_token=admin_token))


def token_from_processes(handed: bytes) -> str | None:
    """The admin token in what `to_processes` packed; only the console asks."""
    return msgspec.json.decode(handed, type=_Handed).admin_token


def from_processes(handed: bytes) -> tuple[Config, tuple[ResolvedUpstream, ...]]:
    """What `to_processes` packed. Raises msgspec.MsgspecError when it is something else."""
    both = msgspec.json.decode(handed, type=_Handed)
    return both.config, both.upstreams
