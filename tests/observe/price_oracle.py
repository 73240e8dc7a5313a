"""litellm's own prices for every text model of its price file, as JSON on standard output. Run as a script by
test_tariff.py, in a process of its own: `import litellm` takes seconds and 170 MB.

Gives {"usages": [{"tokens", "tier", "at"}], "costs": {key: [nano-dollars or null for each usage]}}; null = not asked.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import tempfile
import time
from datetime import UTC, datetime
from typing import Any, NoReturn

MODES = ("chat", "responses", "completion", "embedding")
SKIPPED = ("ollama",)  # litellm asks a running Ollama about them; what we say of them is `unknown`
LOGIN = ("github_copilot", "chatgpt")  # litellm logs in somewhere to find out who serves such a name
WORKDAY, WEEKEND = 1_763_711_111, 1_763_800_000  # Friday 07:45 and Saturday 08:26 UTC, for models with cheap hours

LENGTHS = (32_000, 100_000, 100_001, 128_001, 200_000, 200_001, 256_001, 272_000, 272_001, 512_001, 1_200_000)
TIERS = ("priority", "flex", "fast", "ultrafast", "balanced", "default")
PARTS = {"cached": 5003, "cache_write": 2003, "cache_write_1h": 1001, "reasoning": 301}


def usages() -> list[dict[str, Any]]:
    """Token counts with all their parts, at and around thresholds, in all tiers."""
    plain: list[dict[str, int]] = [
        {"prompt": 1000, "completion": 500},
        {"prompt": 0, "completion": 7},
        {"prompt": 123_457, "completion": 7891, "cached": 100_003},
        {"prompt": 10_007, "completion": 1013, "cached": 5003, "cache_write": 2003},
        {"prompt": 10_007, "completion": 1013, **PARTS},
        {"prompt": 10_007, "completion": 1013, "reasoning": 700},
        {"prompt": 10_007, "completion": 1013, "audio_prompt": 3001, "audio_completion": 400, "reasoning": 100},
        {"prompt": 10_007, "completion": 1013, "audio_prompt": 9001, "cached": 3001},  # parts that overlap
    ]
    long = [
        {"prompt": n, "completion": 2003, "cached": n // 3, "cache_write": n // 7, "cache_write_1h": n // 11}
        for n in LENGTHS
    ]
    in_tiers = [
        {"tokens": {"prompt": prompt, "completion": 1013, **PARTS}, "tier": tier}
        for tier in TIERS
        for prompt in (10_007, 300_007)
    ]
    batches = [
        {"prompt": 10_007, "completion": 1013},
        {"prompt": 10_007, "completion": 1013, "audio_prompt": 55, **PARTS},
        {"prompt": 300_007, "completion": 1013, "cached": 5003, "cache_write": 2003},
    ]
    all_of_them = [
        *({"tokens": tokens, "tier": None} for tokens in (*plain, *long)),
        *in_tiers,
        *({"tokens": tokens, "tier": "batch"} for tokens in batches),
    ]
    weekend = {"tokens": {"prompt": 10_007, "completion": 1013, **PARTS}, "tier": None, "at": WEEKEND}
    return [*({"at": WORKDAY, **usage} for usage in all_of_them), weekend]


def main() -> None:
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    os.environ["HOME"] = tempfile.mkdtemp()
    socket.getaddrinfo = socket.socket.connect = no_network  # type: ignore[assignment, method-assign]
    time.sleep = lambda _seconds: None
    import litellm

    litellm.suppress_debug_info = True
    litellm.print_verbose = lambda *_: None
    asked = {
        key: entry
        for key, entry in litellm.model_cost.items()
        if entry.get("mode") in MODES and entry.get("litellm_provider") not in SKIPPED and key != "sample_spec"
    }
    costs = {key: costs_of(key, entry) for key, entry in asked.items()}
    json.dump({"usages": usages(), "costs": costs}, sys.stdout)


def costs_of(key: str, entry: dict[str, Any]) -> list[float | None]:
    """Asked by the name alone, as a proxy knows it; names that litellm cannot place are asked with their provider."""
    provider = entry["litellm_provider"]
    by_name = None if provider in LOGIN else {}
    for question in (by_name, {"custom_llm_provider": provider}):
        if question is None:
            continue
        try:
            return [cost(key, entry, usage, question) for usage in usages()]
        except Exception:
            continue
    raise AssertionError(key)


def cost(key: str, entry: dict[str, Any], usage: dict[str, Any], question: dict[str, str]) -> float | None:
    from litellm import _internal_context, cost_per_token
    from litellm.types.utils import Usage

    if usage["tier"] == "batch" and entry["litellm_provider"] in LOGIN:
        return None
    is_embedding = entry["mode"] == "embedding"
    tokens = usage["tokens"]
    completion = 0 if is_embedding else tokens["completion"]
    counts = {"prompt_tokens": tokens["prompt"], "completion_tokens": completion}
    details = {
        "prompt_tokens_details": prompt_details(tokens) or None,
        "completion_tokens_details": None if is_embedding else completion_details(tokens) or None,
    }
    how = (
        {"call_type": "retrieve_batch"}
        if usage["tier"] == "batch"
        else {"call_type": "embedding" if is_embedding else "completion", "service_tier": usage["tier"]}
    )
    reset = _internal_context._billing_time.set(datetime.fromtimestamp(usage["at"], UTC))
    try:
        told = Usage(**counts, total_tokens=tokens["prompt"] + completion, **details)
        return sum(cost_per_token(model=key, usage_object=told, **counts, **how, **question)) * 1e9
    finally:
        _internal_context._billing_time.reset(reset)


def prompt_details(tokens: dict[str, int]) -> dict[str, Any]:
    names = {"cached": "cached_tokens", "cache_write": "cache_write_tokens", "audio_prompt": "audio_tokens"}
    details: dict[str, Any] = {name: tokens[part] for part, name in names.items() if part in tokens}
    if "cache_write_1h" in tokens:
        hour = tokens["cache_write_1h"]
        details["cache_creation_token_details"] = {
            "ephemeral_5m_input_tokens": tokens["cache_write"] - hour,
            "ephemeral_1h_input_tokens": hour,
        }
    return details


def completion_details(tokens: dict[str, int]) -> dict[str, int]:
    names = {"reasoning": "reasoning_tokens", "audio_completion": "audio_tokens"}
    return {name: tokens[part] for part, name in names.items() if part in tokens}


def no_network(*_: object, **__: object) -> NoReturn:
    raise OSError("prices are compared without a network")


if __name__ == "__main__":
    main()
