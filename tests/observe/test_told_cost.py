"""LiteLLM's own figure, and when it is one."""

from __future__ import annotations

from decimal import Decimal

import pytest

from proxy.observe.pricing import UNKNOWN, Cost, Shadow
from proxy.observe.told_cost import settled_cost
from proxy.wire.litellm import LiteLLM
from proxy.wire.meaning import Meaning

LOCAL = Cost(nanousd=5, source="local", origin="settings:*")
PUBLISHED = Cost(nanousd=7, source="exact", origin="price_file:gpt-4o")
FREE = Cost(nanousd=0, source="exact", origin="price_file:gpt-free")
SHADOW = Shadow(model="gpt-4o", nanousd=9, source="exact")
TOLD = Cost(nanousd=13_500, source="exact", origin="litellm")


def meaning(
    usd: str | None = None,
    *,
    usage_usd: float | None = None,
    streamed: bool = False,
    cache_hit: bool = False,
    litellm: bool = True,
) -> Meaning:
    told = LiteLLM(cost_usd=None if usd is None else Decimal(usd), cache_hit=cache_hit)
    return Meaning(
        dialect="openai_chat",
        streamed=streamed,
        reported_cost_usd=usage_usd,
        litellm=told if litellm else None,
    )


@pytest.mark.parametrize("ours", [UNKNOWN, LOCAL, PUBLISHED])
def test_its_figure_goes_before_ours(ours: Cost) -> None:
    assert settled_cost(meaning("1.35e-05"), 200, ours) == TOLD
    assert settled_cost(meaning(usage_usd=1.35e-05, streamed=True), 200, ours) == TOLD


def test_a_header_of_a_stream_is_not_believed() -> None:
    assert settled_cost(meaning("1.35e-05", streamed=True), 200, LOCAL) == LOCAL


def test_an_error_has_no_cost() -> None:
    assert settled_cost(meaning("0"), 404, UNKNOWN) == UNKNOWN
    assert settled_cost(meaning("1.0"), 500, UNKNOWN) == UNKNOWN


def test_its_0_is_a_price_only_from_its_cache() -> None:
    assert settled_cost(meaning("0.0", cache_hit=True), 200, LOCAL) == Cost(nanousd=0, source="exact", origin="litellm")
    assert settled_cost(meaning("0.0"), 200, UNKNOWN) == UNKNOWN
    assert settled_cost(meaning("0.0"), 200, LOCAL) == LOCAL


def test_where_it_says_0_a_published_price_of_more_is_none() -> None:
    assert settled_cost(meaning("0.0"), 200, PUBLISHED) == UNKNOWN
    assert settled_cost(meaning("0.0"), 200, FREE) == FREE


def test_somebody_elses_usage_cost_is_not_litellms() -> None:
    assert settled_cost(meaning(usage_usd=1.0, streamed=True, litellm=False), 200, PUBLISHED) == PUBLISHED


@pytest.mark.parametrize("usd", [-1.0, 1e12])
def test_nonsense_is_no_cost(usd: float) -> None:
    assert settled_cost(meaning(usage_usd=usd, streamed=True), 200, LOCAL) == LOCAL


def test_the_shadow_price_stands() -> None:
    shadowed = Cost(nanousd=7, source="exact", origin="price_file:x", shadow=SHADOW)

    assert settled_cost(meaning("1.35e-05"), 200, shadowed).shadow == SHADOW
    assert settled_cost(meaning("0"), 200, shadowed) == Cost(shadow=SHADOW)
