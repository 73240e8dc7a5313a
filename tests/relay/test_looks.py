"""One look over all clients, their calls and the memory; none while nobody is there."""

from __future__ import annotations

import asyncio
import errno

import msgspec

from proxy.core.config import Limits
from proxy.journal.counters import Counters
from proxy.relay.clients import Clients
from proxy.relay.memory import Memory


class Looked:
    def __init__(self) -> None:
        self.looks: list[float] = []

    def look(self, now: float) -> None:
        self.looks.append(now)


async def looked(at: Looked, times: int) -> None:
    async with asyncio.timeout(30):
        while len(at.looks) < times:
            await asyncio.sleep(0.005)


def clients(memory: Memory | None = None) -> Clients:
    limits = msgspec.structs.replace(Limits(), head_s=1000.0)
    return Clients(limits, Counters(None), memory or Memory(0), asyncio.get_running_loop(), shortest_s=0.1)


async def test_who_is_there_is_looked_at_until_gone() -> None:
    all_of_them, one, two = clients(), Looked(), Looked()
    all_of_them.arrived(one, "a")
    all_of_them.arrived(two, "a")
    await looked(two, 3)
    all_of_them.gone(two, "a")
    seen = len(two.looks)
    await looked(one, seen + 3)

    assert seen == len(two.looks)
    assert all(later - sooner > 0.005 for sooner, later in zip(one.looks, one.looks[1:], strict=False))
    all_of_them.gone(one, "a")
    all_of_them.gone(one, "a")


async def test_looking_begins_again_after_a_pause() -> None:
    all_of_them, one = clients(), Looked()
    all_of_them.arrived(one, "a")
    all_of_them.gone(one, "a")
    await asyncio.sleep(0.03)
    assert one.looks == []
    assert not all_of_them._looking
    all_of_them.arrived(one, "a")
    await looked(one, 1)
    all_of_them.gone(one, "a")


async def test_memory_is_looked_at_at_once_when_somebody_comes_and_not_while_nobody_is_there() -> None:
    """What was full while others were there may long be free."""
    resident = [200]
    asked: list[int] = []

    def ask() -> int:
        asked.append(resident[0])
        return resident[0]

    memory = Memory(100, resident=ask)
    all_of_them, one = clients(memory), Looked()
    all_of_them.arrived(one, "a")
    assert memory.full
    resident[0] = 50
    await looked(one, 1)
    assert not memory.full
    resident[0] = 200
    await looked(one, len(one.looks) + 1)
    assert memory.full
    all_of_them.gone(one, "a")
    while all_of_them._looking:
        await asyncio.sleep(0.005)
    seen = len(asked)
    resident[0] = 50
    await asyncio.sleep(0.03)
    assert seen == len(asked)
    all_of_them.arrived(one, "a")
    assert not memory.full
    all_of_them.gone(one, "a")


async def test_out_of_descriptors_everybody_is_still_looked_at() -> None:
    def none_left() -> int:
        raise OSError(errno.EMFILE, "too many open files")

    memory = Memory(100, resident=none_left)
    all_of_them, one = clients(memory), Looked()
    assert all_of_them.arrived(one, "a") is None
    await looked(one, 2)
    all_of_them.gone(one, "a")

    assert not memory.full
