"""What the ledger says of calls to a real LiteLLM is what LiteLLM says of them, whichever SDK asks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any

import anthropic
import httpx
import ollama
import openai
import pytest

from tests.litellm_proxy.chain import KEY, Chain, Row

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ID = "x-litellm-call-id"
MESSAGES: Any = [{"role": "user", "content": "hello"}]
TOOLS: Any = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}}
    for name in ("get_weather", "get_time")
]
USAGE: Any = {"include_usage": True}


@pytest.fixture
def client(chain: Chain) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{chain.front.url}/v1", api_key=KEY, max_retries=0) as client:
        yield client


def told_nanousd(answer: Any) -> int:
    """LiteLLM's own figure in the head of a plain answer."""
    return round(Decimal(answer.headers["x-litellm-response-cost"]) * 10**9)


def cost(row: Row) -> tuple[int | None, str, str | None]:
    return row["cost_nanousd"], row["cost_source"], row["cost_origin"]


def tokens(row: Row) -> tuple[int | None, int | None, str]:
    return row["prompt_tokens"], row["completion_tokens"], row["tokens_source"]


@pytest.mark.parametrize("model", ["chat", "v1-chat", "think", "v1-think"])
def test_a_plain_answer(chain: Chain, client: openai.OpenAI, model: str) -> None:
    raw = client.chat.completions.with_raw_response.create(model=model, messages=MESSAGES)
    usage = raw.parse().usage
    assert usage is not None

    row = chain.row(raw.headers[ID])

    assert tokens(row) == (usage.prompt_tokens, usage.completion_tokens, "reported")
    assert cost(row) == (told_nanousd(raw), "exact", "litellm")
    assert row["litellm_model_group"] == raw.headers["x-litellm-model-group"] == model
    assert row["litellm_model"] == raw.headers["x-litellm-model-name"]
    assert row["litellm_model_id"] == raw.headers["x-litellm-model-id"]
    assert row["litellm_api_base"] == raw.headers["x-litellm-model-api-base"]
    assert (row["litellm_retries"], row["litellm_fallbacks"]) == (0, 0)
    assert row["litellm_overhead_s"] == pytest.approx(float(raw.headers["x-litellm-overhead-duration-ms"]) / 1000)


@pytest.mark.parametrize("model", ["chat", "v1-chat", "think", "v1-think"])
@pytest.mark.parametrize("asked", [True, False])
def test_a_stream(chain: Chain, client: openai.OpenAI, model: str, asked: bool) -> None:
    """Also one whose client did not ask for usage: then the client sees none, and the ledger has it."""
    more: dict[str, Any] = {"stream_options": USAGE} if asked else {}
    raw = client.chat.completions.with_raw_response.create(model=model, messages=MESSAGES, stream=True, **more)
    usages = [chunk.usage for chunk in raw.parse() if chunk.usage is not None]

    row = chain.row(raw.headers[ID])

    plain = client.chat.completions.with_raw_response.create(model=model, messages=MESSAGES)
    known = plain.parse().usage
    assert known is not None
    assert len(usages) == int(asked)
    assert tokens(row) == (known.prompt_tokens, known.completion_tokens, "reported")
    assert cost(row) == (told_nanousd(plain), "exact", "litellm")
    if asked:
        usage: Any = usages[0]
        assert (usage.prompt_tokens, usage.completion_tokens) == tokens(row)[:2]
        assert round(Decimal(repr(usage.cost)) * 10**9) == row["cost_nanousd"]
    assert "x-litellm-response-cost" not in raw.headers
    assert row["litellm_model"] == raw.headers["x-litellm-model-name"]


@pytest.mark.parametrize("model", ["tools", "tools2", "v1-tools2"])
@pytest.mark.parametrize("stream", [True, False])
def test_tools(chain: Chain, client: openai.OpenAI, model: str, stream: bool) -> None:
    raw = client.chat.completions.with_raw_response.create(model=model, messages=MESSAGES, tools=TOOLS, stream=stream)
    answer: Any = raw.parse()
    if stream:
        ids = {
            call.id for chunk in answer for choice in chunk.choices for call in choice.delta.tool_calls or [] if call.id
        }
        calls = len(ids)
    else:
        calls = len(answer.choices[0].message.tool_calls)

    row = chain.row(raw.headers[ID])

    assert row["tool_calls"] == calls == (1 if model == "tools" else 2)
    assert row["tokens_source"] == "reported"
    assert row["cost_origin"] == "litellm"
    assert row["cost_nanousd"] == 1000 * row["prompt_tokens"] + 2000 * row["completion_tokens"]


def test_embeddings(chain: Chain, client: openai.OpenAI) -> None:
    raw = client.embeddings.with_raw_response.create(model="embed", input="a b c", encoding_format="float")
    usage = raw.parse().usage

    row = chain.row(raw.headers[ID])

    assert row["prompt_tokens"] == usage.prompt_tokens
    assert cost(row) == (told_nanousd(raw), "exact", "litellm")


def test_completions(chain: Chain, client: openai.OpenAI) -> None:
    raw = client.completions.with_raw_response.create(model="v1-chat", prompt="hello")
    usage = raw.parse().usage
    streamed = client.completions.with_raw_response.create(model="v1-chat", prompt="hello", stream=True)
    for _ in streamed.parse():
        pass
    assert usage is not None

    for row in (chain.row(raw.headers[ID]), chain.row(streamed.headers[ID])):
        assert tokens(row) == (usage.prompt_tokens, usage.completion_tokens, "reported")
        assert cost(row) == (told_nanousd(raw), "exact", "litellm")


@pytest.mark.parametrize("stream", [True, False])
def test_responses(chain: Chain, client: openai.OpenAI, stream: bool) -> None:
    raw = client.responses.with_raw_response.create(model="chat", input="hello", stream=stream)
    answer: Any = raw.parse()
    if stream:
        (answer,) = [event.response for event in answer if event.type == "response.completed"]

    row = chain.row(raw.headers[ID])

    assert tokens(row) == (answer.usage.input_tokens, answer.usage.output_tokens, "reported")
    assert cost(row) == (row["prompt_tokens"] * 1000 + row["completion_tokens"] * 2000, "exact", "litellm")


@pytest.mark.parametrize("stream", [True, False])
def test_messages(chain: Chain, stream: bool) -> None:
    with anthropic.Anthropic(base_url=chain.front.url, api_key=KEY, max_retries=0) as client:
        raw: Any = client.messages.with_raw_response.create(
            model="chat", messages=MESSAGES, max_tokens=100, stream=stream
        )
        answer = raw.parse()
        if stream:
            (answer,) = [event for event in answer if event.type == "message_delta"]
        usage = answer.usage

    row = chain.row(raw.headers[ID])

    assert tokens(row) == (usage.input_tokens, usage.output_tokens, "reported")
    assert cost(row) == (63_000, "exact", "litellm")
    if not stream:
        assert told_nanousd(raw) == 63_000


@pytest.mark.parametrize(("model", "status"), [("missing", 404), ("not-in-the-config", 400)])
def test_an_error_has_no_cost_though_its_head_says_0(chain: Chain, model: str, status: int) -> None:
    body = {"model": model, "messages": MESSAGES}
    answer = httpx.post(f"{chain.front.url}/v1/chat/completions", json=body, headers={"Authorization": f"Bearer {KEY}"})

    row = chain.row(answer.headers[ID])

    assert (answer.status_code, answer.headers["x-litellm-response-cost"]) == (status, "0")
    assert (row["status"], row["outcome"]) == (status, "rejected")
    assert cost(row) == (None, "unknown", None)


@pytest.mark.parametrize("stream", [True, False])
def test_a_local_model_without_a_price_is_not_priced_by_its_alias(
    chain: Chain, client: openai.OpenAI, stream: bool
) -> None:
    """LiteLLM's `gpt-4o` of the test is an Ollama."""
    raw = client.chat.completions.with_raw_response.create(model="gpt-4o", messages=MESSAGES, stream=stream)
    answer: Any = raw.parse()
    if stream:
        list(answer)

    row = chain.row(raw.headers[ID])

    assert tokens(row) == (23, 20, "reported")
    assert cost(row) == (None, "unknown", None)


@pytest.mark.parametrize("stream", [True, False])
def test_a_fallback_is_told(chain: Chain, client: openai.OpenAI, stream: bool) -> None:
    raw = client.chat.completions.with_raw_response.create(model="down", messages=MESSAGES, stream=stream)
    answer: Any = raw.parse()
    if stream:
        list(answer)

    row = chain.row(raw.headers[ID])

    assert (row["model"], row["litellm_model_group"], row["litellm_fallbacks"]) == ("down", "v1-chat", 1)
    assert cost(row) == (63_000, "exact", "litellm")


def test_the_ollama_sdk_is_refused_by_litellm_and_served_behind_it(chain: Chain) -> None:
    """LiteLLM does not speak Ollama's dialect; its refusal is passed on and recorded as one."""
    front = ollama.Client(host=chain.front.url, headers={"Authorization": f"Bearer {KEY}"})
    behind = ollama.Client(host=chain.behind.url)
    with closing(front._client), closing(behind._client):
        with pytest.raises(ollama.ResponseError) as refused:
            front.chat("chat", MESSAGES)
        answer = behind.chat("chat", MESSAGES)

    rows = [chain.first(product, lambda row: row["user_agent"].startswith("ollama-python")) for product in chain.both]
    assert refused.value.status_code == 404
    assert [(row["route"], row["outcome"], row["status"]) for row in rows] == [
        ("/api/chat", "rejected", 404),
        ("/api/chat", "ok", 200),
    ]
    assert tokens(rows[1]) == (answer.prompt_eval_count, answer.eval_count, "reported")
