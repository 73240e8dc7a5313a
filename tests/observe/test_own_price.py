"""Own prices by tokens, by seconds of work, by electricity."""

from __future__ import annotations

import pytest

from proxy.core.config import Price
from proxy.core.usage import TokenCounts
from proxy.observe.own_price import own_tariff
from proxy.observe.pricing import Cost, PriceBook

TOKENS = TokenCounts(prompt=1000, completion=100)
SECOND_NS = 10**9


def nanousd(price: Price, tokens: TokenCounts = TOKENS, work_ns: int | None = None) -> int | None:
    tariff = own_tariff(price)
    assert tariff is not None
    return tariff.nanousd(tokens, work_ns=work_ns, at_unix_s=0.0)


def test_seconds_of_work() -> None:
    price = Price(gpu_second_usd=0.0007)

    assert nanousd(price, work_ns=2_500_000_000) == 1_750_000
    assert nanousd(price, TokenCounts(), work_ns=SECOND_NS) == 700_000
    assert nanousd(price, work_ns=0) == 0


def test_electricity() -> None:
    """300 W for an hour are 0.3 kWh; at 0.40 USD that is 0.12 USD."""
    price = Price(watts=300, usd_per_kwh=0.40)

    assert nanousd(price, work_ns=3600 * SECOND_NS) == 120_000_000
    assert nanousd(price, work_ns=SECOND_NS) == 33_333


@pytest.mark.parametrize("price", [Price(gpu_second_usd=1.0), Price(watts=1.0, usd_per_kwh=1.0)])
def test_without_native_durations_the_cost_is_unknown(price: Price) -> None:
    assert nanousd(price) is None
    assert PriceBook({"m": price}, None).price_call("m", None, TOKENS) == Cost(origin="settings:m")


def test_work_is_a_local_price_whatever_is_known_of_tokens() -> None:
    book = PriceBook({"m": Price(gpu_second_usd=1.0)}, None)

    for source in ("reported", "counted", "estimated", "missing"):
        cost = book.price_call("m", None, TokenCounts(), tokens_source=source, work_ns=SECOND_NS)
        assert (cost.nanousd, cost.source) == (10**9, "local")


def test_a_shadow_price_alone_is_no_tariff() -> None:
    assert own_tariff(Price(shadow_model="gpt-4o-mini")) is None


def test_tokens() -> None:
    price = Price(input_usd_per_mtok=1.0, output_usd_per_mtok=2.0, cached_usd_per_mtok=0.25)

    assert nanousd(price, TokenCounts(prompt=1000, completion=100, cached=400)) == 600_000 + 100_000 + 200_000
    assert nanousd(price, TokenCounts(prompt=1000)) is None
    assert nanousd(Price(input_usd_per_mtok=1.0), TokenCounts(prompt=1000)) == 1_000_000
