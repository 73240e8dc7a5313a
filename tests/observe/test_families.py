"""Numbers by label set: exact, capped, and rendered as Prometheus wants them."""

from __future__ import annotations

import pytest

from proxy.observe.families import Distribution, Family, Latest, Numbers, SeriesBudget

COUNTER = Family("calls_total", "counter", "Calls.", ("route", "model"))
SIZES = Family("size_bytes", "histogram", "Sizes.", ("model",), buckets=(1, 10, 100))


def test_a_counter_adds_and_begins_at_zero_where_sets_are_known() -> None:
    numbers = Numbers(COUNTER._replace(known=(("/a", "none"),)))

    numbers.take(("/b", "m"), 2)
    numbers.take(("/b", "m"), 3)

    assert [(sample.labels, sample.value) for sample in numbers.metric().samples] == [
        ({"route": "/a", "model": "none"}, 0),
        ({"route": "/b", "model": "m"}, 5),
    ]


def test_nano_dollars_stay_whole() -> None:
    numbers = Numbers(Family("cost_usd_total", "counter", "Cost.", (), divisor=10**9))

    for _ in range(1000):
        numbers.take((), 1)
    numbers.take((), 10**15)

    assert numbers.values[()] == 10**15 + 1000
    assert round(numbers.metric().samples[0].value * 10**9) == 10**15 + 1000


@pytest.mark.parametrize(
    ("value", "counts"),
    [(0, [1, 1, 1, 1]), (1, [1, 1, 1, 1]), (1.1, [0, 1, 1, 1]), (100, [0, 0, 1, 1]), (1e9, [0, 0, 0, 1])],
)
def test_a_value_falls_into_the_buckets_from_its_bound_up(value: float, counts: list[int]) -> None:
    distribution = Distribution(SIZES)

    distribution.take(("m",), value)

    samples = distribution.metric().samples
    assert [sample.labels["le"] for sample in samples[:4]] == ["1.0", "10.0", "100.0", "+Inf"]
    assert [sample.value for sample in samples[:4]] == counts
    assert [(sample.name, sample.value) for sample in samples[4:]] == [
        ("size_bytes_count", 1),
        ("size_bytes_sum", value),
    ]


def test_beyond_the_budget_models_become_other_in_all_families_together() -> None:
    budget = SeriesBudget(3)
    numbers, distribution = Numbers(COUNTER, budget), Distribution(SIZES, budget)

    for model in ("a", "b", "c"):
        numbers.take(("/r", model), 1)
        distribution.take((model,), 1)
        numbers.take(("/r", model), 1)

    assert numbers.values == {("/r", "a"): 2, ("/r", "b"): 2, ("/r", "other"): 2}
    assert {sample.labels["model"] for sample in distribution.metric().samples} == {"a", "other"}
    assert budget.overflowed == 4


def test_a_time_only_grows() -> None:
    gauge = Latest(Family("last_seconds", "gauge", "When.", ()))

    for at in (5.0, 7.0, 6.0):
        gauge.take((), at)

    assert gauge.values[()] == 7.0
