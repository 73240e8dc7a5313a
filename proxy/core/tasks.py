"""The one way to start a background task: named, kept alive, its failure logged.

A bare `asyncio.create_task` may be garbage-collected in mid-flight, and nobody sees its exception.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

T = TypeVar("T")

log: Final = logging.getLogger("sightglass.tasks")
_running: set[asyncio.Task[Any]] = set()


def spawn(coro: Coroutine[Any, Any, T], *, name: str) -> asyncio.Task[T]:
    """Start `coro` on the running loop; the task is referenced until it ends, and what it raises is logged."""
    task = asyncio.get_running_loop().create_task(coro, name=name)
    _running.add(task)
    task.add_done_callback(_ended)
    return task


def _ended(task: asyncio.Task[Any]) -> None:
    _running.discard(task)
    if task.cancelled():
        return
    error = task.exception()
    if error is not None:
        log.error("task_failed", exc_info=error, extra={"task": task.get_name()})


async def first_of(*events: asyncio.Event) -> None:
    """Wait until one of them is set."""
    waits = [spawn(event.wait(), name="first of") for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
