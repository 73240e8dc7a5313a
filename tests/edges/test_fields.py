"""Fields: a token, a colon, visible bytes, CRLF. What others could take for another name is not passed on."""

from __future__ import annotations

import pytest

from tests.relay.conftest import MakeRelay

from .recorder import END, GET, HOST, POST, Recorder, hold, passes, refused

CASES = {
    "as it came": passes(GET + b"x-A:b\r\nX-a: \t c d \t\r\n\r\n", b"GET /x HTTP/1.1\r\nx-A: b\r\nX-a: c d\r\n\r\n"),
    "bytes beyond ASCII": passes(
        GET + b"X: caf\xc3\xa9 \xff\r\n\r\n", b"GET /x HTTP/1.1\r\nX: caf\xc3\xa9 \xff\r\n\r\n"
    ),
    "a tab inside": passes(GET + b"X: a\tb\r\n\r\n", b"GET /x HTTP/1.1\r\nX: a\tb\r\n\r\n"),
    "no value": passes(GET + b"X:\r\n\r\n", b"GET /x HTTP/1.1\r\nX: \r\n\r\n"),
    "all bytes of a token": passes(GET + b"X!#$%&'*+.^`|~: 1\r\n\r\n", b"GET /x HTTP/1.1\r\nX!#$%&'*+.^`|~: 1\r\n\r\n"),
    "two colons": passes(GET + b"X:: 1\r\n\r\n", b"GET /x HTTP/1.1\r\nX: : 1\r\n\r\n"),
    "underscore": passes(GET + b"X_Forwarded_For: 1.2.3.4\r\nX_Real-IP: 1\r\n\r\n", b"GET /x HTTP/1.1\r\n\r\n"),
    "underscore in a name of ours": passes(
        GET + b"X_Api_Key: k\r\nAuthorization_: x\r\n_: 1\r\n\r\n", b"GET /x HTTP/1.1\r\n\r\n"
    ),
    "underscore in Host": passes(
        b"GET /x HTTP/1.1\r\nHost: localhost\r\nH_ost: evil\r\n\r\n", b"GET /x HTTP/1.1\r\n\r\n"
    ),
    "a blank in the name": refused(GET + b"X Y: 1\r\n\r\n"),
    "a blank before the colon": refused(GET + b"X : 1\r\n\r\n"),
    "a tab before the colon": refused(GET + b"X\t: 1\r\n\r\n"),
    "no name": refused(GET + b": 1\r\n\r\n"),
    "no colon": refused(GET + b"X\r\n\r\n"),
    "NUL in a name": refused(GET + b"X\0: 1\r\n\r\n"),
    "bytes beyond ASCII in a name": refused(GET + b"X\xe9: 1\r\n\r\n"),
    "brackets in a name": refused(GET + b"X(): 1\r\n\r\n"),
    "a quote in a name": refused(GET + b'X": 1\r\n\r\n'),
    "a slash in a name": refused(GET + b"X/Y: 1\r\n\r\n"),
    "NUL": refused(GET + b"X: a\0b\r\n\r\n"),
    "escape": refused(GET + b"X: \x1b[0m\r\n\r\n"),
    "DEL": refused(GET + b"X: \x7f\r\n\r\n"),
    "vertical tab": refused(GET + b"X: a\x0bb\r\n\r\n"),
    "form feed": refused(GET + b"X: a\x0cb\r\n\r\n"),
    "bare CR": refused(GET + b"X: a\rb\r\n\r\n"),
    "bare LF": refused(GET + b"X: a\nY: b\r\n\r\n"),
    "bare LF at the end": refused(GET + b"X: a\n\r\n"),
    "CR CR LF": refused(GET + b"X: a\r\r\n\r\n"),
    "folded": refused(GET + b"X: a\r\n b\r\n\r\n"),
    "folded by a tab": refused(GET + b"X: a\r\n\tb\r\n\r\n"),
    "folded empty": refused(GET + b"X: a\r\n \r\n\r\n"),
    "folded first": refused(b"GET /x HTTP/1.1\r\n Host: localhost\r\n" + HOST + END),
    "credentials twice": refused(
        GET + b"Authorization: Bearer a\r\nauthorization: Bearer b\r\n\r\n", 400, "credentials_twice"
    ),
    "x-api-key twice": refused(GET + b"x-api-key: a\r\nX-Api-Key: a\r\n\r\n", 400, "credentials_twice"),
    "two ways to say who": passes(
        GET + b"Authorization: Bearer a\r\nx-api-key: b\r\n\r\n",
        b"GET /x HTTP/1.1\r\nAuthorization: Bearer a\r\nx-api-key: b\r\n\r\n",
    ),
    "content types": refused(POST + b"Content-Type: a/b\r\nContent-Type: c/d\r\nContent-Length: 0\r\n\r\n"),
}


@pytest.mark.parametrize("cut", [0, 1, 7])
@pytest.mark.parametrize("kind", CASES)
async def test_a_field_is_read_in_one_way_or_refused(make_relay: MakeRelay, kind: str, cut: int) -> None:
    async with Recorder() as upstream:
        rig = await make_relay(upstream.port)
        await hold(rig, upstream, CASES[kind], cut=cut)
