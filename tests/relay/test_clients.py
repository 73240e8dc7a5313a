"""The clients that people use, through the relay."""

from __future__ import annotations

import asyncio
from typing import Any

import ollama
import openai
import pytest

from proxy.standin.server import StandIn

from .conftest import MakeRelay
from .rig import Rig

TEXT = "Hello there. The sky is blue today; <b>x & y</b> café 日本 🙂 done!"
HELLO: Any = [{"role": "user", "content": "hello"}]
TOOL: Any = {
    "type": "function",
    "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}


async def test_openai_async(relay: Rig) -> None:
    base_url = f"http://127.0.0.1:{relay.port}/v1"
    async with openai.AsyncOpenAI(base_url=base_url, api_key="none", max_retries=0) as client:
        plain = await client.chat.completions.create(model="chat", messages=HELLO)
        stream = await client.chat.completions.create(model="chat", messages=HELLO, stream=True)
        unasked = [chunk async for chunk in stream]
        stream = await client.chat.completions.create(
            model="chat", messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
        asked = [chunk async for chunk in stream]
        tools = await client.chat.completions.create(model="tools2", messages=HELLO, tools=[TOOL])
        vector = await client.embeddings.create(model="embed", input="a b c")
        legacy = await client.completions.create(model="chat", prompt="hello", stream=True)
        texts = [chunk async for chunk in legacy]
        response = await client.responses.create(model="think", input="hello")
        with pytest.raises(openai.NotFoundError) as missing:
            await client.chat.completions.create(model="nope", messages=HELLO)
    exchanges = await relay.ended(8)

    assert plain.choices[0].message.content == TEXT
    assert plain._request_id == exchanges[0].finished.request_id
    assert "".join(chunk.choices[0].delta.content or "" for chunk in unasked) == TEXT
    assert all(chunk.usage is None and chunk.choices for chunk in unasked)
    assert asked[-1].usage
    assert asked[-1].usage.total_tokens == 43
    assert len(tools.choices[0].message.tool_calls or []) == 2
    assert len(vector.data[0].embedding) == 256
    assert "".join(chunk.choices[0].text for chunk in texts) == TEXT
    assert response.output_text == "The answer is 42!"
    assert "model 'nope' not found" in str(missing.value)
    # The SDK closes right behind [DONE], perhaps before the end of the body has come.
    endings = {exchange.finished.ending for exchange in exchanges if not exchange.answer_body.endswith(b"[DONE]\n\n")}
    assert endings == {"complete"}
    assert [e.finished.injected for e in exchanges] == [False, True, False, False, False, True, False, False]
    assert [e.finished.model for e in exchanges] == ["chat", "chat", "chat", "tools2", "embed", "chat", "think", "nope"]


async def test_openai_sync(relay: Rig) -> None:
    def talk() -> tuple[str | None, str]:
        with openai.OpenAI(base_url=f"http://127.0.0.1:{relay.port}/v1", api_key="none") as client:
            plain = client.chat.completions.create(model="chat", messages=HELLO)
            stream = client.chat.completions.create(model="chat", messages=HELLO, stream=True)
            return plain.choices[0].message.content, "".join(chunk.choices[0].delta.content or "" for chunk in stream)

    assert await asyncio.to_thread(talk) == (TEXT, TEXT)
    await relay.ended(2)


async def test_openai_breaking_off(stand_in: StandIn, relay: Rig) -> None:
    async with openai.AsyncOpenAI(base_url=f"http://127.0.0.1:{relay.port}/v1", api_key="none") as client:
        stream = await client.chat.completions.create(model="slow", messages=HELLO, stream=True)
        async for _ in stream:
            break
        await stream.close()
        await relay.until(lambda: stand_in.stats.cancelled == 1)

    assert (await relay.last()).finished.ending == "client_left"


async def test_openai_reads_our_errors(make_relay: MakeRelay) -> None:
    rig = await make_relay(1)
    async with openai.AsyncOpenAI(base_url=f"http://127.0.0.1:{rig.port}/v1", api_key="none", max_retries=0) as client:
        with pytest.raises(openai.InternalServerError) as failed:
            await client.chat.completions.create(model="chat", messages=HELLO)

    assert (failed.value.status_code, failed.value.code) == (502, "upstream_connect_failed")
    assert failed.value.request_id == (await rig.last()).finished.request_id


async def test_openai_sees_a_broken_stream_as_broken(relay: Rig) -> None:
    async with openai.AsyncOpenAI(base_url=f"http://127.0.0.1:{relay.port}/v1", api_key="none") as client:
        stream = await client.chat.completions.create(
            model="slow", messages=HELLO, stream=True, extra_headers={"x-stand-in": "fault=close-mid-stream"}
        )
        with pytest.raises(Exception, match=r"incomplete|peer closed|onnection"):
            async for _ in stream:
                pass


async def test_ollama(relay: Rig) -> None:
    client = ollama.AsyncClient(host=f"http://127.0.0.1:{relay.port}")
    plain = await client.chat(model="chat", messages=HELLO)
    stream = await client.chat(model="chat", messages=HELLO, stream=True)
    parts = [part.message.content or "" async for part in stream]
    said = await client.generate(model="chat", prompt="hello")
    vector = await client.embed(model="embed", input="a b c")
    listed = await client.list()
    with pytest.raises(ollama.ResponseError, match="not found"):
        await client.chat(model="nope", messages=HELLO)
    await client._client.aclose()

    assert plain.message.content == TEXT == "".join(parts) == said.response
    assert len(vector.embeddings[0]) == 256
    assert listed.models
    await relay.ended(6)
