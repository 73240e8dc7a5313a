"""An answer whose head came before is not parsed again: what is passed on and kept is as if it were."""

from __future__ import annotations

from itertools import permutations

import pytest

from proxy.relay import known_answers
from proxy.relay.answer import AnswerReader
from proxy.relay.known_answers import KnownAnswers

from .conftest import MakeRelay
from .peer import ask, connected, request
from .rig import upstream
from .scripted import Conn, Scripted

DATES = (b"Mon, 17 Aug 2026 10:00:00 GMT", b"Tue, 18 Aug 2026 23:59:59 GMT")


def answer(body: bytes, *fields: bytes, line: bytes = b"HTTP/1.1 200 OK", date: bytes = DATES[0]) -> bytes:
    """Fields with %l and %d in them get length and date."""
    lines = [line, *(field.replace(b"%l", b"%d" % len(body)).replace(b"%d", date) for field in fields)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def read(data: bytes) -> AnswerReader:
    """As the parser reads it."""
    reader = AnswerReader(head_only=False, http_1_0=False)
    reader.feed(data)
    reader.close()
    return reader


def learned(data: bytes) -> KnownAnswers:
    known, reader = KnownAnswers(), read(data)
    assert reader.head is not None
    assert reader.reusable
    known.learn(data, reader.head)
    return known


USUAL = (b"Content-Type: application/json", b"Date: %d", b"Content-Length: %l")


@pytest.mark.parametrize("fields", tuple(permutations((*USUAL, b"X-Odd_Name:  spaced \t", b"Connection: keep-alive"))))
def test_it_is_as_the_parser_reads_it(fields: tuple[bytes, ...]) -> None:
    known = learned(answer(b"x" * 9, *fields))
    for body, date in ((b"y", DATES[0]), (b"z" * 1234, DATES[1])):
        data = answer(body, *fields, date=date)
        found, reader = known.find(data), read(data)

        assert found is not None
        assert reader.head is not None
        kept = reader.head.kept()
        head = reader.head.to_client(b"id", keep_alive=True, http_1_0=False)
        assert found == (head.removesuffix(b"x-request-id: id\r\n\r\n"), kept, body)


@pytest.mark.parametrize(
    "fields",
    [
        (b"content-length: %l", b"date: %d"),
        (b"Content-Length: %l",),
        (b"Content-Length: %l", b"Date: today"),
        (b"Content-Length: %l", b"Date: %d", b"Date: %d"),
        (b"Content-Length: %l", b"X: Date: %d"),
    ],
)
def test_other_spellings(fields: tuple[bytes, ...]) -> None:
    known = learned(answer(b"first", *fields))
    data = answer(b"another", *fields)
    found, reader = known.find(data), read(data)

    assert found is not None
    assert reader.head is not None
    assert found[1:] == (reader.head.kept(), b"another")


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        (b"HTTP/1.1 200 OK", (b"content-LENGTH: %l",)),
        (b"HTTP/1.1 200 OK", (b"Content-Length: 0%l",)),
        (b"HTTP/1.1 200 OK", (b"Content-Length: %l", b"Set-Cookie: a=b")),
        (b"HTTP/1.1 200 OK", (b"Content-Length: %l", b"x-request-id: theirs")),
        (b"HTTP/1.1 200 OK", (b"Content-Length: %l", b"X: " + b"x" * 5000)),
        (b"HTTP/1.1 404 Not Found", (b"Content-Length: %l",)),
        (b"HTTP/1.0 200 OK", (b"Content-Length: %l", b"Connection: keep-alive")),
        (b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK", (b"Content-Length: %l",)),
        (b"HTTP/1.1 103 Early Hints\r\nContent-Length: 44\r\n\r\nHTTP/1.1 200 OK", (b"Content-Length: %l",)),
    ],
)
def test_what_is_not_usual_is_not_known(line: bytes, fields: tuple[bytes, ...]) -> None:
    assert not learned(answer(b"abcde", *fields, line=line))._known


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Length: 5", b"Length: 6"),
        (b"Length: 5", b"Length: 4"),
        (b"Length: 5", b"Length: 05"),
        (b"Length: 5", b"Length: +5"),
        (b"Length: 5", b"Length: "),
        (b"Length: 5", b"Length: 5, 5"),
        (b"Length: 5\r\n", b"Length: 5\r\nContent-Length: 5\r\n"),
        (b"Length: 5\r\n", b"Length: 5\n"),
        (b"Mon, 17 Aug 2026 10:00:00 GMT", b""),
        (b"Mon, 17 Aug 2026 10:00:00 GMT", b"\n"),
        (b"GMT\r\n", b"GMT\n"),
        (b"GMT", b"GMT\r\nTransfer-Encoding: chunked"),
        (b"17 Aug", b"17\0Aug"),
        (b"HTTP/1.1 200", b"\r\nHTTP/1.1 200"),
        (b"HTTP/1.1 200", b"HTTP/1.1 201"),
        (b"abcde", b"abcdef"),
        (b"abcde", b"abcd"),
    ],
)
def test_nothing_else_passes_for_it(old: bytes, new: bytes) -> None:
    data = answer(b"abcde", *USUAL)
    known = learned(data)

    assert known.find(data) is not None
    assert data.count(old) == 1
    assert known.find(data.replace(old, new)) is None


def test_there_are_never_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_answers, "_HEADS", 4)
    known = KnownAnswers()
    for index in range(11):
        data = answer(b"abcde", *USUAL, b"X: %d" % index)
        head = read(data).head
        assert head is not None
        known.learn(data, head)
        assert len(known._known) <= 4
        assert known.find(data) is not None


async def test_through_a_relay(make_relay: MakeRelay) -> None:
    """The second is known; others ask in ways for which it is not passed on as it is."""
    bodies = [b"first", b"the second", b"third", b"fourth"]

    async def script(conn: Conn) -> None:
        while True:
            seen = await conn.request()
            await conn.send(answer(bodies[int(seen.line.split(b"/")[1].split()[0])], *USUAL))

    async with Scripted(script) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            got = [await peer.ask(request("GET", f"/{index}")) for index in range(2)]
            assert server.connections == 1
        got += [await ask(rig.port, request("GET", "/2", "Connection: close"))]
        got += [await ask(rig.port, request("GET", "/3", version="1.0"))]
        exchanges = await rig.ended(4)
        known = rig.handler._forwarding._known_answers._known

    assert [one.body for one in got] == bodies
    assert len(known) == 1
    for one, exchange, body in zip(got, exchanges, bodies, strict=True):
        assert one.value(b"content-length") == b"%d" % len(body)
        assert one.value(b"x-request-id") == exchange.finished.request_id.encode()
        assert one.value(b"connection") == (None if body in bodies[:2] else b"close")
        assert (
            exchange.answer_head == answer(body, *USUAL[:3]).partition(b"\r\n")[2].partition(b"\r\n\r\n")[0] + b"\r\n"
        )
        assert exchange.answer_body == body
        finished = exchange.finished
        assert (finished.status, finished.upstream_status, finished.ending) == (200, 200, "complete")
        assert finished.response_bytes == sum(size for _, size in exchange.pieces) == len(body)
        assert finished.headers_s is not None
        assert finished.overhead_s is not None


async def test_before_an_upstream_with_a_key_each_head_is_looked_through(make_relay: MakeRelay) -> None:
    async def script(conn: Conn) -> None:
        while True:
            await conn.request()
            await conn.send(answer(b"abc", *USUAL, b"X-Key: sk-upstream-0123456789"))

    async with Scripted(script) as server:
        rig = await make_relay((upstream(server.port, key="sk-upstream-0123456789"),))
        got = [await ask(rig.port, request("GET", "/")) for _ in range(3)]

    assert {one.value(b"x-key") for one in got} == {b"*" * 22}
