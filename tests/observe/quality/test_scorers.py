"""Scorers of the user: found by name, guarded, switched off when they keep failing."""

import sys
import types

import pytest

from proxy.observe.guards import Guards
from proxy.observe.quality.answer import Answer
from proxy.observe.quality.answered import Answered
from proxy.observe.quality.scorers import Guarded, ScorerError, load_scorers, make_scorer
from proxy.observe.quality.signals import signals_of

_ANSWER = Answer(response="Please sit.")
_ANSWERED = Answered(answer=_ANSWER, signals=signals_of(_ANSWER))


class Polite:
    name = "polite"

    def score(self, answered):
        return float("please" in answered.response.lower())


class Broken:
    name = "broken"
    weight = 0.5

    def score(self, answered):
        raise ZeroDivisionError


class Wild:
    name = "wild"

    def score(self, answered):
        return float("nan")


class Nameless:
    def score(self, answered):
        return 1.0


class Heavy(Polite):
    weight = 3


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    module = types.ModuleType("my_scorers")
    for made in (Polite, Broken, Wild, Nameless, Heavy):
        setattr(module, made.__name__, made)
    monkeypatch.setitem(sys.modules, "my_scorers", module)


def test_a_scorer_is_found_by_module_and_class():
    (polite,) = load_scorers(["my_scorers:Polite"], Guards())

    assert (polite.name, polite.weight) == ("polite", 0.0)
    assert polite.score(_ANSWERED) == 1.0


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("nowhere_at_all:Polite", "ModuleNotFoundError"),
        ("my_scorers:Missing", "AttributeError"),
        ("my_scorers", "module:Class"),
        ("my_scorers:Nameless", "its name is None"),
        ("my_scorers:Heavy", "its weight is 3"),
    ],
)
def test_what_cannot_be_used_says_why(path, says):
    with pytest.raises(ScorerError, match=says):
        make_scorer(path)


def test_one_that_cannot_be_loaded_leaves_the_others():
    guards = Guards()

    found = load_scorers(["my_scorers:Missing", "my_scorers:Polite", "my_scorers:Polite"], guards, taken=["length"])

    assert [scorer.name for scorer in found] == ["polite"]
    assert guards.errors["scoring"] == 2  # the missing one, and the name that is there already


def test_names_of_our_own_parts_are_taken():
    assert load_scorers(["my_scorers:Polite"], Guards(), taken=["polite"]) == []


def test_a_scorer_that_fails_is_counted_and_after_twenty_switched_off():
    guards = Guards()
    broken = Guarded(Broken(), guards)

    for _ in range(30):
        assert broken.score(_ANSWERED) is None

    assert broken.off
    assert guards.errors["scoring"] == 20


def test_no_number_is_no_part():
    guards = Guards()

    assert Guarded(Wild(), guards).score(_ANSWERED) is None
    assert guards.errors["scoring"] == 1
