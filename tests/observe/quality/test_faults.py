"""Hard faults: each is seen where it is, and not in plain answers."""

from __future__ import annotations

import time

import pytest

from proxy.observe.quality.answer import Answer
from proxy.observe.quality.faults import BITS, NAMES, bits_of, named
from proxy.observe.quality.signals import NAMES as SIGNALS
from proxy.observe.quality.signals import signals_of

PROMPT = "How do bees make honey, and why do they need so much of it during the winter months?"
PLAIN = (
    "Bees make honey from the nectar of flowers. They carry it to the hive, where other bees pass it from mouth to"
    " mouth until most of the water is gone. In the winter they live on what they stored during the summer months."
)
JSON = {"type": "json_object"}


def faults(response: str, prompt: str = PROMPT, **told: object) -> set[str]:
    return set(signals_of(Answer(response=response, prompt=prompt, **told)).faults)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("response", "fault"),
    [
        ("", "empty"),
        (" \n\t ", "empty"),
        ("...", "empty"),
        ("I'm sorry, but I can't help with bees.", "refusal"),
        ("As an AI language model, I do not have opinions on bees.", "refusal"),
        (PLAIN + " and so the hive lives on" * 30, "loop"),
        (PLAIN + "<|im_end|>", "leak"),
        (PLAIN + ' <tool_call>{"name": "honey"}</tool_call>', "leak"),
        ("[INST] bees [/INST] " + PLAIN, "leak"),
        (PLAIN.replace("make", "donâ€™t make"), "mojibake"),
        (PLAIN.replace("nectar", "n\ufffdctar"), "mojibake"),
        ("Les abeilles font du miel avec le nectar des fleurs, et elles en ont besoin dans la ruche.", "language"),
        ("Пчёлы делают мёд из нектара цветов и живут им зимой, когда цветов нет совсем.", "language"),
        (PLAIN[:-20], "unended"),
        ("The weather will stay fine over the coming days, with some clouds in the north.", "off_prompt"),
    ],
)  # fmt: skip
def test_a_fault_is_seen(response: str, fault: str) -> None:
    assert fault in faults(response)


def test_a_plain_answer_has_no_fault() -> None:
    assert faults(PLAIN) == set()


def test_an_answer_in_the_language_of_the_prompt_is_no_fault() -> None:
    prompt = "Comment est-ce que les abeilles font le miel, et pourquoi est-ce qu'elles en ont besoin dans la ruche ?"

    assert "language" not in faults("Les abeilles font du miel avec le nectar des fleurs pour la ruche.", prompt)


@pytest.mark.parametrize("broken", ['{"a": 1', "```json\n{}\n```", "{'a': 1}", "42", "plain words"])
def test_what_is_no_json_object_where_one_was_asked_for_is_a_fault(broken: str) -> None:
    assert "json" in faults(broken, response_format=JSON)
    assert "json" not in faults(broken)


def test_json_as_asked_is_none() -> None:
    assert faults('{"bees": "honey"}', response_format=JSON) == set()


def test_what_the_wire_tells_is_a_fault() -> None:
    assert "truncated" in faults(PLAIN, finish_reason="length")
    assert "tools" in faults("", tool_calls=1, tool_calls_invalid=1)


def test_an_answer_that_only_calls_tools_is_not_empty() -> None:
    assert faults("", tool_calls=2) == set()


def test_a_table_is_no_loop() -> None:
    table = "\n".join(f"| hive {number} | {number * 7} kg | good bees |" for number in range(60))

    assert "loop" not in faults(table)


def test_bits_keep_names() -> None:
    assert all(named(bits_of(frozenset({name}))) == {name} for name in NAMES)
    assert len(set(BITS.values())) == len(NAMES)


@pytest.mark.parametrize(
    "odd",
    [
        "\ud800" * 5000,
        "\x00\x01\x02" * 10_000,
        " " * 100_000,
        "a" * 10_000_000,
        "ab " * 3_000_000,
        "<" * 500_000,
        "[" * 500_000,
        "Ã" * 500_000,
        '{"a":' * 100_000,
        "\n" * 200_000,
        "i can " * 100_000,
        "١٢٣" * 100_000,
    ],
    ids=lambda text: f"{text[:3]!r}x{len(text)}",
)
def test_odd_answers_harm_nothing(odd: str) -> None:
    begun = time.thread_time()

    signals = signals_of(Answer(response=odd, prompt=odd, response_format=JSON, completion_tokens=5, prompt_tokens=5))

    assert signals.features.shape == (len(SIGNALS),)
    assert time.thread_time() - begun < 30  # a bound against running away, not a measure


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, that is beyond me", "I am afraid that this is not possible", "Sorry but no", "My apologies, friend",
        "I apologize for the trouble", "I can’t do that", "I won't go there", "I must decline", "I will not say",
        "I don’t feel comfortable with it", "As an AI, one has no view", "As a language model one has no view",
        "As a responsible assistant", "I'm just an artificial mind", "I do not have access to it",
        "I don't have the ability to see", "It is inappropriate to discuss that", "Unable to comply with it",
        "I'm not allowed to", "That cannot be answered here",
    ],
)  # fmt: skip
def test_refusals_pass_the_quick_look(text: str) -> None:
    answer = Answer(response=text + " and so on, as anybody would see in the end.", prompt="Tell me of it.")
    assert "refusal" in signals_of(answer).faults


@pytest.mark.parametrize("character", ["G", "!", "@", "\u4e00", "("])
def test_the_same_character_without_end_is_a_loop_and_not_empty(character: str) -> None:
    for text in (character * 4000, "It begins well. " + character * 4000 + "\n"):
        assert "loop" in faults(text)
        assert "empty" not in faults(text)
    assert "loop" not in faults("A line:\n" + "-" * 80)
