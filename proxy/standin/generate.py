"""Lets a model speak in time: waits for load, slot and first token, then a step at a time, counted and cancellable."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import msgspec

from proxy.standin import faults
from proxy.standin.call import RefusedError
from proxy.standin.script import Ask, Step, write

if TYPE_CHECKING:
    from proxy.standin.call import Call
    from proxy.standin.model import Model

RUNNER_DIED = "an error was encountered while running the model: unexpected EOF"
# Without a pace, the loop gets its turn after so many tokens.
BREATH_TOKENS = 16


class End(msgspec.Struct, frozen=True, kw_only=True):
    """How a generation ended. `reason` None: no last step is to be sent. Durations in ns."""

    reason: str | None
    prompt_tokens: int = 0
    eval_tokens: int = 0
    load_ns: int = 0
    prompt_ns: int = 0
    eval_ns: int = 0
    total_ns: int = 0
    died: bool = False  # the runner was killed in mid-stream


async def generate(
    call: Call, model: Model, ask: Ask, say: Callable[[Step], Awaitable[None]], *, streaming: bool
) -> End:
    """Call `say` with each step of `model`'s answer, in time. Raises RefusedError, before the first step only."""
    slots = call.stand_in.slots
    load_ns = await slots.acquire(call, model.name)
    try:
        return await _speak(call, model, ask, say, load_ns=load_ns, streaming=streaming)
    finally:
        slots.release(call, model.name)


async def _speak(
    call: Call, model: Model, ask: Ask, say: Callable[[Step], Awaitable[None]], *, load_ns: int, streaming: bool
) -> End:
    settings, fault = call.settings, call.fault
    script = write(model, ask, settings, fault.number(100_000) if fault.kind == "big" else None)
    pace_s = model.token_s if settings.token_s is None else settings.token_s
    call.phase = "first_token"
    evaluating = time.monotonic_ns()
    if settings.first_token_s:
        await asyncio.sleep(settings.first_token_s)
    started = time.monotonic_ns()
    said, due = 0, time.monotonic()
    reason = "stop" if script.ends else None
    for step in script.steps:
        if fault.kind in faults.IN_STREAM and said >= fault.after and (broken := await _break(call, streaming)):
            return broken
        if said + step.tokens > script.limit:
            reason, said = "length", script.limit
            break
        due = await _pace(due, pace_s * step.tokens, said)
        said += step.tokens
        call.tokens = said
        call.phase = "stream" if streaming else "answer"
        await say(step)
    else:
        if fault.kind in faults.IN_STREAM and (broken := await _break(call, streaming)):
            return broken
    ended = time.monotonic_ns()
    call.stand_in.stats.tokens += said
    return End(
        reason=reason,
        prompt_tokens=ask.prompt_tokens if settings.prompt_tokens is None else settings.prompt_tokens,
        eval_tokens=said + 1 if reason == "stop" else said,
        load_ns=load_ns,
        prompt_ns=max(started - evaluating, 1000),
        eval_ns=max(ended - started, 1000),
        total_ns=ended - call.began_ns,
    )


async def _pace(due: float, wait_s: float, said: int) -> float:
    """Wait for the next token's time; returns it. Late tokens follow at once, so that the mean pace holds."""
    if wait_s > 0:
        due += wait_s
        await asyncio.sleep(max(0.0, due - time.monotonic()))
    elif said % BREATH_TOKENS == BREATH_TOKENS - 1:
        await asyncio.sleep(0)
    return due


async def _break(call: Call, streaming: bool) -> End | None:
    """The fault in mid-stream. None: it concerns a plain answer, whose bytes are broken when they are sent."""
    kind, end = call.fault.kind, None
    if kind in ("junk-then-end", "error-line"):
        if not streaming or not call.tokens:
            raise RefusedError(500, RUNNER_DIED)
        end = End(reason=None, died=True)
    elif kind == "clean-end-mid-stream" and streaming:
        end = End(reason=None)
    if end is not None or not streaming:
        return end
    await call.answer.flush()
    return await faults.break_off(call.connection, call.fault)
