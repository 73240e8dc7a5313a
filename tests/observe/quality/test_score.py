"""The score: within bounds, falls with what is wrong, and its weights are those of the docs."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.observe.guards import Guards
from proxy.observe.quality.answer import Answer
from proxy.observe.quality.answered import Answered
from proxy.observe.quality.score import WEIGHTS, score
from proxy.observe.quality.scorers import Guarded
from proxy.observe.quality.signals import signals_of

_GOOD = """Sourdough bread needs **three things**: flour, water, and patience.

1. **Feed the starter** the evening before, with equal weights of flour and lukewarm water.
2. **Mix the dough** gently, cover it, and let it rest for an hour before adding the salt.
3. **Fold it** every thirty minutes, four times altogether, until the surface becomes smooth and elastic.

Afterwards, shape the loaf, leave it overnight in a refrigerator, and bake it in a covered pot at 240 degrees. The steam
keeps the crust soft while the interior expands; remove the lid for the final fifteen minutes, so that the colour
deepens."""


def _answered(text: str, **more: object) -> Answered:
    latency_s = more.pop("latency_s", None)
    answer = Answer(response=text, **more)  # type: ignore[arg-type]
    return Answered(answer=answer, signals=signals_of(answer), latency_s=latency_s)  # type: ignore[arg-type]


def test_weights_sum_to_one_and_stand_in_the_docs():
    assert sum(WEIGHTS.values()) == pytest.approx(1.0)

    rows = re.findall(r"^\| `(\w+)` \| ([\d.]+) \|", Path("docs/quality.md").read_text(), re.MULTILINE)

    assert {name: float(weight) for name, weight in rows} == WEIGHTS


def test_a_good_answer_scores_well_and_tells_its_parts():
    scored = score(_answered(_GOOD, latency_s=4.0, completion_tokens=200))

    assert scored.quality > 0.7
    assert set(scored.parts) == set(WEIGHTS)


def test_what_is_not_known_is_left_out():
    scored = score(_answered(_GOOD))

    assert "latency" not in scored.parts
    assert scored.quality > 0.7


@pytest.mark.parametrize(
    "worse",
    [
        "",
        "   ",
        "I'm sorry, I can't help with that.",
        _GOOD[:300] + " and then we fold it again" * 40,
        "Bake it in the oven.",
        "I like it. I do. I eat it. I am so. It is ok. I go on. " * 8,
    ],
)
def test_what_is_wrong_with_an_answer_lowers_its_score(worse):
    assert score(_answered(worse)).quality < score(_answered(_GOOD)).quality - 0.1


def test_nothing_said_is_worth_nothing():
    assert score(_answered("  \n")).quality == 0.0


def test_an_answer_that_only_calls_tools_has_no_score():
    assert score(_answered("", tool_calls=1)) is None
    assert score(_answered(_GOOD, tool_calls=1)) is not None


def test_a_cut_answer_is_less_complete():
    told = score(_answered(_GOOD, finish_reason="length")).parts["completeness"]

    assert told < score(_answered(_GOOD[:-30])).parts["completeness"] < score(_answered(_GOOD)).parts["completeness"]


@pytest.mark.parametrize(("text", "format_"), [('{"a": [1, 2]}', 1.0), ('{"a": [1, 2', 0.0), ("Here: {}", 0.0)])
def test_where_json_was_asked_for_format_is_whether_it_is_json(text, format_):
    assert score(_answered(text, response_format={"type": "json_object"})).parts["format"] == format_


def test_length_beyond_enough_earns_nothing():
    long, longer = ("many different things happen " * times for times in (150, 600))

    assert score(_answered(long)).parts["length"] == score(_answered(longer)).parts["length"] == 1.0


@given(st.text(max_size=300), st.sampled_from([None, "stop", "length"]), st.sampled_from([None, "json"]))
def test_any_answer_has_a_score_within_bounds(text, finish_reason, response_format):
    scored = score(_answered(text, finish_reason=finish_reason, response_format=response_format))

    assert 0.0 <= scored.quality <= 1.0
    assert all(0.0 <= part <= 1.0 for part in scored.parts.values())


class _Shouting:
    name = "calm"

    def __init__(self, weight: float) -> None:
        self.weight = weight

    def score(self, answered: Answered) -> float:
        return float("!" not in answered.response)


def test_a_users_scorer_is_shown_and_mixed_in_by_its_weight():
    plain = score(_answered(_GOOD + "!"))

    shown = score(_answered(_GOOD + "!"), [Guarded(_Shouting(0.0), Guards())])
    mixed = score(_answered(_GOOD + "!"), [Guarded(_Shouting(1.0), Guards())])

    assert shown.parts["calm"] == 0.0
    assert shown.quality == pytest.approx(plain.quality)
    assert mixed.quality == pytest.approx(plain.quality * (1 - WEIGHTS["latency"]) / (2 - WEIGHTS["latency"]))
