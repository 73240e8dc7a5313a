"""A LiteLLM's clients receive through Sightglass what they receive without it; LiteLLM works before it as well."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from tests.litellm_proxy.chain import KEY, Chain

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

MESSAGES: Any = [{"role": "user", "content": "hello"}]
TOOLS: Any = [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}]
CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"

# What differs from call to call: ids and times.
_VARIES = re.compile(rb'("(?:id|created)" ?: ?)("[^"]*"|\d+)')


def ask(base: str, path: str, body: dict[str, Any]) -> httpx.Response:
    return httpx.post(base + path, json=body, headers={"Authorization": f"Bearer {KEY}"}, timeout=60)


def same(body: bytes) -> bytes:
    return _VARIES.sub(rb"\1_", body)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        *((CHAT, {"model": model, "messages": MESSAGES}) for model in ("chat", "v1-chat", "think", "v1-think", "down")),
        *((CHAT, {"model": model, "messages": MESSAGES, "tools": TOOLS}) for model in ("tools", "tools2", "v1-tools2")),
        *((CHAT, {"model": model, "messages": MESSAGES}) for model in ("missing", "not-in-the-config", "gpt-4o")),
        (CHAT, {"model": "chat", "messages": MESSAGES, "stream_options": {"include_usage": True}}),
        (CHAT, {"model": "chat", "messages": MESSAGES, "stream_options": {"include_usage": False}}),
        (COMPLETIONS, {"model": "chat", "prompt": "hello"}),
        (COMPLETIONS, {"model": "v1-chat", "prompt": "hello"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(map(str, (value["model"], *list(value)[2:]))),
)
def test_a_stream_is_what_litellm_sends_to_who_asks_it_directly(chain: Chain, path: str, body: dict[str, Any]) -> None:
    """Usage is asked for on the way, and taken out again."""
    direct = ask(chain.url, path, {**body, "stream": True})
    through = ask(chain.front.url, path, {**body, "stream": True})

    assert same(through.content) == same(direct.content)
    assert through.status_code == direct.status_code


@pytest.mark.parametrize(("model", "path"), [("behind", "/api/chat"), ("v1-behind", CHAT)])
@pytest.mark.parametrize("stream", [True, False])
def test_litellm_before_sightglass(chain: Chain, model: str, path: str, stream: bool) -> None:
    """Through both: front, LiteLLM, behind. Each tells the same tokens, once."""
    known = len(chain.behind.wait_rows(0))
    body = {"model": model, "messages": MESSAGES, "stream": stream}
    answer = ask(chain.front.url, CHAT, body)

    front = chain.row(answer.headers["x-litellm-call-id"])
    behind = chain.behind.wait_rows(known + 1)[known:]

    assert [(row["route"], row["model"], row["outcome"], row["stream"]) for row in behind] == [
        (path, "chat", "ok", stream)
    ]
    assert behind[0]["litellm_call_id"] is None
    for row in (front, behind[0]):
        assert (row["prompt_tokens"], row["completion_tokens"], row["tokens_source"]) == (23, 20, "reported")
    assert (front["cost_nanousd"], front["cost_origin"], behind[0]["cost_source"]) == (63_000, "litellm", "unknown")
