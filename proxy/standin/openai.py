"""/v1/chat/completions and /v1/completions, byte for byte as Ollama writes them, new and old style."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any

from proxy.standin import gojson, prompt, wishes
from proxy.standin.call import RefusedError
from proxy.standin.generate import End, generate
from proxy.standin.logprobs import logprobs
from proxy.standin.script import Ask, Step, ToolCall

if TYPE_CHECKING:
    from proxy.standin.call import Call
    from proxy.standin.model import Model

JSON = "application/json"
EVENTS = "text/event-stream"
DONE = b"data: [DONE]\n\n"
_ZERO_USAGE = b'{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}'


def small_id() -> int:
    """Ollama's ids are this small: they collide."""
    return random.randrange(999)  # noqa: S311 (as Ollama does)


def usage(end: End) -> bytes:
    """The usage object; zeros if the model did not come to an end."""
    if end.reason is None:
        return _ZERO_USAGE
    total = end.prompt_tokens + end.eval_tokens
    return b'{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}' % (
        end.prompt_tokens, end.eval_tokens, total,
    )  # fmt: skip


def tool_calls(calls: list[ToolCall] | tuple[ToolCall, ...]) -> list[dict[str, Any]]:
    """As /v1 has them: arguments are a JSON text."""
    return [
        {
            "id": call.id,
            "index": call.index,
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments_json},
        }
        for call in calls
    ]


async def chat(call: Call) -> None:
    """POST /v1/chat/completions."""
    asked = await wishes.read(call, "openai.ChatCompletionRequest")
    messages = asked.get("messages") or []
    if not messages:
        raise RefusedError(400, "[] is too short - 'messages'", early=True)
    think, tools = wishes.effort(asked, old=call.old), wishes.tools_of(asked)
    name = str(asked.get("model") or "")
    model = wishes.chatting_model(call, name, tools=tools, think=think)
    rendered = prompt.render(messages, tools=tools, old=call.old)
    ask = Ask(
        prompt=rendered,
        prompt_tokens=prompt.tokens(model, messages, tools=tools, old=call.old),
        think=think,
        tools=tools,
        answers_tool=wishes.last_is_tool(messages),
        max_tokens=asked.get("max_tokens"),
        stop=wishes.stops(asked.get("stop")),
        logprobs=bool(asked.get("logprobs")),
        top_logprobs=wishes.whole(asked.get("top_logprobs")) or 0,
    )
    if asked.get("stream"):
        await _chat_stream(call, model, ask, name, with_usage=wishes.include_usage(asked))
    else:
        await _chat_plain(call, model, ask, name)


async def _chat_plain(call: Call, model: Model, ask: Ask, name: str) -> None:
    steps: list[Step] = []

    async def say(step: Step) -> None:
        steps.append(step)

    end = await generate(call, model, ask, say, streaming=False)
    message: dict[str, Any] = {"role": "assistant", "content": "".join(step.content for step in steps)}
    if thinking := "".join(step.thinking for step in steps):
        message["reasoning"] = thinking
    calls = [tool for step in steps for tool in step.calls]
    if calls:
        message["tool_calls"] = tool_calls(calls)
    choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": _finish(end, calls, old=call.old)}
    raw = gojson.dump(choice)
    if ask.logprobs and steps:
        raw = raw[:-1] + b',"logprobs":{"content":%b}}' % logprobs(steps, ask.top_logprobs, old=call.old)
    body = (
        b'{"id":"chatcmpl-%d","object":"chat.completion","created":%d,"model":%b,"system_fingerprint":"fp_ollama",'
        b'"choices":[%b],"usage":%b}\n' % (small_id(), time.time(), gojson.dump(name), raw, usage(end))
    )
    await call.reply(body, content_type=JSON)


def _finish(end: End, calls: list[ToolCall], *, old: bool) -> str | None:
    if calls and (old or end.reason == "stop"):
        return "tool_calls"
    return end.reason


class _ChatEvents:
    """The events of one chat stream."""

    def __init__(self, name: str, ask: Ask, *, old: bool):
        self.id, self.created = small_id(), int(time.time())
        self.name, self.ask, self.old = name, ask, old
        self.calls = False
        self.opened = False

    def _head(self, name: str) -> bytes:
        created = int(time.time()) if self.old else self.created
        return (
            b'data: {"id":"chatcmpl-%d","object":"chat.completion.chunk","created":%d,"model":%b,'
            b'"system_fingerprint":"fp_ollama","choices":' % (self.id, created, gojson.dump(name))
        )

    def _choice(self, delta: dict[str, Any], finish: str | None, extra: bytes = b"", name: str | None = None) -> bytes:
        raw = b'[{"index":0,"delta":%b,"finish_reason":%b%b}]' % (gojson.dump(delta), gojson.dump(finish), extra)
        return self._head(self.name if name is None else name) + raw + b"}\n\n"

    def _delta(self, step: Step) -> dict[str, Any]:
        delta: dict[str, Any] = {"role": "assistant"} if self.old or not self.opened else {}
        self.opened = True
        delta["content"] = step.content
        if step.thinking:
            delta["reasoning"] = step.thinking
        if step.calls:
            self.calls = True
            delta["tool_calls"] = tool_calls(step.calls)
        return delta

    def step(self, step: Step) -> bytes:
        extra = b""
        if self.ask.logprobs:
            extra = b',"logprobs":{"content":%b}' % logprobs([step], self.ask.top_logprobs, old=self.old)
        return self._choice(self._delta(step), None, extra)

    def junk(self) -> bytes:
        """What becomes of the runner's error line: an empty step of a model without a name."""
        return self._choice(self._delta(Step()), None, name="")

    def end(self, end: End, *, with_usage: bool) -> list[bytes]:
        """The writes of the last step, all in one flush."""
        finish = "tool_calls" if self.calls and (self.old or end.reason == "stop") else end.reason
        writes = []
        if self.old:
            writes.append(self._choice(self._delta(Step()), finish))
        else:
            if not self.opened:
                writes.append(self._choice(self._delta(Step()), None))
            writes.append(self._choice({}, finish))
        if with_usage:
            writes.append(self._head(self.name) + b'[],"usage":%b}\n\n' % usage(end))
        return [*writes, DONE]


async def _chat_stream(call: Call, model: Model, ask: Ask, name: str, *, with_usage: bool) -> None:
    answer, events = call.answer, _ChatEvents(name, ask, old=call.old)
    answer.set("Content-Type", EVENTS)

    async def say(step: Step) -> None:
        answer.write(events.step(step))
        await answer.flush()

    end = await generate(call, model, ask, say, streaming=True)
    if end.died:
        answer.write(events.junk())
    elif end.reason is not None:
        for event in events.end(end, with_usage=with_usage):
            answer.write(event)
    await answer.flush()
    await answer.finish()
