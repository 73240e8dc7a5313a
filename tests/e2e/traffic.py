"""Mixed traffic: every dialect, streams and plain answers, tools, faults, wrong requests, clients that leave."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import aiohttp

TRACE: Final = "0af7651916cd43dd8448eb211c80319c"
_HELLO: Final = [{"role": "user", "content": "Hello, how are you today?"}]
_TOOL: Final = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
_CHAT, _NATIVE, _EMBED = "/v1/chat/completions", "/api/chat", "/v1/embeddings"

# Path, body, what the stand-in shall do (its header), whether the client leaves after the first bytes.
_CALLS: Final[tuple[tuple[str, dict[str, Any], str, bool], ...]] = (
    (_CHAT, {"model": "llama3.2", "messages": _HELLO}, "token_s=0.001", False),
    (_CHAT, {"model": "llama3.2", "messages": _HELLO, "stream": True}, "token_s=0.001", False),
    (_CHAT, {"model": "think", "messages": _HELLO, "stream": True}, "token_s=0.001", False),
    (_NATIVE, {"model": "llama3.2:1b", "messages": _HELLO}, "token_s=0.001", False),
    (_EMBED, {"model": "embed", "input": "a text"}, "", False),
    (_CHAT, {"model": "llama3.2", "messages": _HELLO, "tools": [_TOOL]}, "token_s=0.001", False),
    (_CHAT, {"model": "llama3.2", "messages": _HELLO}, "fault=status:500", False),
    (_CHAT, {"model": "llama3.2", "messages": _HELLO, "stream": True}, "fault=close-mid-stream", False),
    (_CHAT, {"model": "llama3.2", "messages": _HELLO, "stream": True}, "fault=clean-end-mid-stream", False),
    (_CHAT, {"model": "no-such-model", "messages": _HELLO}, "", False),
    (_CHAT, {"model": "slow", "messages": _HELLO, "stream": True}, "", True),
)


async def mixed_traffic(url: str, calls: int, *, at_once: int = 16) -> None:
    """So many calls, of each kind about as many; gives nothing, as ledger and metrics tell what they came to."""
    gate = asyncio.Semaphore(at_once)
    async with aiohttp.ClientSession(url) as session:
        await asyncio.gather(*(_call(session, gate, *_CALLS[number % len(_CALLS)]) for number in range(calls)))


async def tool_round(url: str, *, result: str) -> None:
    """A call that asks for a tool, and the one that brings its result: two calls."""
    body: dict[str, Any] = {"model": "llama3.2", "messages": _HELLO, "tools": [_TOOL]}
    async with aiohttp.ClientSession(url) as session:
        async with session.post(_CHAT, json=body) as answer:
            message = (await answer.json())["choices"][0]["message"]
        said = {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": result}
        async with session.post(_CHAT, json={**body, "messages": [*_HELLO, message, said]}) as answer:
            await answer.read()


async def _call(
    session: aiohttp.ClientSession, gate: asyncio.Semaphore, path: str, body: dict[str, Any], wish: str, leaves: bool
) -> None:
    headers = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"} | ({"x-stand-in": wish} if wish else {})
    async with gate:
        try:
            async with session.post(path, json=body, headers=headers) as answer:
                if leaves:
                    await answer.content.readany()
                    answer.close()
                else:
                    await answer.read()
        except aiohttp.ClientError:
            return  # a fault that was asked for
