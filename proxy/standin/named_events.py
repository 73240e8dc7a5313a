"""Streams of named events, as /v1/messages and /v1/responses send them: each flushed by itself, no [DONE]."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from proxy.standin.call import RefusedError
from proxy.standin.generate import End, generate

if TYPE_CHECKING:
    from proxy.standin.call import Call
    from proxy.standin.model import Model
    from proxy.standin.script import Ask, Step


class Events(Protocol):
    """Writes the events of one stream."""

    def step(self, step: Step) -> list[bytes]:
        """What the model just said."""

    def end(self, end: End) -> list[bytes]:
        """How it ended."""


async def stream(call: Call, model: Model, ask: Ask, events: Events) -> None:
    """Generate, and send what comes as it comes. A model that died ends it without a word."""
    answer = call.answer
    for field, value in (("Cache-Control", "no-cache"), ("Connection", "keep-alive")):
        answer.set(field, value)
    answer.set("Content-Type", "text/event-stream")

    async def send(written: list[bytes]) -> None:
        for event in written:
            answer.write(event)
            await answer.flush()

    async def say(step: Step) -> None:
        await send(events.step(step))

    try:
        end = await generate(call, model, ask, say, streaming=True)
    except RefusedError:
        answer.unset("Cache-Control", "Connection")
        raise
    if not end.died and end.reason is not None:
        await send(events.end(end))
    await answer.finish()


async def gather(call: Call, model: Model, ask: Ask) -> tuple[list[Step], End]:
    """Generate for a plain answer: all that the model said, and how it ended."""
    steps: list[Step] = []

    async def say(step: Step) -> None:
        steps.append(step)

    end = await generate(call, model, ask, say, streaming=False)
    return steps, end
