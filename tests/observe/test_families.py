"""Numbers by label set: exact, capped, and rendered as Prometheus wants them."""

from __future__ import annotations

import pytest

from proxy.observe.families import Distribution, Example, Family, Latest, Numbers, SeriesBudget

COUNTER = Family("calls_total", "counter", "Calls.", ("route", "model"))
SIZES = Family("size_bytes", "histogram", "Sizes.", ("model",), buckets=(1, 10, 100))


def test_a_counter_adds_and_begins_at_zero_where_sets_are_known() -> None:
    numbers = Numbers(COUNTER._replace(known=(("/a", "none"),)), SeriesBudget(9))

    numbers.take(("/b", "m"), 2)
    numbers.take(("/b", "m"), 3)

    assert [(sample.labels, sample.value) for sample in numbers.metric().samples] == [
        ({"route": "/a", "model": "none"}, 0),
        ({"route": "/b", "model": "m"}, 5),
    ]


def test_nano_dollars_stay_whole() -> None:
    numbers = Numbers(Family("cost_usd_total", "counter", "Cost.", (), divisor=10**9), SeriesBudget(9))

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
    distribution = Distribution(SIZES, SeriesBudget(9))

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
    gauge = Latest(Family("last_seconds", "gauge", "When.", ()), SeriesBudget(9))

    for at in (5.0, 7.0, 6.0):
        gauge.take((), at)

    assert gauge.values[()] == 7.0


def test_tools_become_other_with_the_models() -> None:
    tools, budget = Family("tool_calls_total", "counter", "Calls.", ("model", "tool")), SeriesBudget(1)
    numbers = Numbers(tools, budget)

    for labels in (("a", "f"), ("other", "f"), ("none", "none"), ("b", "g")):
        numbers.take(labels, 1)

    assert numbers.values == {("a", "f"): 1, ("other", "other"): 2, ("none", "none"): 1}
    assert (budget.taken, budget.overflowed) == (1, 2)


def test_words_of_ours_take_nothing_of_the_budget() -> None:
    budget = SeriesBudget(1)
    numbers = Numbers(Family("calls_total", "counter", "Calls.", ("outcome",)), budget)

    for outcome in ("ok", "timeout", "refused"):
        numbers.take((outcome,), 1)

    assert set(numbers.values) == {("ok",), ("timeout",), ("refused",)}
    assert budget.overflowed == 0


def test_the_last_call_of_each_bucket_stands_for_the_others() -> None:
    distribution = Distribution(SIZES, SeriesBudget(9))

    for value, trace in ((0.5, "aa"), (0.7, "bb"), (50, "cc")):
        distribution.take(("m",), value, Example(trace, 1000.0))
    distribution.take(("m",), 2000)

    told = [sample.exemplar for sample in distribution.metric().samples]
    assert [found and (found.labels, found.value, found.timestamp) for found in told] == [
        ({"trace_id": "bb"}, 0.7, 1000.0),
        None,
        ({"trace_id": "cc"}, 50, 1000.0),
        None,
        None,
        None,
    ]


def test_a_counter_tells_its_last_call() -> None:
    numbers = Numbers(COUNTER, SeriesBudget(9))

    numbers.take(("/r", "m"), 1, Example("aa", 1000.0))
    numbers.take(("/r", "n"), 1)

    first, second = (sample.exemplar for sample in numbers.metric().samples)
    assert first is not None
    assert (first.labels, first.value) == ({"trace_id": "aa"}, 1)
    assert second is None
