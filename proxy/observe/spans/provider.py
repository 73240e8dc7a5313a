"""`gen_ai.provider.name` of a call: who made the answer, as far as that is known. Pure.

The conventions have no word for Ollama; `ollama` is what others write, too. Behind LiteLLM its deployment's prefix
says who answers. An OpenAI-style server that says nothing of itself is `openai`, as the conventions have it for
whatever speaks that API.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, cast

from proxy.core.call import CallRecord
from proxy.core.config import UpstreamKind
from proxy.observe.observed import Observed
from proxy.observe.upstream_kind import effective_kind

Probed = Callable[[str | None], UpstreamKind | None]  # name of an upstream -> what the watcher found there

# LiteLLM's prefixes -> the conventions' words; others are given as LiteLLM writes them.
_BY_PREFIX: Final = {
    "ollama_chat": "ollama",
    "azure": "azure.ai.openai",
    "azure_ai": "azure.ai.inference",
    "bedrock": "aws.bedrock",
    "bedrock_converse": "aws.bedrock",
    "vertex_ai": "gcp.vertex_ai",
    "gemini": "gcp.gemini",
    "mistral": "mistral_ai",
    "watsonx": "ibm.watsonx.ai",
    "xai": "x_ai",
    "text-completion-openai": "openai",
    "hosted_vllm": "vllm",
}
_PREFIX_CHARACTERS: Final = 40


def kind_of(observed: Observed, probed: Probed) -> UpstreamKind:
    """What kind of server answered; `auto` = nobody knows. probed: what the watcher found at an upstream."""
    exchange, meaning, record = observed.exchange, observed.meaning, observed.record
    if exchange is None:
        return probed(record.upstream) or "auto"
    return effective_kind(
        cast(UpstreamKind, exchange.finished.upstream_kind or "auto"),
        dialect=record.dialect,
        fingerprint=meaning.system_fingerprint if meaning is not None else None,
        answer_head=exchange.answer_head,
        probed=probed(record.upstream),
    )


def provider_of(record: CallRecord, kind: UpstreamKind) -> str:
    """The provider's name. kind: as `upstream_kind.effective_kind` told."""
    if kind == "litellm" or record.litellm_call_id is not None:
        prefix, slash, _ = (record.litellm_model or "").partition("/")
        if not slash or len(prefix) > _PREFIX_CHARACTERS:
            return "litellm"
        return _BY_PREFIX.get(prefix, prefix)
    if kind == "ollama" or record.dialect.startswith("ollama_"):
        return "ollama"
    return "anthropic" if record.dialect == "anthropic_messages" else "openai"
