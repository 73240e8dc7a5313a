"""/v1/messages, Anthropic's shape: named events, an estimate of the prompt first, the true counts at the end."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from proxy.standin import gojson, named_events, prompt, wishes
from proxy.standin.call import RefusedError
from proxy.standin.generate import End
from proxy.standin.script import Ask, Step

if TYPE_CHECKING:
    from proxy.standin.call import Call
    from proxy.standin.model import Model


async def messages(call: Call) -> None:
    """POST /v1/messages."""
    asked = await wishes.read(call, "anthropic.MessagesRequest")
    name = str(asked.get("model") or "")
    if not name:
        raise RefusedError(400, "model is required", early=True)
    limit = asked.get("max_tokens")
    if not isinstance(limit, int) or limit <= 0:
        raise RefusedError(400, "max_tokens is required and must be positive", early=True)
    said = asked.get("messages") or []
    if not said:
        raise RefusedError(400, "messages is required", early=True)
    turns = _turns(asked.get("system"), said)
    tools = prompt.as_functions(wishes.tools_of(asked))
    wanted = asked.get("thinking")
    think = True if isinstance(wanted, dict) and wanted.get("type") == "enabled" else None
    model = wishes.chatting_model(call, name, tools=tools, think=think)
    ask = Ask(
        prompt=prompt.render(turns, tools=tools, old=call.old),
        prompt_tokens=prompt.tokens(model, turns, tools=tools, old=call.old),
        think=think, tools=tools, answers_tool=_brings_result(said), max_tokens=limit,
        stop=wishes.stops(asked.get("stop_sequences")),
    )  # fmt: skip
    if asked.get("stream"):
        await named_events.stream(call, model, ask, _Events(name, estimate(turns, wishes.tools_of(asked))))
    else:
        await _plain(call, model, ask, name)


def _turns(system: Any, said: list[Any]) -> list[Any]:
    first = "\n".join(prompt.texts(system))
    return [{"role": "system", "content": first}, *said] if first else list(said)


def _brings_result(said: list[Any]) -> bool:
    content = said[-1].get("content") if said and isinstance(said[-1], dict) else None
    return isinstance(content, list) and any(
        isinstance(part, dict) and part.get("type") == "tool_result" for part in content
    )


def estimate(turns: list[Any], tools: list[Any]) -> int:
    """What message_start says of the prompt: its characters by four."""
    total = 0
    for turn in turns:
        if isinstance(turn, dict):
            total += len(str(turn.get("role", ""))) + sum(map(len, prompt.texts(turn.get("content"))))
    for tool in tools:
        if isinstance(tool, dict):
            # As sent, that is with the spaces that most clients write.
            schema = gojson.spaced(tool.get("input_schema", {}))
            total += len(str(tool.get("name", ""))) + len(str(tool.get("description", ""))) + len(schema)
    return total // 4


def _stop_reason(end: End, *, calls: bool) -> str | None:
    if calls and end.reason == "stop":
        return "tool_use"
    return {"stop": "end_turn", "length": "max_tokens"}.get(end.reason or "")


async def _plain(call: Call, model: Model, ask: Ask, name: str) -> None:
    steps, end = await named_events.gather(call, model, ask)
    blocks: list[dict[str, Any]] = []
    if thinking := "".join(step.thinking for step in steps):
        blocks.append({"type": "thinking", "thinking": thinking})
    if text := "".join(step.content for step in steps):
        blocks.append({"type": "text", "text": text})
    calls = [tool for step in steps for tool in step.calls]
    blocks += [{"type": "tool_use", "id": tool.id, "name": tool.name, "input": tool.arguments} for tool in calls]
    message: dict[str, Any] = {
        "id": f"msg_{secrets.token_hex(12)}", "type": "message", "role": "assistant", "model": name, "content": blocks,
    }  # fmt: skip
    if reason := _stop_reason(end, calls=bool(calls)):
        message["stop_reason"] = reason
    message["usage"] = {"input_tokens": end.prompt_tokens, "output_tokens": end.eval_tokens}
    await call.reply(gojson.dump(message) + b"\n", content_type="application/json")


class _Events:
    """The events of one stream; keeps which content block is open."""

    def __init__(self, name: str, estimated: int):
        self._name, self._estimated = name, estimated
        self._index = -1
        self._open = ""  # kind of the open block
        self.calls = False
        self._begun = False

    @staticmethod
    def _event(kind: str, **fields: Any) -> bytes:
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), gojson.dump({"type": kind, **fields}))

    def _begin(self) -> list[bytes]:
        if self._begun:
            return []
        self._begun = True
        message = {
            "id": f"msg_{secrets.token_hex(12)}", "type": "message", "role": "assistant", "model": self._name,
            "content": [], "usage": {"input_tokens": self._estimated, "output_tokens": 0},
        }  # fmt: skip
        return [self._event("message_start", message=message)]

    def _turn_to(self, kind: str, block: dict[str, Any]) -> list[bytes]:
        if self._open == kind:
            return []
        events = self._stop()
        self._index += 1
        self._open = kind
        return [*events, self._event("content_block_start", index=self._index, content_block=block)]

    def _stop(self) -> list[bytes]:
        if not self._open:
            return []
        self._open = ""
        return [self._event("content_block_stop", index=self._index)]

    def _delta(self, **delta: Any) -> bytes:
        return self._event("content_block_delta", index=self._index, delta=delta)

    def step(self, step: Step) -> list[bytes]:
        events = self._begin()
        if step.thinking:
            events += self._turn_to("thinking", {"type": "thinking", "thinking": ""})
            events.append(self._delta(type="thinking_delta", thinking=step.thinking))
        if step.content:
            events += self._turn_to("text", {"type": "text", "text": ""})
            events.append(self._delta(type="text_delta", text=step.content))
        for tool in step.calls:
            self.calls = True
            events += self._turn_to(tool.id, {"type": "tool_use", "id": tool.id, "name": tool.name, "input": {}})
            events.append(self._delta(type="input_json_delta", partial_json=tool.arguments_json))
            events += self._stop()
        return events

    def end(self, end: End) -> list[bytes]:
        used = {"input_tokens": end.prompt_tokens, "output_tokens": end.eval_tokens}
        reason = _stop_reason(end, calls=self.calls)
        return [
            *self._begin(),
            *self._stop(),
            self._event("message_delta", delta={"stop_reason": reason}, usage=used),
            self._event("message_stop"),
        ]
