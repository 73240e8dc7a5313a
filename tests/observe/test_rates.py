"""Prices as they stand in an entry. What they add up to is in test_tariff.py."""

from __future__ import annotations

from decimal import Decimal

import pytest

from proxy.observe.rates import BATCH, GENERAL, WAYS, billed_otherwise, limits, rate

TIERS = [{"range": [0, 32000.0], "input_cost_per_token": 1}, {"range": [32000.0, 64000.0], "input_cost_per_token": 2}]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Decimal("4.5e-9"), 45 * 10**20),
        ("3e-7", 3 * 10**23),
        (Decimal("2.4999999999999998e-07"), 24999999999999998 * 10**7),
        (1, 10**30),
        (0, 0),
        (None, None),
        (True, None),
        ("free", None),
        (Decimal("NaN"), None),
        (Decimal("Infinity"), None),
        (-1, None),
        ({}, None),
    ],
)
def test_a_price_is_exact_or_none(value: object, expected: int | None):
    assert rate(value) == expected


def test_limits_are_those_of_the_tier_that_is_asked_for():
    entry = {
        "input_cost_per_token_above_200k_tokens": 1,
        "cache_creation_input_token_cost_above_1hr_above_128_tokens": 1,
        "output_cost_per_token_above_300k_tokens_priority": 1,
        "input_cost_per_token_above_400k_tokens_batches": 1,
        "input_cost_per_token_above_500k_tokens_decisions": 1,
        "output_cost_per_token_above_9k_tokens": None,
        "input_cost_per_image_above_7k_tokens": 1,
        "tiered_pricing": TIERS,
    }

    assert limits(entry, GENERAL, "") == [0, 128, 32_000, 200_000]
    assert limits(entry, GENERAL, "_priority") == [0, 128, 32_000, 200_000, 300_000]
    assert limits(entry, GENERAL, BATCH) == [400_000]
    assert limits(entry, WAYS["dashscope"], "") == [0, 32_000]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"input_cost_per_token": 0, "output_cost_per_token": 0, "output_cost_per_image": 1}, True),
        ({"input_cost_per_token": 0, "output_cost_per_token": 0, "output_cost_per_image": 0}, False),
        ({"input_cost_per_token": 0, "output_cost_per_token": 1, "output_cost_per_image": 1}, False),
        ({"output_cost_per_image": 1}, False),
    ],
)
def test_billed_otherwise(entry: dict[str, object], expected: bool):
    assert billed_otherwise(entry) is expected
