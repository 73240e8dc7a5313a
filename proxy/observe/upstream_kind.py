"""Which kind of server answered a call, where the settings leave it open. Pure."""

from __future__ import annotations

from typing import Final

from proxy.core.config import UpstreamKind

_OLLAMA_FINGERPRINT: Final = "fp_ollama"


def effective_kind(
    configured: UpstreamKind,
    *,
    dialect: str,
    fingerprint: str | None,
    answer_head: bytes,
    probed: UpstreamKind | None,
) -> UpstreamKind:
    """The kind that prices go by: as set, else as the answer shows, else as the probe found; `auto` = nobody knows.

    LiteLLM's own header comes first: behind it an Ollama may have answered, whose fingerprint it passes on.
    """
    if configured != "auto":
        return configured
    if b"\nx-litellm-" in b"\n" + answer_head.lower():
        return "litellm"
    if fingerprint == _OLLAMA_FINGERPRINT or dialect.startswith("ollama_"):
        return "ollama"
    return probed or "auto"
