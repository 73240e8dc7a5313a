"""The arithmetic of prices: by hand for each rule, and against litellm for every entry of its price file."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from proxy.core.usage import TokenCounts
from proxy.observe.price_file import installed_price_file
from proxy.observe.pricing import PriceBook
from proxy.observe.tariff import Tariff, rounded

HERE = Path(__file__).parent
DOC = (HERE.parents[1] / "docs" / "prices.md").read_text()

# Why we say something else than litellm, and for how many entries of which provider. A deviation that is gone, or a new
# one, fails the test: then change this and docs/prices.md, which says more.
NO_PRICE = "no price for a prompt token"
OTHERWISE = "tokens at 0, billed by something else"
ON_PREMISES = "runs on one's own machine"
TIERED = "tiered prices, an empty prompt or a batch"
NO_BATCH = "batch price not found by litellm"
DEVIATIONS: dict[str, dict[str, int]] = {
    NO_PRICE: {
        "azure": 1,
        "bedrock": 41,
        "chatgpt": 19,
        "dashscope": 1,
        "databricks": 6,
        "featherless_ai": 2,
        "fireworks_ai": 4,
        "github_copilot": 17,
        "gradient_ai": 3,
        "heroku": 4,
        "meta": 1,
        "meta_llama": 4,
        "openai": 1,
        "perplexity": 8,
        "qwen_ai_platform": 1,
        "qwencloud": 1,
        "snowflake": 16,
        "together_ai": 1,
        "vertex_ai-language-models": 2,
    },
    OTHERWISE: {"gemini": 6},
    ON_PREMISES: {"lemonade": 5},
    TIERED: {"dashscope": 15, "qwen_ai_platform": 15, "qwencloud": 15, "volcengine": 4},
    NO_BATCH: {"ai21": 9, "azure": 1},
}


def nanousd(entry: dict[str, Any], *, tier: str | None = None, at: float = 0.0, **tokens: int) -> int | None:
    exact = json.loads(json.dumps(entry), parse_float=Decimal)
    return Tariff(exact, service_tier=tier).nanousd(TokenCounts(**tokens), at_unix_s=at)


PLAIN = {"input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05}


def test_plain_tokens():
    assert nanousd(PLAIN, prompt=1000, completion=100) == 3_500_000


def test_cached_tokens_are_part_of_the_prompt():
    """The check of the fact sheet: gpt-4o-mini, 1000 prompt of which 800 cached, 10 out."""
    entry = {
        "input_cost_per_token": 1.5e-07,
        "output_cost_per_token": 6e-07,
        "cache_read_input_token_cost": 7.5e-08,
    }

    assert nanousd(entry, prompt=1000, cached=800, completion=10) == 96_000


def test_parts_without_a_price_cost_what_their_whole_costs():
    parts = {"cached": 100, "cache_write": 50, "cache_write_1h": 20, "audio_prompt": 30, "reasoning": 40}

    assert nanousd(PLAIN, prompt=1000, completion=100, **parts) == nanousd(PLAIN, prompt=1000, completion=100)


def test_cache_writes_for_an_hour_have_their_own_price():
    entry = {
        **PLAIN,
        "cache_creation_input_token_cost": 3e-06,
        "cache_creation_input_token_cost_above_1hr": 5e-06,
    }

    assert nanousd(entry, prompt=100, completion=0, cache_write=60, cache_write_1h=10) == 40 * 2500 + 50 * 3000 + 50_000


@pytest.mark.parametrize(("prompt", "per_token"), [(200_000, 1000), (200_001, 2000), (400_001, 3000)])
def test_above_a_threshold_the_whole_call_costs_more(prompt: int, per_token: int):
    entry = {
        "input_cost_per_token": 1e-06,
        "output_cost_per_token": 0,
        "input_cost_per_token_above_200k_tokens": 2e-06,
        "input_cost_per_token_above_400k_tokens": 3e-06,
    }

    assert nanousd(entry, prompt=prompt, completion=1) == prompt * per_token


@pytest.mark.parametrize(("prompt", "per_token"), [(10, 1000), (11, 2000), (99, 2000)])
def test_one_tier_prices_the_whole_call(prompt: int, per_token: int):
    tiers = [
        {"range": [10, 20], "input_cost_per_token": 2e-06, "output_cost_per_token": 0},
        {"range": [0, 10], "input_cost_per_token": 1e-06, "output_cost_per_token": 0},
    ]

    assert nanousd({"tiered_pricing": tiers}, prompt=prompt, completion=5) == prompt * per_token


@pytest.mark.parametrize(
    ("tier", "per_token"),
    [(None, 1000), ("default", 1000), ("priority", 2000), ("fast", 2000), ("flex", 500), ("Flex", 500), ("batch", 400)],
)
def test_service_tiers_have_prices_of_their_own(tier: str | None, per_token: int):
    entry = {
        "input_cost_per_token": 1e-06,
        "input_cost_per_token_priority": 2e-06,
        "input_cost_per_token_flex": 5e-07,
        "input_cost_per_token_batches": 4e-07,
        "output_cost_per_token": 0,
    }

    assert nanousd(entry, tier=tier, prompt=10, completion=1) == 10 * per_token


def test_a_batch_without_a_price_costs_half():
    assert nanousd(PLAIN, tier="batch", prompt=1000, completion=100) == 1_750_000


def test_cheap_hours():
    block = {"input_cost_per_token": 1e-06, "hours_utc": "16:30-00:30"}
    entry = {**PLAIN, "off_peak_pricing": block}

    assert nanousd(entry, at=17 * 3600, prompt=10, completion=0) == 10_000
    assert nanousd(entry, at=12 * 3600, prompt=10, completion=0) == 25_000


@pytest.mark.parametrize(
    ("entry", "tokens"),
    [
        (PLAIN, {"prompt": 10}),
        (PLAIN, {"completion": 10}),
        (PLAIN, {"prompt": -1, "completion": 1}),
        ({}, {"prompt": 1, "completion": 1}),
        ({"output_cost_per_token": 1e-06}, {"prompt": 1, "completion": 1}),
        ({"input_cost_per_token": 1e-06}, {"prompt": 1, "completion": 1}),
        ({"input_cost_per_token": "free", "output_cost_per_token": 0}, {"prompt": 1, "completion": 1}),
        (
            {"input_cost_per_token": 0, "output_cost_per_token": 0, "input_cost_per_second": 1},
            {"prompt": 1, "completion": 1},
        ),
        ({"input_cost_per_token": True, "tiered_pricing": "x", "off_peak_pricing": []}, {"prompt": 1, "completion": 1}),
    ],
)
def test_what_is_not_known_is_not_priced(entry: dict[str, Any], tokens: dict[str, int]):
    assert nanousd(entry, **tokens) is None


def test_embeddings_generate_nothing():
    entry = {"mode": "embedding", "input_cost_per_token": 1e-07}

    assert nanousd(entry, prompt=10) == nanousd(entry, prompt=10, completion=0) == 1000


def test_a_stated_zero_is_free():
    assert nanousd({"input_cost_per_token": 0, "output_cost_per_token": 0.0}, prompt=10, completion=1) == 0


@pytest.mark.parametrize(("units", "expected"), [(4, 0), (5, 0), (6, 1), (15, 2), (25, 2), (-5, 0)])
def test_totals_are_rounded_half_to_even(units: int, expected: int):
    assert rounded(units * 10**20) == expected


def deviation(entry: dict[str, Any], usage: dict[str, Any], ours: int | None, theirs: float) -> str:
    """Why we say something else, by a look at the entry and at nothing that we worked out; `?` = a mistake."""
    if ours is not None:
        return NO_BATCH if usage["tier"] == "batch" and theirs == 0 else "?"
    if entry["litellm_provider"] == "lemonade":
        return ON_PREMISES
    if "tiered_pricing" in entry:
        return TIERED if usage["tokens"]["prompt"] == 0 or usage["tier"] == "batch" else "?"
    if "input_cost_per_token" not in entry:
        return NO_PRICE
    return OTHERWISE if entry["input_cost_per_token"] == entry["output_cost_per_token"] == 0 else "?"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_entry_costs_what_litellm_says():
    answer = subprocess.run([sys.executable, HERE / "price_oracle.py"], check=True, capture_output=True).stdout
    oracle = json.loads(answer)
    path = installed_price_file()
    book, entries = PriceBook({}, path), json.loads(path.read_text())
    compared, wrong = 0, []
    deviating: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))

    for key, costs in oracle["costs"].items():
        entry = entries[key]
        for usage, theirs in zip(oracle["usages"], costs, strict=True):
            if theirs is None:
                continue
            ours = book.price_call(key, None, counts(entry, usage), service_tier=usage["tier"], at_unix_s=usage["at"])
            compared += 1
            if ours.nanousd is not None and abs(ours.nanousd - theirs) <= 0.5 + 1e-5:  # their sum is of floats
                continue
            reason = deviation(entry, usage, ours.nanousd, theirs)
            deviating[reason][entry["litellm_provider"]].add(key)
            wrong += [(key, usage, ours, theirs)] if reason == "?" else []

    assert wrong == []
    assert compared > 100_000
    found = {reason: {name: len(keys) for name, keys in by.items()} for reason, by in deviating.items()}
    assert found == DEVIATIONS


def test_deviations_are_documented():
    rows = re.findall(r"^\| ([^|]+) \| ([a-z][^|]*\d) \|", DOC, re.MULTILINE)

    told = {why: ", ".join(f"{name} {count}" for name, count in of.items()) for why, of in DEVIATIONS.items()}
    assert dict(rows) == told


def counts(entry: dict[str, Any], usage: dict[str, Any]) -> TokenCounts:
    tokens = dict(usage["tokens"])
    if entry["mode"] == "embedding":
        tokens = {part: n for part, n in tokens.items() if part not in ("completion", "reasoning", "audio_completion")}
    return TokenCounts(**tokens)
