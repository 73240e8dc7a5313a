"""Conversations with the stand-in model as SDKs hold them, in each dialect; each call goes into a journal as a relay's.

The bytes are the real ones of both sides; what the client sends back is made of the bytes that came.
"""

from __future__ import annotations

import itertools
import time
from typing import Any

import aiohttp
import orjson

from proxy.standin.server import StandIn
from tests.observe.journals import FakeRelay

Json = dict[str, Any]
WEATHER: Json = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
ZONE: Json = {"type": "object", "properties": {"zone": {"type": "string"}}}


class Talk:
    """One client's messages in one dialect. Subclasses know the dialect."""

    path = "/v1/chat/completions"
    field = "messages"  # of the request
    _ids = itertools.count(1)

    def __init__(self, stand_in: StandIn, relay: FakeRelay, *, model: str = "chat", stream: bool = False) -> None:
        self._url = stand_in.url
        self._relay = relay
        self.body: Json = {"model": model, "stream": stream}
        self.stream = stream
        self.messages: list[Json] = []
        self.calls: list[str] = []

    async def say(self, text: str) -> str:
        """A turn of the user. Gives the call's id."""
        self.messages.append(self.user(text))
        return await self.ask()

    async def ask(self) -> str:
        """One call with the messages so far; the answer is put behind them."""
        call_id = f"{next(self._ids):032x}"
        request = orjson.dumps({**self.body, self.field: self.messages})
        began_ns = time.time_ns()
        async with aiohttp.ClientSession() as session, session.post(self._url + self.path, data=request) as answer:
            data = await answer.read()
            assert answer.status == 200, data
            content_type = answer.headers["Content-Type"]
        self._relay.start(call_id)
        self._relay.finish(
            call_id,
            request=request,
            answer=data,
            head=f"Content-Type: {content_type}\r\n".encode(),
            target=self.path,
            started_unix_ns=began_ns,
            duration_s=(time.time_ns() - began_ns) / 1e9,
        )
        self.calls.append(call_id)
        self.messages += self.heard(data)
        return call_id

    async def bring(self, *results: str) -> str:
        """The results of the tools that the last answer called."""
        self.messages += self.results(list(results))
        return await self.ask()

    # -- the dialect's part ----------------------------------------------------------------------------------

    def offer(self) -> None:
        """Offer two tools."""
        self.body["tools"] = [
            {"type": "function", "function": {"name": name, "parameters": schema}}
            for name, schema in (("get_weather", WEATHER), ("get_time", ZONE))
        ]

    def user(self, text: str) -> Json:
        return {"role": "user", "content": text}

    def heard(self, data: bytes) -> list[Json]:
        """The answer as the client sends it back."""
        if not self.stream:
            message = orjson.loads(data)["choices"][0]["message"]
            return [{**message, "content": message["content"] or None, "refusal": None}]
        text, calls = "", []
        for event in events(data):
            for choice in event["choices"]:
                text += choice["delta"].get("content") or ""
                calls += choice["delta"].get("tool_calls", [])
        calls = [{key: call[key] for key in ("id", "type", "function")} for call in calls]
        return [{"role": "assistant", "content": text or None, **({"tool_calls": calls} if calls else {})}]

    def results(self, texts: list[str]) -> list[Json]:
        calls = self.messages[-1]["tool_calls"]
        pairs = zip(calls, texts, strict=True)
        return [{"role": "tool", "tool_call_id": call["id"], "content": text} for call, text in pairs]


class Messages(Talk):
    """Anthropic's."""

    path = "/v1/messages"

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.body |= {"max_tokens": 500, "system": "Be brief."}

    def offer(self) -> None:
        tools = (("get_weather", WEATHER), ("get_time", ZONE))
        self.body["tools"] = [{"name": name, "input_schema": schema} for name, schema in tools]

    def heard(self, data: bytes) -> list[Json]:
        if not self.stream:
            return [{"role": "assistant", "content": orjson.loads(data)["content"]}]
        blocks: list[Json] = []
        for event in events(data):
            if event["type"] == "content_block_start":
                blocks.append(event["content_block"])
            elif event["type"] == "content_block_delta":
                delta = event["delta"]
                for key in ("text", "thinking"):
                    if key in delta:
                        blocks[-1][key] += delta[key]
                if "partial_json" in delta:
                    blocks[-1]["input"] = orjson.loads(delta["partial_json"])
        return [{"role": "assistant", "content": blocks}]

    def results(self, texts: list[str]) -> list[Json]:
        uses = [block for block in self.messages[-1]["content"] if block["type"] == "tool_use"]
        pairs = zip(uses, texts, strict=True)
        content = [{"type": "tool_result", "tool_use_id": use["id"], "content": text} for use, text in pairs]
        return [{"role": "user", "content": content}]


class Native(Talk):
    """Ollama's own. Its client sends the arguments back as an object; the old one knows no ids."""

    path = "/api/chat"

    def heard(self, data: bytes) -> list[Json]:
        text, calls = "", []
        for line in data.splitlines():
            message = orjson.loads(line)["message"]
            text += message["content"]
            calls += message.get("tool_calls", [])
        calls = [{"function": {key: call["function"][key] for key in ("name", "arguments")}} for call in calls]
        return [{"role": "assistant", "content": text, **({"tool_calls": calls} if calls else {})}]

    def results(self, texts: list[str]) -> list[Json]:
        pairs = zip(self.messages[-1]["tool_calls"], texts, strict=True)
        return [{"role": "tool", "tool_name": call["function"]["name"], "content": text} for call, text in pairs]


class Responses(Talk):
    """OpenAI's newer dialect, its items sent back."""

    path = "/v1/responses"
    field = "input"

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.response_ids: list[str] = []

    def offer(self) -> None:
        tools = (("get_weather", WEATHER), ("get_time", ZONE))
        self.body["tools"] = [{"type": "function", "name": name, "parameters": schema} for name, schema in tools]

    def heard(self, data: bytes) -> list[Json]:
        response = orjson.loads(data) if not self.stream else events(data)[-1]["response"]
        self.response_ids.append(response["id"])
        return list(response["output"])

    def results(self, texts: list[str]) -> list[Json]:
        calls = [item for item in self.messages if item.get("type") == "function_call"][-len(texts) :]
        pairs = zip(calls, texts, strict=True)
        return [{"type": "function_call_output", "call_id": call["call_id"], "output": text} for call, text in pairs]


def events(data: bytes) -> list[Json]:
    """The events of a stream."""
    return [orjson.loads(line[6:]) for line in data.splitlines() if line.startswith(b"data: {")]
