"""What a call keeps of its bytes and times."""

from __future__ import annotations

import asyncio
import tracemalloc
from pathlib import Path

import pytest

from proxy.core.config import Journal
from proxy.journal import frames
from proxy.journal.reader import JournalReader
from proxy.journal.writer import JournalWriter
from proxy.relay import call as call_module
from proxy.relay import faults
from proxy.relay.call import Call, new_call_id
from proxy.relay.outbox import Outbox


@pytest.fixture
async def outbox(tmp_path: Path) -> Outbox:
    return Outbox(JournalWriter(tmp_path, worker=0, settings=Journal()), asyncio.get_running_loop())


def make_call(outbox: Outbox, answer_bytes: int = 1000) -> Call:
    return Call(outbox._journal, outbox, Journal(answer_bytes=answer_bytes), worker=3, method="POST", target="/x")


def kept(outbox: Outbox, tmp_path: Path) -> list[frames.Frame]:
    outbox.flush()
    reader = JournalReader(tmp_path, {})
    found = [frame for _, frame in reader.read(most=10).frames]
    reader.close()
    outbox._journal.close()
    return found


async def test_a_call_is_finished_once(outbox: Outbox, tmp_path: Path) -> None:
    call = make_call(outbox)
    call.start()
    call.finish(faults.CLIENT_LEFT)
    call.finish(None)
    found = kept(outbox, tmp_path)

    assert [frame.kind for frame in found] == [frames.STARTED, frames.FINISHED]
    assert found[1].exchange().finished.error_code == "client_left"


async def test_tiny_pieces_take_little_more_memory_than_their_bytes(outbox: Outbox, tmp_path: Path) -> None:
    call = make_call(outbox, answer_bytes=800_000)
    tracemalloc.start()
    for number in range(400_000):
        call.sent_by_upstream(b"%03d" % (number % 1000), call.began_at + number)
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    call.finish(None)
    exchange = kept(outbox, tmp_path)[0].exchange()

    assert taken < 3_500_000  # 0.8 MB of bytes, 1.2 MB of times
    whole = b"".join(b"%03d" % (number % 1000) for number in range(400_000))
    cut, begin = exchange.finished.answer_cut, exchange.finished.answer_head_kept
    assert exchange.answer_body == whole[:begin] + whole[begin + cut :]
    assert sum(size for _, size in exchange.pieces) == len(whole)


async def test_pieces_beyond_the_bound_are_added_to_the_last(
    outbox: Outbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_module, "PIECES_KEPT", 3)
    call = make_call(outbox)
    for number in range(1, 8):
        call.sent_by_upstream(b"x" * number, call.began_at + number)
    call.finish(None)
    exchange = kept(outbox, tmp_path)[0].exchange()

    assert tuple((round(at, 3), size) for at, size in exchange.pieces) == ((1.0, 1), (2.0, 2), (3.0, 25))


async def test_an_attempt_that_does_not_count_leaves_nothing(outbox: Outbox, tmp_path: Path) -> None:
    call = make_call(outbox, answer_bytes=4)
    call.sent_by_upstream(b"abcdefgh", call.began_at)
    call.notes.status = call.notes.upstream_status = 400
    call.forget_attempt(None)
    call.sent_by_upstream(b"xyz", call.began_at)
    call.finish(None)
    exchange = kept(outbox, tmp_path)[0].exchange()

    assert (
        exchange.answer_body, len(exchange.pieces), exchange.finished.answer_cut, exchange.finished.upstream_status
    ) == (b"xyz", 1, 0, None)  # fmt: skip


def test_ids_hold_their_time() -> None:
    assert int(new_call_id(1_795_219_436_910_000_000)[:12], 16) == 1_795_219_436_910
