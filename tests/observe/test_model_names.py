"""From a model's name to its entry, and to none where two could be meant."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from proxy.observe.model_names import price_key
from proxy.observe.price_file import PriceFile

PROVIDERS = {
    "gpt-4o": "openai",
    "ft:gpt-4o-mini": "openai",
    "deepseek-chat": "deepseek",
    "deepseek/deepseek-chat": "deepseek",
    "perplexity/sonar": "perplexity",
    "perplexity/perplexity/sonar": "perplexity",
    "gemini-pro": "vertex_ai-language-models",
    "vertex_ai/gemini-pro": "vertex_ai-language-models",
    "anthropic.claude": "bedrock_converse",
    "groq/llama-70b": "groq",
    "azure/o3": "azure",
    "azure/eu/o3": "azure",
    "together_ai/Qwen/QwQ": "together_ai",
}


@pytest.fixture
def prices(tmp_path: Path) -> PriceFile:
    path = tmp_path / "prices.json"
    path.write_text(json.dumps({key: {"litellm_provider": provider} for key, provider in PROVIDERS.items()}))
    return PriceFile(path)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("gpt-4o", "gpt-4o"),
        ("GPT-4o", "gpt-4o"),
        ("openai/gpt-4o", "gpt-4o"),
        ("azure/gpt-4o", None),
        ("gpt-4o-2024-08-06", "gpt-4o"),
        ("openai/gpt-4o-2024-08-06", "gpt-4o"),
        ("ft:gpt-4o-mini:org:suffix:id", "ft:gpt-4o-mini"),
        ("ft:gpt-4o-mini:org::id", "ft:gpt-4o-mini"),
        ("deepseek-chat", "deepseek/deepseek-chat"),
        ("perplexity/sonar", "perplexity/sonar"),
        ("gemini-pro", "vertex_ai/gemini-pro"),
        ("bedrock/anthropic.claude", "anthropic.claude"),
        ("llama-70b", "groq/llama-70b"),
        ("o3", None),
        ("qwq", None),
        ("together_ai/qwen/qwq", "together_ai/Qwen/QwQ"),
        ("llama3.2:1b", None),
        ("", None),
        ("/", None),
    ],
)
def test_a_name_means_one_entry_or_none(prices: PriceFile, name: str, key: str | None):
    assert price_key(prices, name) == key
