"""/api/chat and /api/generate: NDJSON steps, the last with durations in ns; load and unload replies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from proxy.standin import gojson, prompt, wishes
from proxy.standin.generate import RUNNER_DIED, End, generate
from proxy.standin.logprobs import logprobs
from proxy.standin.model import count
from proxy.standin.script import Ask, Step, ToolCall

if TYPE_CHECKING:
    from proxy.standin.call import Call
    from proxy.standin.model import Model

JSON = "application/json; charset=utf-8"
LINES = "application/x-ndjson"


def keep_alive_s(value: Any) -> float | None:
    """Seconds of `keep_alive`: a number, or a Go duration such as "10m"; None = not said."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, (int, float)):
        return float(value) if value >= 0 else 1e9
    units = {"h": 3600.0, "m": 60.0, "s": 1.0}
    text = str(value)
    try:
        return float(text[:-1]) * units[text[-1:]]
    except (KeyError, ValueError):
        return None


def numbers(end: End, context: list[int] | None = None) -> bytes:
    """The last line's fields after done; those that are zero are left out, as Go's omitempty does."""
    said = b',"done_reason":%b' % gojson.dump(end.reason) if end.reason else b""
    if context is not None:
        said += b',"context":%b' % gojson.dump(context)
    fields = (
        ("total_duration", end.total_ns), ("load_duration", end.load_ns), ("prompt_eval_count", end.prompt_tokens),
        ("prompt_eval_duration", end.prompt_ns), ("eval_count", end.eval_tokens), ("eval_duration", end.eval_ns),
    )  # fmt: skip
    return said + b"".join(b',"%b":%d' % (name.encode(), value) for name, value in fields if value)


class _Chat:
    """Shapes of /api/chat."""

    def __init__(self, name: str, ask: Ask, *, old: bool):
        self.name, self.ask, self.old = gojson.dump(name), ask, old

    def _line(self, message: dict[str, Any], rest: bytes) -> bytes:
        head = b'{"model":%b,"created_at":"%b","message":' % (self.name, gojson.timestamp().encode())
        return head + gojson.dump(message) + rest + b"}"

    def step(self, steps: list[Step]) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": "".join(step.content for step in steps)}
        if thinking := "".join(step.thinking for step in steps):
            message["thinking"] = thinking
        if calls := [_native_call(call) for step in steps for call in step.calls]:
            message["tool_calls"] = calls
        return message

    def piece(self, step: Step) -> bytes:
        return self._line(self.step([step]), b',"done":false' + self._logprobs([step]))

    def last(self, end: End, steps: list[Step] | None = None) -> bytes:
        done = b',"done":true' if end.reason else b',"done":false'
        return self._line(self.step(steps or []), done + numbers(end) + self._logprobs(steps or []))

    def _logprobs(self, steps: list[Step]) -> bytes:
        if not self.ask.logprobs or not steps:
            return b""
        return b',"logprobs":' + logprobs(steps, self.ask.top_logprobs, old=self.old)


class _Generate(_Chat):
    """Shapes of /api/generate."""

    def _line(self, message: dict[str, Any], rest: bytes) -> bytes:
        head = b'{"model":%b,"created_at":"%b","response":%b' % (
            self.name, gojson.timestamp().encode(), gojson.dump(message["content"]),
        )  # fmt: skip
        for name in ("thinking", "tool_calls"):
            if name in message:
                head += b',"%b":%b' % (name.encode(), gojson.dump(message[name]))
        return head + rest + b"}"

    def last(self, end: End, steps: list[Step] | None = None) -> bytes:
        done = b',"done":true' if end.reason else b',"done":false'
        whole = end.reason in ("stop", "length") and not self.ask.raw
        context = _context(self.ask, end) if whole else None
        return self._line(self.step(steps or []), done + numbers(end, context) + self._logprobs(steps or []))


def _context(ask: Ask, end: End) -> list[int]:
    """One number a token of prompt and answer, the opening one and the end left out. May be very long."""
    letters = [ord(char) + 162 if "a" <= char <= "z" else 3 + ord(char) % 256 for char in ask.prompt]
    letters = (letters * (end.prompt_tokens // max(len(letters), 1) + 1))[: max(end.prompt_tokens - 1, 0)]
    said = end.eval_tokens - (end.reason == "stop")
    return letters + [335 + at for at in range(said)]


def _native_call(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "function": {"index": call.index, "name": call.name, "arguments": call.arguments}}


def _limits(asked: dict[str, Any]) -> tuple[int | None, list[str]]:
    options = wishes.mapping(asked.get("options"))
    return wishes.whole(options.get("num_predict")), wishes.stops(options.get("stop"))


async def chat(call: Call) -> None:
    """POST /api/chat."""
    asked = await wishes.read(call, "api.ChatRequest", early=False)
    name, tools = str(asked.get("model") or ""), wishes.tools_of(asked)
    messages = asked.get("messages") or []
    think = None if asked.get("think") is None else bool(asked["think"])
    model = wishes.chatting_model(call, name, tools=tools, think=think)
    limit, stop = _limits(asked)
    ask = Ask(
        prompt=prompt.render(messages, tools=tools, old=call.old),
        prompt_tokens=prompt.tokens(model, messages, tools=tools, old=call.old),
        think=think, tools=tools, answers_tool=wishes.last_is_tool(messages), max_tokens=limit, stop=stop,
        logprobs=bool(asked.get("logprobs")), top_logprobs=wishes.whole(asked.get("top_logprobs")) or 0,
    )  # fmt: skip
    await _answer(call, model, ask, asked, _Chat(name, ask, old=call.old), empty=not messages)


async def generate_text(call: Call) -> None:
    """POST /api/generate."""
    asked = await wishes.read(call, "api.GenerateRequest", early=False)
    name, text, raw = str(asked.get("model") or ""), str(asked.get("prompt") or ""), bool(asked.get("raw"))
    think = None if asked.get("think") is None else bool(asked["think"])
    model = wishes.chatting_model(call, name, tools=[], think=think, what="generate")
    messages: list[Any] = [{"role": "system", "content": asked["system"]}] if asked.get("system") else []
    rendered = text if raw else prompt.render([*messages, {"role": "user", "content": text}], tools=[], old=call.old)
    limit, stop = _limits(asked)
    ask = Ask(
        prompt=rendered, prompt_tokens=count(model, rendered), think=think, raw=raw, max_tokens=limit, stop=stop,
        logprobs=bool(asked.get("logprobs")), top_logprobs=wishes.whole(asked.get("top_logprobs")) or 0,
    )  # fmt: skip
    await _answer(call, model, ask, asked, _Generate(name, ask, old=call.old), empty=not text)


async def _answer(call: Call, model: Model, ask: Ask, asked: dict[str, Any], shape: _Chat, *, empty: bool) -> None:
    keep_s = keep_alive_s(asked.get("keep_alive"))
    if empty:
        await _load(call, model, shape, unload=keep_s == 0)
    elif asked.get("stream") is False:
        steps: list[Step] = []

        async def keep(step: Step) -> None:
            steps.append(step)

        end = await generate(call, model, ask, keep, streaming=False)
        await call.reply(shape.last(end, steps), content_type=JSON)
    else:
        await _stream(call, model, ask, shape)
    if keep_s == 0:
        call.stand_in.slots.unload(model.name)


async def _load(call: Call, model: Model, shape: _Chat, *, unload: bool) -> None:
    """Nothing to say: the model is loaded or unloaded, told in one JSON object even where a stream is the default."""
    slots = call.stand_in.slots
    if unload:
        slots.unload(model.name)
    else:
        await slots.acquire(call, model.name)
        slots.release(call, model.name)
    await call.reply(shape.last(End(reason="unload" if unload else "load")), content_type=JSON)


async def _stream(call: Call, model: Model, ask: Ask, shape: _Chat) -> None:
    answer = call.answer
    answer.set("Content-Type", LINES)

    async def say(step: Step) -> None:
        answer.write(shape.piece(step) + b"\n")
        await answer.flush()

    end = await generate(call, model, ask, say, streaming=True)
    if end.died:
        answer.write(gojson.dump({"error": RUNNER_DIED}) + b"\n")
    elif end.reason is not None:
        answer.write(shape.last(end) + b"\n")
    await answer.flush()
    await answer.finish()
