"""/v1/completions: its chunks carry their own time, and zeros as usage until the last one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from proxy.standin import gojson, wishes
from proxy.standin.generate import End, generate
from proxy.standin.model import count
from proxy.standin.openai import DONE, EVENTS, JSON, small_id, usage
from proxy.standin.prompt import render
from proxy.standin.script import Ask, Step

if TYPE_CHECKING:
    from proxy.standin.call import Call
    from proxy.standin.model import Model


async def completions(call: Call) -> None:
    """POST /v1/completions."""
    asked = await wishes.read(call, "openai.CompletionRequest")
    name = str(asked.get("model") or "")
    model = wishes.chatting_model(call, name, tools=[], think=None, what="generate")
    text = asked.get("prompt") if isinstance(asked.get("prompt"), str) else ""
    rendered = render([{"role": "user", "content": text}], tools=[], old=call.old)
    ask = Ask(
        prompt=rendered,
        prompt_tokens=count(model, rendered),
        think=False,
        max_tokens=asked.get("max_tokens"),
        stop=wishes.stops(asked.get("stop")),
    )
    if not text:
        await _load(call, model, name, stream=bool(asked.get("stream")))
    elif asked.get("stream"):
        await _stream(call, model, ask, name, with_usage=wishes.include_usage(asked))
    else:
        await _plain(call, model, ask, name)


async def _load(call: Call, model: Model, name: str, *, stream: bool) -> None:
    """An empty prompt only loads the model."""
    await call.stand_in.slots.acquire(call, model.name)
    call.stand_in.slots.release(call, model.name)
    end = End(reason=None)
    if stream:
        body = _Chunks(name, with_usage=False).chunk("", "load") + DONE
        await call.reply(body, content_type=EVENTS)
    else:
        await call.reply(_whole(name, "", "load", end), content_type=JSON)


def _whole(name: str, text: str, finish: str | None, end: End) -> bytes:
    choice: dict[str, Any] = {"text": text, "index": 0, "finish_reason": finish}
    return (
        b'{"id":"cmpl-%d","object":"text_completion","created":%d,"model":%b,"system_fingerprint":"fp_ollama",'
        b'"choices":[%b],"usage":%b}\n' % (small_id(), time.time(), gojson.dump(name), gojson.dump(choice), usage(end))
    )


async def _plain(call: Call, model: Model, ask: Ask, name: str) -> None:
    texts: list[str] = []

    async def say(step: Step) -> None:
        texts.append(step.content)

    end = await generate(call, model, ask, say, streaming=False)
    await call.reply(_whole(name, "".join(texts), end.reason, end), content_type=JSON)


class _Chunks:
    """The events of one stream."""

    def __init__(self, name: str, *, with_usage: bool):
        self.id, self.name, self.with_usage = small_id(), name, with_usage

    def chunk(self, text: str | None, finish: str | None, end: End | None = None, name: str | None = None) -> bytes:
        """One event. text None: no choice, as the one with the usage has it."""
        choice = b"" if text is None else gojson.dump({"text": text, "index": 0, "finish_reason": finish})
        counts = b',"usage":%b' % usage(end or End(reason=None)) if self.with_usage else b""
        return (
            b'data: {"id":"cmpl-%d","object":"text_completion","created":%d,"choices":[%b],"model":%b,'
            b'"system_fingerprint":"fp_ollama"%b}\n\n'
            % (self.id, time.time(), choice, gojson.dump(self.name if name is None else name), counts)
        )


async def _stream(call: Call, model: Model, ask: Ask, name: str, *, with_usage: bool) -> None:
    answer, chunks = call.answer, _Chunks(name, with_usage=with_usage)
    answer.set("Content-Type", EVENTS)

    async def say(step: Step) -> None:
        answer.write(chunks.chunk(step.content, None))
        await answer.flush()

    end = await generate(call, model, ask, say, streaming=True)
    if end.died:
        answer.write(chunks.chunk("", None, name=""))
    elif end.reason is not None:
        answer.write(chunks.chunk("", end.reason))
        if with_usage:
            answer.write(chunks.chunk(None, None, end))
        answer.write(DONE)
    await answer.flush()
    await answer.finish()
