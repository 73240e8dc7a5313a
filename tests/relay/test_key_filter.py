"""An upstream that repeats our key in its error tells it to nobody, however the bytes come."""

from __future__ import annotations

import zlib
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.config import Journal
from proxy.relay.key_filter import KeyFilter, _unpacked

from .conftest import MakeRelay
from .peer import ask, chat, connected
from .rig import upstream
from .scripted import Scripted, answers

KEY = b"sk-sk-upstream-0123456789"


@given(st.lists(st.sampled_from([KEY, KEY[:5], KEY[:-1], b"x", b"sk-", b""]), max_size=8), st.data())
def test_any_cut_gives_the_same(parts: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    filter_ = KeyFilter(KEY)
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    passed = b"".join([filter_.feed(piece) for piece in pieces]) + filter_.flush()

    assert len(passed) == len(whole)
    assert KEY not in passed
    assert passed == whole.replace(KEY, b"*" * len(KEY))


async def test_neither_the_client_nor_the_journal_gets_it(make_relay: MakeRelay) -> None:
    told = b'{"error":{"message":"Invalid key: %b, really %b"}}' % (KEY, KEY)
    head = b"HTTP/1.1 401 Unauthorized\r\nX-Told: %b\r\n" % KEY
    plain = head + b"Content-Length: %d\r\n\r\n%b" % (len(told), told)
    chunks = b"".join(b"5\r\n%b\r\n" % told[n : n + 5] for n in range(0, len(told) - 4, 5))
    rest = told[len(told) // 5 * 5 :]
    chunked = head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks
    chunked += (b"%x\r\n%b\r\n" % (len(rest), rest) if rest else b"") + b"0\r\n\r\n"
    for answer_bytes in (plain, chunked):
        async with Scripted(answers(answer_bytes)) as server:
            rig = await make_relay((upstream(server.port, key=KEY.decode()),))
            answer = await ask(rig.port, chat())
            exchange = await rig.last()

        assert KEY in server.seen[0].raw_head
        assert (answer.status, answer.body) == (401, told.replace(KEY, b"*" * len(KEY)))
        assert KEY not in answer.raw_head
        assert KEY not in exchange.answer_head + exchange.answer_body


@pytest.mark.parametrize("keep", [1_000_000, 400])
async def test_an_answer_that_is_no_error_passes_whole_and_is_kept_without_it(make_relay: MakeRelay, keep: int) -> None:
    said = b'{"you sent":"%b"%b,"and":"%b"}' % (KEY, b" " * 1000, KEY)
    whole = b"HTTP/1.1 200 OK\r\nX-Told: %b\r\nContent-Length: %d\r\n\r\n%b" % (KEY, len(said), said)
    async with Scripted(answers(whole)) as server:
        rig = await make_relay((upstream(server.port, key=KEY.decode()),), journal=Journal(answer_bytes=keep))
        answer = await ask(rig.port, chat())
        exchange = await rig.last()

    assert (answer.status, answer.body) == (200, said)
    assert answer.value(b"x-told") == b"*" * len(KEY)
    assert KEY not in exchange.answer_head + exchange.answer_body
    assert len(exchange.answer_body) + exchange.finished.answer_cut == len(said)


async def test_a_key_across_the_parts_that_are_kept_apart_is_not_kept(make_relay: MakeRelay) -> None:
    said = b"a" * 290 + KEY + b"b" * 10  # 300 of 400 bytes are kept as the begin, the rest as the end: all of it
    async with Scripted(answers(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(said), said))) as server:
        rig = await make_relay((upstream(server.port, key=KEY.decode()),), journal=Journal(answer_bytes=400))
        answer = await ask(rig.port, chat())
        exchange = await rig.last()

    assert answer.body == said
    assert exchange.answer_body == said.replace(KEY, b"*" * len(KEY))


@pytest.mark.parametrize("begin", [295, 284, 300])
async def test_of_a_key_that_a_gap_cuts_through_no_edge_is_kept(make_relay: MakeRelay, begin: int) -> None:
    said = b"a" * begin + KEY  # 300 bytes are kept as the begin, the last 100 as the end
    said += b"b" * (400 + len(KEY) // 2 - len(said))
    async with Scripted(answers(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(said), said))) as server:
        rig = await make_relay((upstream(server.port, key=KEY.decode()),), journal=Journal(answer_bytes=400))
        answer = await ask(rig.port, chat())
        exchange = await rig.last()

    assert answer.body == said
    assert exchange.finished.answer_cut > 0
    assert set(exchange.answer_body) == set(b"ab*")


@pytest.mark.parametrize("key", ["json", "ollama", "17"])
async def test_a_key_that_is_an_ordinary_word_changes_no_answer(make_relay: MakeRelay, key: str) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nServer: ollama\r\nContent-Length: 17\r\n"
    said = b'{"json":"ollama"}'
    async with Scripted(answers(head + b"\r\n" + said)) as server:
        rig = await make_relay((upstream(server.port, key=key),))
        answer = await ask(rig.port, chat())
        exchange = await rig.last()

    assert answer.raw_head.startswith(head)
    assert (answer.body, exchange.answer_body) == (said, said)


async def test_a_head_request_keeps_its_length(make_relay: MakeRelay) -> None:
    async with Scripted(answers(b"HTTP/1.1 404 Not Found\r\nContent-Length: 77\r\n\r\n")) as server:
        rig = await make_relay((upstream(server.port, key=KEY.decode()),))
        answer = await ask(rig.port, b"HEAD /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n")

    assert (answer.status, answer.value(b"content-length")) == (404, b"77")


def packed(text: bytes, window: int) -> bytes:
    packing = zlib.compressobj(wbits=window)
    return packing.compress(text) + packing.flush()


PACKED = [(b"gzip", 31), (b"GZIP ", 31), (b"x-gzip", 31), (b"deflate", 15), (b"deflate", -15)]
TOLD = b'{"error":{"message":"Invalid key: %b"}}'


@pytest.mark.parametrize(("coding", "window"), PACKED)
@pytest.mark.parametrize("framing", ["length", "chunks", "close"])
async def test_a_compressed_error_that_repeats_it_is_held_back(
    make_relay: MakeRelay, coding: bytes, window: int, framing: str
) -> None:
    body = packed(TOLD % KEY, window)
    head = b"HTTP/1.1 401 Unauthorized\r\nContent-Encoding: %b\r\nX-Told: %b\r\n" % (coding, KEY)
    pieces = [body[:9], body[9:20], body[20:]]
    if framing == "length":
        raw = [head + b"Content-Length: %d\r\n\r\n" % len(body) + pieces[0], *pieces[1:]]
    elif framing == "chunks":
        raw = [head + b"Transfer-Encoding: chunked\r\n\r\n", *(b"%x\r\n%b\r\n" % (len(one), one) for one in pieces)]
        raw.append(b"0\r\n\r\n")
    else:
        raw = [head + b"\r\n" + pieces[0], *pieces[1:]]
    async with Scripted(answers(*raw, close=framing == "close")) as server:
        rig = await make_relay((upstream(server.port, key=KEY.decode()),))
        answer = await ask(rig.port, chat())
        exchange = await rig.last()

    assert (answer.status, answer.error["code"]) == (502, "upstream_key_repeated")
    assert KEY not in answer.raw_head + answer.body + exchange.answer_head
    assert exchange.answer_body == b""
    finished = exchange.finished
    assert (finished.status, finished.upstream_status, finished.ending) == (502, 401, "upstream_failed")


@pytest.mark.parametrize(("coding", "window"), PACKED)
@pytest.mark.parametrize("chunks", [False, True])
async def test_other_compressed_errors_pass_as_they_are(
    make_relay: MakeRelay, coding: bytes, window: int, *, chunks: bool
) -> None:
    body = packed(TOLD % b"sk-another", window)
    head = b"HTTP/1.1 401 Unauthorized\r\nContent-Encoding: %b\r\n" % coding
    if chunks:
        raw = [head + b"Transfer-Encoding: chunked\r\n\r\n", b"%x\r\n%b\r\n" % (len(body), body), b"0\r\n\r\n"]
    else:
        raw = [head + b"Content-Length: %d\r\n\r\n" % len(body), body]
    async with Scripted(answers(*raw)) as server:
        rig = await make_relay((upstream(server.port, key=KEY.decode()),))
        async with connected(rig.port) as peer:
            got = [await peer.ask(chat()) for _ in range(2)]
        exchanges = await rig.ended(2)

    assert [(one.status, one.body) for one in got] == [(401, body)] * 2
    assert [exchange.answer_body for exchange in exchanges] == [body] * 2
    assert server.connections == 1


async def test_an_error_that_is_long_or_compressed_in_another_way_is_not_held(make_relay: MakeRelay) -> None:
    long = packed(Random(1).randbytes(200_000) + KEY, 31)
    for coding, body in ((b"gzip", long), (b"br", TOLD % b"x"), (b"gzip, gzip", TOLD % b"x"), (b"gzip", b"no gzip")):
        raw = b"HTTP/1.1 500 No\r\nContent-Encoding: %b\r\nContent-Length: %d\r\n\r\n%b" % (coding, len(body), body)
        async with Scripted(answers(raw)) as server:
            rig = await make_relay((upstream(server.port, key=KEY.decode()),))
            answer = await ask(rig.port, chat())

        assert (answer.status, answer.body) == (500, body)


def test_little_that_unpacks_to_much_is_unpacked_to_a_bound() -> None:
    bomb = packed(b"0" * 50_000_000 + KEY, 31)

    assert len(bomb) < 64 * 1024
    assert len(_unpacked(bomb, 31)) == 256 * 1024
    assert _unpacked(packed(b"a", 31) + packed(KEY, 31), 31) == b"a" + KEY
