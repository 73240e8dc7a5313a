"""What a model was, and whether it was loaded, at a time between looks."""

from __future__ import annotations

import pytest

from proxy.observe.upstreams.answers import Installed, Loaded
from proxy.observe.upstreams.history import SPANS_KEPT, ModelHistory


@pytest.fixture
def history() -> ModelHistory:
    return ModelHistory(stale_s=90)


def installed(history: ModelHistory, at_s: float, digest: str, *, modified_s: float | None = None) -> None:
    history.saw_installed({"m": Installed(name="m", digest=digest, modified_unix_s=modified_s)}, at_s, ahead_s=0)


def loaded(history: ModelHistory, at_s: float, *names: str, expires_s: float | None = 10_000) -> None:
    history.saw_loaded({name: Loaded(expires_unix_s=expires_s) for name in names}, at_s, ahead_s=0)


def digest(history: ModelHistory, at_s: float) -> str | None:
    span = history.what_answered("m", at_s)
    return None if span is None else span.digest


def test_a_digest_holds_from_look_to_look_and_after_the_last(history: ModelHistory) -> None:
    for at_s in (100, 130, 160):
        installed(history, at_s, "a")
    installed(history, 190, "b")

    told = {at_s: digest(history, at_s) for at_s in (99, 100, 145, 160, 175, 190, 500)}

    assert told == {99: None, 100: "a", 145: "a", 160: "a", 175: None, 190: "b", 500: "b"}


def test_the_server_may_say_when_it_changed(history: ModelHistory) -> None:
    installed(history, 100, "a", modified_s=10)
    installed(history, 130, "b", modified_s=120)
    installed(history, 160, "c", modified_s=5)  # older than what we saw ourselves: its word is not taken

    told = {at_s: digest(history, at_s) for at_s in (9, 10, 119, 120, 131, 160)}

    assert told == {9: None, 10: "a", 119: "a", 120: "b", 131: None, 160: "c"}


def test_another_clock_is_allowed_for(history: ModelHistory) -> None:
    history.saw_installed({"m": Installed(name="m", digest="a", modified_unix_s=1050)}, 100, ahead_s=1000)

    assert (digest(history, 49), digest(history, 51)) == (None, "a")


def test_a_model_that_is_gone_is_known_for_its_time_only(history: ModelHistory) -> None:
    installed(history, 100, "a")
    history.saw_installed({}, 130, ahead_s=0)

    assert (digest(history, 100), digest(history, 131)) == ("a", None)


def test_what_an_earlier_observer_saw(history: ModelHistory) -> None:
    history.remember("m", "a", "Q4", 50)
    alone = digest(history, 60)
    installed(history, 100, "b")

    assert alone is None  # nobody has looked since; it may have changed or gone
    assert (digest(history, 50), digest(history, 80), digest(history, 100)) == ("a", None, "b")


@pytest.mark.parametrize(("now", "between"), [("a", "a"), ("b", None)])
def test_what_an_earlier_observer_saw_is_told_after_our_first_look(
    history: ModelHistory, now: str, between: str | None
) -> None:
    installed(history, 100, now)
    history.remember("m", "a", "Q4", 50)

    assert (digest(history, 50), digest(history, 80), digest(history, 100)) == ("a", between, now)


def test_spans_are_bounded(history: ModelHistory) -> None:
    for number in range(100):
        installed(history, number, str(number))

    assert digest(history, 99) == "99"
    assert digest(history, 99 - SPANS_KEPT) is None


def test_loaded_as_the_looks_said(history: ModelHistory) -> None:
    loaded(history, 100)
    loaded(history, 130, "m")
    loaded(history, 160, "m")

    assert history.was_loaded("m", 99) is None
    assert [history.was_loaded("m", at_s) for at_s in (100, 130, 145, 160, 200)] == [False, True, True, True, True]
    assert history.was_loaded("m", 115) is None  # somebody else loaded it meanwhile
    assert history.was_loaded("other", 170) is False


def test_an_answer_shows_that_it_was_loaded_from_then_on(history: ModelHistory) -> None:
    loaded(history, 100)
    history.answered("m", 110)
    before, since = history.was_loaded("m", 105), history.was_loaded("m", 111)
    loaded(history, 130, "m")

    assert (before, since) == (False, True)
    assert (history.was_loaded("m", 105), history.was_loaded("m", 111)) == (False, True)


def test_it_expires(history: ModelHistory) -> None:
    loaded(history, 100, "m", expires_s=140)

    assert (history.was_loaded("m", 139), history.was_loaded("m", 141)) == (True, False)
    history.answered("m", 150)
    assert (history.was_loaded("m", 149), history.was_loaded("m", 151)) == (False, True)


def test_an_eviction_between_two_looks_is_not_guessed(history: ModelHistory) -> None:
    loaded(history, 100, "m")
    loaded(history, 130)

    assert (history.was_loaded("m", 110), history.was_loaded("m", 130)) == (None, False)


def test_old_looks_say_nothing_of_now(history: ModelHistory) -> None:
    loaded(history, 100, "m")

    assert (history.was_loaded("m", 189), history.was_loaded("m", 191)) == (True, None)
