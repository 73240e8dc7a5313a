"""What is asked of a judge, and how its reply is read."""

import pytest

from proxy.core.call import CallRecord
from proxy.observe.quality.judging import PROMPT, Wanted, points_of, request_of


def _wanted(prompt: str, response: str) -> Wanted:
    record = CallRecord(
        call_id="c", request_id="r", started_unix_ns=1, route="/v1/chat/completions", dialect="openai_chat",
        method="POST", outcome="ok",
    )  # fmt: skip
    return Wanted(record=record, prompt=prompt, response=response)


@pytest.mark.parametrize(
    ("reply", "grade"),
    [
        ("7", 0.7),
        ("10", 1.0),
        ("0", 0.0),
        ("Grade: 8/10", 0.8),
        ("**6.5**", 0.65),
        ("<think>I would say 3, or 4.</think>\n9", 0.9),
        ("The year 1969 is right. 8", 0.8),
        ("<think>for ever 3", None),
        ("very good", None),
        ("42", None),
        ("", None),
    ],
)
def test_the_grade_is_the_first_number_from_0_to_10(reply, grade):
    assert points_of(reply) == grade


def test_the_judge_gets_both_texts_and_braces_stay_as_they_are():
    request = request_of(_wanted("What is {x}?", "It is {response}, {prompt}."), "judge", PROMPT)

    content = request["messages"][0]["content"]
    assert "<question>\nWhat is {x}?\n</question>" in content
    assert "<answer>\nIt is {response}, {prompt}.\n</answer>" in content
    assert request["model"] == "judge"


def test_long_texts_are_cut_in_the_middle():
    content = request_of(_wanted("a" * 50_000, "b" * 50_000), "judge", "{prompt}{response}")["messages"][0]["content"]

    assert len(content) < 13_000
    assert "[…]" in content


def test_half_a_character_does_not_stop_the_judge():
    request_of(_wanted("\ud800", "\udfff"), "judge", PROMPT)["messages"][0]["content"].encode()
