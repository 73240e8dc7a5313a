"""Repeats: one prompt that always brings a fault is one fault, in the baseline as later."""

from __future__ import annotations

from proxy.analyse.drift.repeats import Repeats

REFUSED = frozenset({"refusal"})


def keys(count: int) -> list[bytes]:
    return [number.to_bytes(4, "big") for number in range(count)]


def test_a_fault_of_the_same_prompt_is_counted_once() -> None:
    repeats = Repeats((key, REFUSED if key == keys(4)[3] else frozenset()) for key in keys(400))

    assert repeats.had == {"refusal": 1}
    assert repeats.fresh(keys(4)[3], REFUSED) == set()
    assert repeats.fresh(keys(4)[2], REFUSED) == {"refusal"}
    assert repeats.fresh(keys(4)[2], REFUSED | {"leak"}) == {"leak"}


def test_long_after_it_counts_anew() -> None:
    repeats = Repeats()
    repeats.weight(b"odd")
    assert repeats.fresh(b"odd", REFUSED) == REFUSED
    for key in keys(700):
        repeats.weight(key)

    assert repeats.fresh(b"odd", REFUSED) == REFUSED


def test_where_one_prompt_is_asked_all_the_time_each_fault_counts() -> None:
    repeats = Repeats((b"ping", frozenset[str]()) for _ in range(500))
    for _ in range(3):
        repeats.weight(b"ping")
        assert repeats.fresh(b"ping", REFUSED) == REFUSED


def test_what_is_remembered_is_bounded() -> None:
    repeats = Repeats()
    for key in keys(20_000):
        repeats.weight(key)
        repeats.fresh(key, REFUSED)

    assert len(repeats._faulty) <= 2049
