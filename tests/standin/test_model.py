"""What models say: the same to the same, in tokens that join to the text."""

from __future__ import annotations

import itertools
import json
import re

import pytest

from proxy.standin import model, personality
from proxy.standin.server import StandIn

from .peer import ask, body_of, chat, post


def test_tokens_join_to_the_text() -> None:
    text = "Hello there.\n\n- **one**: two (three)?\nÉté, 日本 🙂!"

    assert text == "".join(model.words(text))


@pytest.mark.parametrize("each", model.ALL, ids=lambda each: each.name)
def test_a_prompt_has_one_answer(each: model.Model) -> None:
    assert list(itertools.islice(each.tokens("a"), 100)) == list(itertools.islice(each.tokens("a"), 100))


async def test_the_stand_in_says_what_it_is(stand_in: StandIn) -> None:
    said = body_of(await ask(stand_in, chat("stand-in")))

    assert b"not a language model" in said


async def test_other_prompts_have_other_answers_and_the_same_the_same(stand_in: StandIn) -> None:
    def said(answer: bytes) -> str:
        text: str = json.loads(body_of(answer))["choices"][0]["message"]["content"]
        return text

    asked = [post("/v1/chat/completions", {"model": "llama3.2", "messages": [{"role": "user", "content": text}]})
             for text in ("one", "two", "one")]  # fmt: skip
    one, two, again = [said(await ask(stand_in, request)) for request in asked]

    assert one == again
    assert one != two
    assert "stand-in" in one


async def test_a_tool_is_called_with_arguments_that_fit_and_its_result_is_answered(stand_in: StandIn) -> None:
    properties = {"city": {"type": "string"}, "unit": {"enum": ["C", "F"]}, "days": {"type": "integer"}}
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"properties": properties}}}
    first = json.loads(body_of(await ask(stand_in, chat("llama3.2", tools=[tool]))))["choices"][0]
    messages = [{"role": "user", "content": "hello"}, first["message"], {"role": "tool", "content": "rain"}]
    second = json.loads(body_of(await ask(stand_in, chat("llama3.2", tools=[tool], messages=messages))))["choices"][0]

    call = first["message"]["tool_calls"][0]["function"]
    assert (first["finish_reason"], second["finish_reason"]) == ("tool_calls", "stop")
    assert json.loads(call["arguments"]) == {"city": "Paris", "unit": "C", "days": 3}
    assert call["name"] == "weather"


@pytest.mark.parametrize("name", personality.NAMES)
async def test_a_personality_speaks_by_the_prompt(stand_in: StandIn, name: str) -> None:
    said = {personality.speak(name, f"question {number}", None) for number in range(20)}
    answer = await ask(stand_in, chat(stand_in=f"personality={name}"))

    assert len(said) > 8 or name == "silent"
    assert answer.startswith(b"HTTP/1.1 200 ")


async def test_the_length_may_be_told(stand_in: StandIn) -> None:
    for tokens in (1, 5, 50):
        streamed = await ask(stand_in, chat(stand_in=f"tokens={tokens}", stream=True))

        assert tokens == len(re.findall(rb'"content":', streamed))
        assert b'"finish_reason":"stop"' in streamed


async def test_a_stop_text_ends_the_answer_before_itself(stand_in: StandIn) -> None:
    said = json.loads(body_of(await ask(stand_in, chat(stop=[" is blue", "nothing"]))))["choices"][0]

    assert (said["message"]["content"], said["finish_reason"]) == ("Hello there. The sky", "stop")
