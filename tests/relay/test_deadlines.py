"""One look over all that is watched, and none when nothing is."""

from __future__ import annotations

import asyncio

from proxy.relay.deadlines import Deadlines


class Watched:
    def __init__(self) -> None:
        self.looks: list[float] = []

    def look(self, now: float) -> None:
        self.looks.append(now)


async def looked(at: Watched, times: int) -> None:
    async with asyncio.timeout(30):
        while len(at.looks) < times:
            await asyncio.sleep(0.005)


async def test_what_is_watched_is_looked_at_until_it_is_forgotten() -> None:
    loop = asyncio.get_running_loop()
    deadlines, one, two = Deadlines(loop, shortest_s=0.1), Watched(), Watched()
    deadlines.watch(one)
    deadlines.watch(two)
    await looked(two, 3)
    deadlines.forget(two)
    seen = len(two.looks)
    await looked(one, seen + 3)

    assert seen == len(two.looks)
    assert all(later - sooner > 0.005 for sooner, later in zip(one.looks, one.looks[1:], strict=False))
    deadlines.forget(one)
    deadlines.forget(one)


async def test_watching_begins_again_after_a_pause() -> None:
    deadlines, one = Deadlines(asyncio.get_running_loop(), shortest_s=0.1), Watched()
    deadlines.watch(one)
    deadlines.forget(one)
    await asyncio.sleep(0.03)
    assert one.looks == []
    deadlines.watch(one)
    await looked(one, 1)
    deadlines.forget(one)
