"""Background tasks are named, kept and never fail in silence."""

from __future__ import annotations

import asyncio
import gc

import pytest

from proxy.core.tasks import spawn


async def test_a_task_has_its_name_and_its_result() -> None:
    async def work() -> int:
        return 7

    task = spawn(work(), name="work")

    assert (task.get_name(), await task) == ("work", 7)


async def test_a_failure_is_logged_once_with_its_name(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise ValueError("no")

    task = spawn(fail(), name="failing")
    with pytest.raises(ValueError, match="no"):
        await task
    await asyncio.sleep(0)

    assert [(record.message, vars(record)["task"]) for record in caplog.records] == [("task_failed", "failing")]


async def test_a_cancelled_task_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    task = spawn(asyncio.sleep(60), name="sleeper")
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert caplog.records == []


async def test_nobody_need_hold_the_task() -> None:
    done = asyncio.Event()

    async def work() -> None:
        await asyncio.sleep(0.01)
        done.set()

    spawn(work(), name="held")
    gc.collect()
    async with asyncio.timeout(30):
        await done.wait()
