"""Whose price a call has."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from proxy.core.config import Price
from proxy.core.usage import TokenCounts
from proxy.observe.price_file import installed_price_file
from proxy.observe.pricing import UNKNOWN, Cost, PriceBook, Shadow
from tests.work import calls_of

TOKENS = TokenCounts(prompt=1000, completion=100)
GPT = {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06}
ENTRIES = {
    "gpt-4o": GPT,
    "gpt-free": {**GPT, "input_cost_per_token": 0, "output_cost_per_token": 0},
    "gpt-odd": {"litellm_provider": "openai", "mode": "chat"},
    "ollama/llama3": {**GPT, "litellm_provider": "ollama", "input_cost_per_token": 0.0, "output_cost_per_token": 0.0},
}
CHEAP = Price(input_usd_per_mtok=0.1, output_usd_per_mtok=0.2)
DEAR = Price(input_usd_per_mtok=10.0)


@pytest.fixture
def price_file(tmp_path: Path) -> Path:
    path = tmp_path / "prices.json"
    path.write_text(json.dumps(ENTRIES))
    return path


def test_the_price_file_is_exact_and_says_which_entry(price_file):
    cost = PriceBook({}, price_file).price_call("gpt-4o", None, TOKENS)

    assert cost == Cost(nanousd=1_200_000, source="exact", origin="price_file:gpt-4o")


def test_own_prices_win(price_file):
    cost = PriceBook({"gpt-4o": CHEAP}, price_file).price_call("gpt-4o", "gpt-4o", TOKENS)

    assert cost == Cost(nanousd=120_000, source="local", origin="settings:gpt-4o")


@pytest.mark.parametrize(
    ("model", "origin"),
    [
        ("llama3.2:1b", "llama3.2:1b"),
        ("llama3.2:3b", "llama3.2:*"),
        ("llama3.1:8b", "llama*"),
        ("qwen3", "qwen3"),
        ("qwen3:latest", "qwen3"),
        ("mistral", "mistral:latest"),
        ("phi[1]", "phi[?]"),
        ("phi1", None),
        ("Llama3", None),
    ],
)
def test_an_exact_name_goes_before_patterns_and_the_first_pattern_wins(model: str, origin: str | None):
    names = ["llama3.2:*", "llama*", "llama3.2:1b", "qwen3", "mistral:latest", "phi[?]"]
    book = PriceBook(dict.fromkeys(names, CHEAP), None)

    expected = f"settings:{origin}" if origin is not None else None
    assert book.price_call(model, None, TOKENS, kind="ollama").origin == expected


def test_own_prices_know_cached_tokens():
    price = Price(input_usd_per_mtok=1.0, output_usd_per_mtok=2.0, cached_usd_per_mtok=0.25)
    book = PriceBook({"m": price, "n": CHEAP}, None)
    tokens = TokenCounts(prompt=1000, completion=100, cached=400, reasoning=50)

    assert book.price_call("m", None, tokens).nanousd == 600 * 1000 + 400 * 250 + 100 * 2000
    assert book.price_call("n", None, tokens).nanousd == 1000 * 100 + 100 * 200


def test_own_prices_are_right_to_the_nano_dollar():
    """0.0045 USD per million tokens is 4.5 nano-dollars a token."""
    book = PriceBook({"m": Price(input_usd_per_mtok=0.0045)}, None)

    assert [book.price_call("m", None, TokenCounts(prompt=n, completion=0)).nanousd for n in (1, 2, 3, 333)] == [
        4, 9, 14, 1498,
    ]  # fmt: skip


@pytest.mark.parametrize("asked", ["gpt-4o", "openai/gpt-4o", "llama3", "ollama/llama3"])
def test_what_an_ollama_ran_has_no_price_of_a_cloud(price_file, asked: str):
    assert PriceBook({}, price_file).price_call(asked, asked, TOKENS, kind="ollama") == UNKNOWN


def test_rows_of_ollama_are_no_price_behind_a_litellm_either(price_file):
    """Not even that of the alias it was asked by."""
    assert PriceBook({}, price_file).price_call("gpt-4o", "ollama/llama3", TOKENS, kind="litellm") == UNKNOWN


def test_a_stated_zero_is_a_price_and_a_missing_one_is_none(price_file):
    book = PriceBook({}, price_file)

    assert book.price_call("gpt-free", None, TOKENS) == Cost(nanousd=0, source="exact", origin="price_file:gpt-free")
    assert book.price_call("gpt-odd", None, TOKENS) == Cost(origin="price_file:gpt-odd")


def test_what_answered_is_looked_for_first(price_file):
    book = PriceBook({}, price_file)

    assert book.price_call("gpt-free", "gpt-4o", TOKENS).origin == "price_file:gpt-4o"
    assert book.price_call("gpt-4o", "gpt-9", TOKENS).origin == "price_file:gpt-4o"


@pytest.mark.parametrize(
    "tokens",
    [TokenCounts(), TokenCounts(prompt=1), TokenCounts(completion=1), TokenCounts(prompt=-1, completion=1)],
)
def test_without_counts_there_is_no_cost(price_file, tokens: TokenCounts):
    book = PriceBook({"own": CHEAP}, price_file)

    for model, origin in (("gpt-4o", "price_file:gpt-4o"), ("own", "settings:own")):
        cost = book.price_call(model, None, tokens)
        assert (cost.nanousd, cost.source, cost.origin) == (None, "unknown", origin)


def test_a_count_whose_price_is_0_may_be_missing():
    """As the completion of an embedding."""
    assert PriceBook({"own": DEAR}, None).price_call("own", None, TokenCounts(prompt=5)).nanousd == 50_000


def test_no_model_and_no_file_is_unknown(price_file):
    assert PriceBook({}, price_file).price_call(None, None, TOKENS) == UNKNOWN
    assert PriceBook({}, None).price_call("gpt-4o", None, TOKENS) == UNKNOWN
    assert PriceBook({}, price_file.parent / "nowhere").price_call("gpt-4o", None, TOKENS) == UNKNOWN


def test_new_prices_hold_for_models_that_were_priced_before(price_file, monkeypatch):
    monkeypatch.setattr("proxy.observe.price_file.CHECK_S", 0.0)
    book = PriceBook({}, price_file)
    before = book.price_call("gpt-4o", None, TOKENS)
    price_file.write_text(json.dumps({"gpt-4o": {**GPT, "input_cost_per_token": 3e-06}}))
    os.utime(price_file, ns=(1, 1))

    assert before.nanousd == 1_200_000
    assert book.price_call("gpt-4o", None, TOKENS).nanousd == 3_200_000
    assert book.status.entries == 1


@pytest.mark.parametrize(
    "spoilt",
    [
        {"tiered_pricing": [{"range": ["a", {}], "input_cost_per_token": 1}]},
        {"off_peak_pricing": {"windows": [{"hours_utc": "00:00-00:00", "weekdays": [[]]}]}},
        {"input_cost_per_token": {}, "output_cost_per_token": [1]},
        {"litellm_provider": ["x"], "input_cost_per_token_above_k_tokens": 1},
    ],
)
def test_an_entry_that_cannot_be_read_is_no_price(price_file, spoilt: dict[str, object]):
    price_file.write_text(json.dumps({"m": spoilt}))

    assert PriceBook({}, price_file).price_call("m", None, TOKENS).nanousd is None


def test_names_without_end_do_not_fill_the_memory(price_file):
    book = PriceBook({}, price_file)

    for number in range(5000):
        book.price_call(f"model-{number}", None, TOKENS)

    assert len(book._found) <= 1025


@pytest.mark.parametrize("model", ["gpt-4o", "claude-opus-4-8", "dashscope/qwen-flash", "llama3.2:1b"])
def test_a_price_that_was_found_is_not_sought_again(model: str):
    """What is left are a few microseconds, of each call."""
    book = PriceBook({}, installed_price_file())
    tokens = TokenCounts(prompt=1000, completion=100, cached=10, reasoning=5)
    book.price_call(model, model, tokens)

    assert calls_of(lambda: book.price_call(model, model, tokens)) < 100


# -- shadow prices -------------------------------------------------------------------------------------------


def test_a_shadow_price_stands_beside_the_own_one(price_file):
    own = Price(input_usd_per_mtok=0.1, output_usd_per_mtok=0.2, shadow_model="gpt-4o")

    cost = PriceBook({"llama*": own}, price_file).price_call("llama3", None, TOKENS, kind="ollama")

    shadow = Shadow(model="gpt-4o", nanousd=1_200_000, source="exact")
    assert cost == Cost(nanousd=120_000, source="local", origin="settings:llama*", shadow=shadow)


def test_a_shadow_price_alone_leaves_the_cost_as_it_is(price_file):
    book = PriceBook({"*": Price(shadow_model="gpt-4o")}, price_file)

    local = book.price_call("llama3", None, TOKENS, kind="ollama")
    cloud = book.price_call("gpt-free", None, TOKENS)

    assert (local.nanousd, local.source) == (None, "unknown")
    assert (cloud.nanousd, cloud.source, cloud.origin) == (0, "exact", "price_file:gpt-free")
    assert local.shadow == cloud.shadow == Shadow(model="gpt-4o", nanousd=1_200_000, source="exact")


@pytest.mark.parametrize("model", ["gpt-unheard-of", "ollama/llama3", "gpt-odd"])
def test_a_shadow_model_without_a_price_is_unknown(price_file, model: str):
    cost = PriceBook({"*": Price(shadow_model=model)}, price_file).price_call("llama3", None, TOKENS)

    assert cost.shadow == Shadow(model=model)


def test_work_has_a_shadow_price_by_tokens(price_file):
    book = PriceBook({"*": Price(gpu_second_usd=0.001, shadow_model="gpt-4o")}, price_file)

    cost = book.price_call("llama3", None, TOKENS, work_ns=10**9)

    assert (cost.nanousd, cost.source) == (1_000_000, "local")
    assert cost.shadow == Shadow(model="gpt-4o", nanousd=1_200_000, source="exact")


# -- tokens that nobody reported -----------------------------------------------------------------------------


def test_counted_tokens_are_priced_as_far_as_they_go(price_file):
    """A client that left: its completion was seen, its prompt is not known."""
    book = PriceBook({"own": Price(input_usd_per_mtok=1, output_usd_per_mtok=2, shadow_model="gpt-4o")}, price_file)
    seen = TokenCounts(completion=7)

    own = book.price_call("own", None, seen, tokens_source="counted")
    published = book.price_call("gpt-4o", None, seen, tokens_source="counted")

    assert (own.nanousd, own.source, own.origin) == (14_000, "local", "settings:own")
    assert own.shadow == Shadow(model="gpt-4o", nanousd=14_000, source="exact")
    assert (published.nanousd, published.source) == (14_000, "exact")


def test_estimated_tokens_have_an_estimated_cost(price_file):
    cost = PriceBook({}, price_file).price_call("gpt-4o", None, TOKENS, tokens_source="estimated")

    assert (cost.nanousd, cost.source, cost.origin) == (1_200_000, "exact", "price_file:gpt-4o")


# -- behind LiteLLM ------------------------------------------------------------------------------------------


def test_the_deployment_that_litellm_names_is_the_only_name(price_file):
    """An alias may be called like a cloud's model, and be an Ollama."""
    book = PriceBook({}, price_file)

    assert book.price_call("gpt-4o", "gpt-4o", TOKENS, deployment="ollama_chat/llama3", kind="litellm") == UNKNOWN
    assert book.price_call("alias", "alias", TOKENS, deployment="openai/gpt-4o").origin == "price_file:gpt-4o"


def test_own_prices_know_a_deployment_by_its_name():
    cost = PriceBook({"ollama_chat/*": CHEAP}, None).price_call("a", None, TOKENS, deployment="ollama_chat/llama3")

    assert (cost.source, cost.origin) == ("local", "settings:ollama_chat/*")
