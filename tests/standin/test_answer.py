"""The writer: what Go's buffers do to heads and chunks."""

from __future__ import annotations

import re
from typing import cast

import pytest

from proxy.standin.answer import Answer, http_date, reason
from proxy.standin.connection import Connection
from proxy.standin.faults import Fault
from proxy.standin.request import Request
from proxy.standin.server import StandIn

from .peer import ask, body_of, chat


class Wire:
    """Takes the place of a connection."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def send(self, data: bytes) -> None:
        self.sent.append(data)

    async def writable(self) -> None:
        return


def answer_on(wire: Wire, method: str = "GET") -> Answer:
    request = Request(want_more=lambda: None, want_less=lambda: None, proceed=lambda: None)
    request.method = method
    request.finish()
    return Answer(cast(Connection, wire), request, Fault())


def chunk_sizes(raw: bytes) -> list[int]:
    sizes, body = [], raw.partition(b"\r\n\r\n")[2]
    while body:
        size, _, rest = body.partition(b"\r\n")
        sizes.append(int(size, 16))
        body = rest[int(size, 16) + 2 :]
    return sizes


@pytest.mark.parametrize(
    ("writes", "sizes"),
    [
        ([2048], None),
        ([2049], [2049]),
        ([1000, 1000], None),
        ([1000, 1049], [2048, 1]),
        ([1, 5000], [2048, 2953]),
        ([1, 3000, 1], [2048, 954]),
        ([3000, 10], [3000, 10]),
    ],
)
async def test_more_than_the_buffer_becomes_chunks(writes: list[int], sizes: list[int] | None) -> None:
    wire = Wire()
    answer = answer_on(wire)
    for size in writes:
        answer.write(b"a" * size)
    await answer.finish()

    raw = b"".join(wire.sent)
    if sizes is None:
        assert f"\r\nContent-Length: {sum(writes)}\r\n\r\n".encode() in raw
    else:
        assert b"\r\nTransfer-Encoding: chunked\r\n\r\n" in raw
        assert [*sizes, 0] == chunk_sizes(raw)


async def test_a_flush_ends_a_chunk_and_sends_the_head_with_the_first() -> None:
    wire = Wire()
    answer = answer_on(wire)
    answer.set("Content-Type", "text/event-stream")
    for piece in (b"one", b"two"):
        answer.write(piece)
        await answer.flush()
    await answer.finish()

    assert wire.sent[0].startswith(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nDate: ")
    assert wire.sent[0].endswith(b"\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
    assert wire.sent[1:] == [b"3\r\ntwo\r\n", b"0\r\n\r\n"]


async def test_fields_are_in_alphabetical_order_before_date_and_length() -> None:
    wire = Wire()
    answer = answer_on(wire)
    answer.set("Vary", "Origin")
    answer.set("Content-Type", "a/b")
    answer.add("Vary", "Other")
    answer.set("Allow", "GET")
    await answer.finish()

    names = [line.partition(b":")[0] for line in wire.sent[0].split(b"\r\n")[1:-2]]
    assert names == [b"Allow", b"Content-Type", b"Vary", b"Vary", b"Date", b"Content-Length"]


async def test_head_has_the_length_and_no_body() -> None:
    wire = Wire()
    answer = answer_on(wire, "HEAD")
    answer.write(b"12345")
    await answer.finish()

    assert wire.sent[0].endswith(b"\r\nContent-Length: 5\r\n\r\n")


@pytest.mark.parametrize("size", [1, 2, 7])
async def test_chunks_may_be_cut_anywhere(stand_in: StandIn, size: int) -> None:
    cut = await ask(stand_in, chat(stand_in=f"chunk_bytes={size}", stream=True))

    assert max(chunk_sizes(cut)) == size
    assert "🙂".encode() in body_of(cut)


def test_dates_and_reasons_are_those_of_http() -> None:
    assert re.fullmatch(rb"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", http_date())
    assert (reason(418), reason(529)) == ("I'm a Teapot", "status code 529")
