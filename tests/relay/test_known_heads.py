"""A head that came before is not parsed again: what goes upstream and what is kept is as if it were."""

from __future__ import annotations

import asyncio
from random import Random

import msgspec
import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_parser import HttpRequestParser

from proxy.control.snapshot import Snapshot
from proxy.core.client_key import new_key
from proxy.relay import known_heads
from proxy.relay.gate import Gate
from proxy.relay.heads import RequestHead
from proxy.relay.known_heads import KnownHeads, _cut
from tests.policy.test_keys import kept

from .conftest import MakeRelay
from .peer import connected
from .scripted import OK, Scripted, answers

FIELDS = (
    b"Host: localhost\r\nAuthorization: Bearer sk-0123456789abcdef\r\nX_Odd: 1\r\nUser-Agent: me\r\n"
    b"x-request-id: of-the-client\r\n"
)


def call(
    body: bytes, *, fields: bytes = FIELDS, name: bytes = b"Content-Length", behind: bytes = b"Accept: */*\r\n"
) -> bytes:
    head = b"POST /v1/chat/completions HTTP/1.1\r\n%b%b: %d\r\n%b\r\n" % (fields, name, len(body), behind)
    return head + body


def chat(words: str) -> bytes:
    return msgspec.json.encode({"model": "m", "messages": [{"role": "user", "content": words}]})


@pytest.mark.parametrize("name", [b"Content-Length", b"content-length", b"CONTENT-LENGTH"])
@pytest.mark.parametrize("behind", [b"Accept: */*\r\n", b""])
async def test_it_is_read_as_by_a_relay_that_never_saw_it(make_relay: MakeRelay, name: bytes, behind: bytes) -> None:
    calls = [call(chat("a" * n), name=name, behind=behind) for n in (5, 5, 120, 7)]
    async with Scripted(answers(OK)) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            for sent in calls:
                peer.send(sent)
                assert (await peer.answer()).status == 200
        known = len(rig.handler.clients.known_heads._known)
        exchanges = await rig.ended(4)
        for sent in calls[1:]:
            fresh = await make_relay(server.port)
            async with connected(fresh.port) as peer:
                peer.send(sent)
                await peer.answer()
            alone = await fresh.last()
            again = exchanges[calls.index(sent, 1)]
            assert again.request_head == alone.request_head
            assert again.request_body == alone.request_body
            assert again.finished.user_agent == "me"
            assert again.finished.request_id == "of-the-client"
            assert again.finished.model == "m"
            assert again.finished.client == "127.0.0.1"

    assert known == (name != b"CONTENT-LENGTH")
    assert server.seen[1:4] == server.seen[4:]


async def test_no_parser_sees_it_and_its_neighbours_are_parsed(make_relay: MakeRelay) -> None:
    """In parts, with another behind it, or of another kind it goes the long way, in order."""
    usual, other = call(chat("hello")), call(chat("x"), fields=FIELDS + b"X-Other: 1\r\n")
    chunked = b"POST /x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    async with Scripted(answers(OK)) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            peer.send(usual)
            await peer.answer()
            (client,) = rig.listener.connections
            for sent in ([usual], [usual + usual], [usual[:90], usual[90:]], [usual[:-3], usual[-3:]]):
                for part in sent:
                    client.data_received(part)
                for _ in range(sent[0].count(b"POST")):
                    assert (await peer.answer()).status == 200
            for whole in (chunked, usual, b"\r\n" + usual, usual, other, usual):
                client.data_received(whole)
                assert (await peer.answer()).status == 200
            parsed = client._request_count
        await rig.ended(12)

    assert [seen.body for seen in server.seen] == [chat("hello")] * 6 + [b"abc"] + [chat("hello")] * 3 + [
        chat("x"),
        chat("hello"),
    ]
    assert parsed == 12 - 4  # the second call, and the three alone behind others


async def test_what_came_behind_it_at_once_is_answered_behind_it(make_relay: MakeRelay) -> None:
    async with Scripted(answers(OK)) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            peer.send(call(chat("first")))
            await peer.answer()
            (client,) = rig.listener.connections
            for sent in (call(chat("second")), call(chat("third"))):
                client.data_received(sent)  # in one turn of the event loop
            client.data_received(b"rubbish\r\n\r\n")
            statuses = [(await peer.answer()).status for _ in range(3)]
            behind = await peer.reader.read()

    assert [seen.body for seen in server.seen] == [chat("first"), chat("second"), chat("third")]
    assert (statuses, behind) == ([200, 200, 400], b"")


async def test_a_key_is_asked_for_each_time(make_relay: MakeRelay) -> None:
    key = new_key()
    sent = call(chat("hello"), fields=b"Host: localhost\r\nAuthorization: Bearer %b\r\n" % key.encode())
    async with Scripted(answers(OK)) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            statuses = []
            for snapshot in (
                Snapshot(),
                Snapshot(keys=(kept(key, "alice"),)),
                Snapshot(keys=(kept(key, "alice", revoked=7),)),
            ):
                rig.handler.admission.take(snapshot)
                peer.send(sent)
                statuses.append((await peer.answer()).status)
        exchanges = await rig.ended(3)

    assert statuses == [200, 200, 401]
    assert [seen.values(b"authorization") for seen in server.seen] == [[b"Bearer " + key.encode()], []]
    assert [exchange.finished.key_name for exchange in exchanges] == [None, "alice", "alice"]


@pytest.mark.parametrize(
    "fields",
    [
        b"Host: evil.example\r\n",
        b"Host: localhost\r\nContent-Length: 3\r\n",
        b"Host: localhost\r\nConnection: upgrade\r\nUpgrade: h2c\r\n",
        b"Host: localhost\r\nX-Long: " + b"x" * 5000 + b"\r\n",
    ],
)
async def test_not_every_head_is_kept(make_relay: MakeRelay, fields: bytes) -> None:
    async with Scripted(answers(OK)) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            peer.send(call(chat("hello"), fields=fields))
            await peer.answer()

    assert not rig.handler.clients.known_heads._known


async def test_there_are_never_many(make_relay: MakeRelay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_heads, "_HEADS", 4)
    async with Scripted(answers(OK)) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            for index in range(11):
                peer.send(call(chat("hello"), fields=FIELDS + b"X: %d\r\n" % index))
                assert (await peer.answer()).status == 200
                assert len(rig.handler.clients.known_heads._known) <= 4


@pytest.mark.parametrize(
    "head",
    [
        b"POST / HTTP/1.1\r\nContent-Length: 05\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 5 \r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: +5\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: \r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 123456789\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 5\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\n",
        b"POST / HTTP/1.1\r\nX: Content-Length: 5\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
def test_unusual_lengths_are_for_the_parser(head: bytes) -> None:
    assert _cut(head, 4096) is None


def test_a_length_in_a_body_is_none_of_a_known_head() -> None:
    head = b"POST / HTTP/1.1\r\nCONTENT-LENGTH: 40\r\n\r\n"
    shape = _cut(head + b"abc\r\nContent-Length: 5\r\n\r\nabcde", 4096)

    assert shape is not None
    assert shape[0].count(b"\r\n\r\n") == 2  # as no head that was learned


async def parsed(data: bytes) -> list[tuple[list[tuple[bytes, bytes]], bytes]]:
    """Fields and bodies of the requests that gate and parser read in these bytes."""
    protocol = BaseProtocol(asyncio.get_running_loop(), None)
    parser = HttpRequestParser(
        protocol, asyncio.get_running_loop(), 2**16, max_line_size=4096, max_field_size=4096, auto_decompress=False
    )
    messages, _, _ = parser.feed_data(Gate(4096).let_in(data))
    return [(list(message.raw_headers), payload.read_nowait(-1)) for message, payload in messages if payload.is_eof()]


async def test_what_is_found_is_what_gate_and_parser_read() -> None:
    """Damage by the thousand: nearly none of it is found, and what is says what it says to the parser."""
    random, known = Random(1), KnownHeads(4096)
    sent = call(chat("hello"))
    head = sent[: sent.find(b"\r\n\r\n") + 4]
    parser = HttpRequestParser(BaseProtocol(asyncio.get_running_loop(), None), asyncio.get_running_loop(), 2**16)
    message = parser.feed_data(sent)[0][0][0]
    known.learn(head, message, RequestHead(message.raw_headers), "openai_chat")
    bits = [b"1", b"0", b" ", b"\r\n", b"\n", b"\0", b"Content-Length: 7\r\n", b"\r\n\r\n", b"x", b"-", b"", b"9" * 9]
    found_ones = 0
    for _ in range(20_000):
        at, bit = random.randrange(len(sent)), random.choice(bits)
        damaged = sent[:at] + bit + sent[at + random.randrange(4) :]
        found = known.find(damaged)
        if found is not None:
            ((fields, body),) = await parsed(damaged)
            assert body == found[1]
            assert b"".join(b"%b: %b\r\n" % field for field in fields if field[0] != b"X_Odd").replace(
                b"Bearer sk-0123456789abcdef", b"[struck out]"
            ) + b"X_Odd: 1\r\n" == found[0].kept(len(body))
            found_ones += 1

    assert 100 < found_ones < 15_000  # in the body, mostly
