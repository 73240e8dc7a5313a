"""Chunks: a size in hexadecimal, its bytes, a line end; no trailers."""

from __future__ import annotations

import pytest

from tests.relay.conftest import MakeRelay

from .recorder import CHUNKED, LAST, Recorder, hold, passes, refused

CASES = {
    "leading zeros": passes(
        CHUNKED + b"0000000000000003\r\nabc\r\n" + LAST, b"POST /x HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"
    ),
    "capitals": passes(
        CHUNKED + b"A\r\n0123456789\r\n" + LAST, b"POST /x HTTP/1.1\r\nContent-Length: 10\r\n\r\n0123456789"
    ),
    "many zeros at the end": passes(
        CHUNKED + b"3\r\nabc\r\n000\r\n\r\n", b"POST /x HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"
    ),
    "an extension": passes(CHUNKED + b"3;a=b\r\nabc\r\n" + LAST, b"POST /x HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"),
    "an extension in quotes": passes(
        CHUNKED + b'3;a="b;c"\r\nabc\r\n0;x\r\n\r\n', b"POST /x HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"
    ),
    "a request inside": passes(
        CHUNKED + b"2b\r\n" + b"GET /evil HTTP/1.1\r\nHost: localhost\r\n\r\n1234\r\n" + LAST,
        b"POST /x HTTP/1.1\r\nContent-Length: 43\r\n\r\nGET /evil HTTP/1.1\r\nHost: localhost\r\n\r\n1234",
    ),
    "a line end in a quoted extension": refused(CHUNKED + b'3;a="b\r\nabc\r\n' + LAST),
    "NUL in an extension": refused(CHUNKED + b"3;a\0b\r\nabc\r\n" + LAST),
    "LF in an extension": refused(CHUNKED + b"3;a\nabc\r\n" + LAST),
    "CR in an extension": refused(CHUNKED + b"3;a\rb\r\nabc\r\n" + LAST),
    "bytes beyond ASCII in an extension": refused(CHUNKED + b"3;\xe9\r\nabc\r\n" + LAST),
    "an extension without a name": refused(CHUNKED + b"3;\r\nabc\r\n" + LAST),
    "an extension without end": refused(CHUNKED + b"3;" + b"a" * 2000),
    "a long extension": refused(CHUNKED + b"3;" + b"a" * 2000 + b"\r\nabc\r\n" + LAST),
    "a blank behind the size": refused(CHUNKED + b"3 \r\nabc\r\n" + LAST),
    "a blank before the size": refused(CHUNKED + b" 3\r\nabc\r\n" + LAST),
    "a blank before an extension": refused(CHUNKED + b"3 ;a\r\nabc\r\n" + LAST),
    "0x": refused(CHUNKED + b"0x3\r\nabc\r\n" + LAST),
    "a plus": refused(CHUNKED + b"+3\r\nabc\r\n" + LAST),
    "a minus": refused(CHUNKED + b"-3\r\nabc\r\n" + LAST),
    "an underscore": refused(CHUNKED + b"1_0\r\n" + b"a" * 16 + b"\r\n" + LAST),
    "no size": refused(CHUNKED + b"\r\nabc\r\n" + LAST),
    "no hexadecimal": refused(CHUNKED + b"g\r\nabc\r\n" + LAST),
    "foreign digits": refused(CHUNKED + b"\xef\xbc\x93\r\nabc\r\n" + LAST),
    "beyond 64 bits": refused(CHUNKED + b"10000000000000003\r\nabc\r\n" + LAST),
    "all of 64 bits": refused(CHUNKED + b"ffffffffffffffff\r\nabc\r\n" + LAST),
    "beyond 63 bits": refused(CHUNKED + b"8000000000000000\r\nabc\r\n" + LAST),
    "LF behind the size": refused(CHUNKED + b"3\nabc\r\n" + LAST),
    "CR behind the size": refused(CHUNKED + b"3\rabc\r\n" + LAST),
    "LF behind the bytes": refused(CHUNKED + b"3\r\nabc\n" + LAST),
    "CR behind the bytes": refused(CHUNKED + b"3\r\nabc\r" + LAST),
    "nothing behind the bytes": refused(CHUNKED + b"3\r\nabc" + LAST),
    "more bytes than said": refused(CHUNKED + b"3\r\nabcd\r\n" + LAST),
    "fewer bytes than said": refused(CHUNKED + b"3\r\nab\r\n" + LAST),
    "LF at the end": refused(CHUNKED + b"3\r\nabc\r\n0\n\n"),
    "LF behind the last": refused(CHUNKED + b"3\r\nabc\r\n0\r\n\n"),
    "a trailer": refused(CHUNKED + b"3\r\nabc\r\n0\r\nX-Trailer: 1\r\n\r\n"),
    "a trailer that frames": refused(CHUNKED + b"3\r\nabc\r\n0\r\nContent-Length: 40\r\n\r\n"),
    "a trailer that says who": refused(CHUNKED + b"3\r\nabc\r\n0\r\nAuthorization: Bearer x\r\n\r\n"),
    "a trailer that closes": refused(CHUNKED + b"3\r\nabc\r\n0\r\nConnection: close\r\n\r\n"),
    "a trailer that upgrades": refused(CHUNKED + b"3\r\nabc\r\n0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"),
    "a malformed trailer": refused(CHUNKED + b"3\r\nabc\r\n0\r\nX T: 1\r\n\r\n"),
}


@pytest.mark.parametrize("cut", [0, 1, 7])
@pytest.mark.parametrize("kind", CASES)
async def test_a_chunk_is_read_in_one_way_or_refused(make_relay: MakeRelay, kind: str, cut: int) -> None:
    async with Recorder() as upstream:
        rig = await make_relay(upstream.port)
        await hold(rig, upstream, CASES[kind], cut=cut)
