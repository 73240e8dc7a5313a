"""The clients that people use, against the stand-in."""

from __future__ import annotations

import asyncio
from typing import Any

import ollama
import openai
import pytest

from proxy.standin.server import StandIn

TEXT = "Hello there. The sky is blue today; <b>x & y</b> café 日本 🙂 done!"
HELLO: Any = [{"role": "user", "content": "hello"}]
TOOL: Any = {
    "type": "function",
    "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}


async def test_openai_async(stand_in: StandIn) -> None:
    async with openai.AsyncOpenAI(base_url=f"{stand_in.url}/v1", api_key="none", max_retries=0) as client:
        plain = await client.chat.completions.create(model="chat", messages=HELLO)
        stream = await client.chat.completions.create(
            model="chat", messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
        tools = await client.chat.completions.create(model="tools2", messages=HELLO, tools=[TOOL])
        vector = await client.embeddings.create(model="embed", input="a b c")
        legacy = await client.completions.create(model="chat", prompt="hello")
        models = [model.id async for model in client.models.list()]
        response = await client.responses.create(model="think", input="hello")
        events = [event.type async for event in await client.responses.create(model="chat", input="a", stream=True)]
        with pytest.raises(openai.NotFoundError) as missing:
            await client.chat.completions.create(model="nope", messages=HELLO)
        with pytest.raises(openai.RateLimitError):
            await client.chat.completions.create(
                model="chat", messages=HELLO, extra_headers={"x-stand-in": "fault=status:429"}
            )

    assert plain.choices[0].message.content == TEXT
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == TEXT
    assert plain.usage
    assert chunks[-1].usage
    assert plain.usage.total_tokens == chunks[-1].usage.total_tokens == 43
    calls = tools.choices[0].message.tool_calls or []
    assert [call.function.name for call in calls if call.type == "function"] == ["get_weather", "get_time"]
    assert len(vector.data[0].embedding) == 256
    assert legacy.choices[0].text == TEXT
    assert "stand-in:latest" in models
    assert response.output_text == "The answer is 42!"
    assert (events[0], events[-1]) == ("response.created", "response.completed")
    assert "model 'nope' not found" in str(missing.value)


async def test_openai_sync(stand_in: StandIn) -> None:
    def talk() -> tuple[str | None, str]:
        with openai.OpenAI(base_url=f"{stand_in.url}/v1", api_key="none") as client:
            plain = client.chat.completions.create(model="chat", messages=HELLO)
            stream = client.chat.completions.create(model="chat", messages=HELLO, stream=True)
            return plain.choices[0].message.content, "".join(chunk.choices[0].delta.content or "" for chunk in stream)

    assert await asyncio.to_thread(talk) == (TEXT, TEXT)


async def test_openai_breaking_off_is_noticed(stand_in: StandIn) -> None:
    async with openai.AsyncOpenAI(base_url=f"{stand_in.url}/v1", api_key="none") as client:
        stream = await client.chat.completions.create(model="slow", messages=HELLO, stream=True)
        async for _ in stream:
            break
        await stream.close()
        async with asyncio.timeout(30):
            while not stand_in.stats.cancelled:
                await asyncio.sleep(0.005)

    assert stand_in.stats.left[0].phase == "stream"


async def test_ollama_async(stand_in: StandIn) -> None:
    client = ollama.AsyncClient(host=stand_in.url)
    plain = await client.chat(model="think", messages=HELLO, think=True)
    pieces = [piece async for piece in await client.generate(model="chat", prompt="hello", stream=True)]
    tools = await client.chat(model="tools", messages=HELLO, tools=[TOOL])
    vectors = await client.embed(model="embed", input=["a", "b c"])
    listed = await client.list()
    running = await client.ps()
    shown = await client.show("think")
    pulled = [step.status async for step in await client.pull("chat", stream=True)]
    with pytest.raises(ollama.ResponseError, match="not found"):
        await client.chat(model="nope", messages=HELLO)
    await client._client.aclose()

    assert (plain.message.thinking, plain.message.content) == ("Let me think about it.", "The answer is 42!")
    assert "".join(piece.response or "" for piece in pieces) == TEXT
    assert (pieces[-1].prompt_eval_count, pieces[-1].eval_count, pieces[-1].done_reason) == (23, 20, "stop")
    assert [call.function.arguments for call in tools.message.tool_calls or []] == [{"city": "Paris", "days": 3}]
    assert len(vectors.embeddings) == 2
    assert "chat:latest" in [model.model for model in listed.models]
    assert {"chat:latest", "think:latest", "tools:latest", "embed:latest"} == {model.model for model in running.models}
    assert shown.capabilities == ["completion", "thinking"]
    assert pulled[-1] == "success"
