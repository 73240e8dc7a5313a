"""Frames of a turn go in one write, before the bytes that depend on them."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from proxy.journal.writer import Entry, JournalWriter
from proxy.relay.outbox import Outbox


async def test_one_append_a_turn_and_then_the_bytes_in_order() -> None:
    done: list[Any] = []

    class Journal:
        def append(self, entries: list[Entry]) -> None:
            done.append([call_id for _, call_id, _ in entries])

    outbox = Outbox(cast(JournalWriter, Journal()), asyncio.get_running_loop())
    outbox.send(done.append, b"1")
    outbox.keep(1, "a", [b""])
    outbox.send(done.append, b"2")
    outbox.keep(2, "b", [b""])
    assert done == []
    await asyncio.sleep(0)
    assert done == [["a", "b"], b"1", b"2"]

    outbox.keep(1, "c", [b""])
    outbox.flush()
    assert done[3:] == [["c"]]
    await asyncio.sleep(0)


async def test_what_is_sent_while_sending_waits_for_the_next_turn() -> None:
    done: list[bytes] = []

    class Journal:
        def append(self, entries: list[Entry]) -> None:
            pass

    outbox = Outbox(cast(JournalWriter, Journal()), asyncio.get_running_loop())

    def write(data: bytes) -> None:
        done.append(data)
        if len(done) == 1:
            outbox.send(write, b"later")

    outbox.send(write, b"now")
    await asyncio.sleep(0)
    assert done == [b"now"]
    await asyncio.sleep(0)
    assert done == [b"now", b"later"]
