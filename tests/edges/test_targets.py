"""Targets: a path as it came, or nothing."""

from __future__ import annotations

import pytest

from tests.relay.conftest import MakeRelay

from .recorder import END, HOST, Recorder, hold, passes, refused

CASES = {
    "as it came": passes(
        b"GET /a//b/../%2f%00?x=%zz&y=/?:@ HTTP/1.1\r\n" + HOST + END,
        b"GET /a//b/../%2f%00?x=%zz&y=/?:@ HTTP/1.1\r\n\r\n",
    ),
    "two slashes": passes(b"GET //evil.com/x HTTP/1.1\r\n" + HOST + END, b"GET //evil.com/x HTTP/1.1\r\n\r\n"),
    "backslash": passes(b"GET /x\\y HTTP/1.1\r\n" + HOST + END, b"GET /x\\y HTTP/1.1\r\n\r\n"),
    "absolute form": refused(b"GET http://localhost/x HTTP/1.1\r\n" + HOST + END, 400, "bad_target"),
    "absolute form in capitals": refused(b"GET HTTP://LOCALHOST/x HTTP/1.1\r\n" + HOST + END, 400, "bad_target"),
    "absolute form elsewhere": refused(b"GET http://evil.com/x HTTP/1.1\r\n" + HOST + END, 400, "bad_target"),
    "absolute form of our own page": refused(
        b"GET http://localhost/-/health HTTP/1.1\r\n" + HOST + END, 400, "bad_target"
    ),
    "another scheme": refused(b"GET ftp://localhost/x HTTP/1.1\r\n" + HOST + END, 400, "bad_target"),
    "authority": refused(b"GET localhost:80 HTTP/1.1\r\n" + HOST + END),
    "user and authority": refused(b"GET user@localhost HTTP/1.1\r\n" + HOST + END),
    "a star": refused(b"OPTIONS * HTTP/1.1\r\n" + HOST + END, 400, "bad_target"),
    "a star to get": refused(b"GET * HTTP/1.1\r\n" + HOST + END),
    "a fragment": refused(b"GET /x#y HTTP/1.1\r\n" + HOST + END, 400, "bad_target"),
    "a fragment in a query": refused(b"GET /x?a=#b HTTP/1.1\r\n" + HOST + END, 400, "bad_target"),
    "only a fragment": refused(b"GET # HTTP/1.1\r\n" + HOST + END),
    "only a query": refused(b"GET ?x HTTP/1.1\r\n" + HOST + END),
    "no slash": refused(b"GET x HTTP/1.1\r\n" + HOST + END),
    "NUL": refused(b"GET /x\0y HTTP/1.1\r\n" + HOST + END),
    "tab": refused(b"GET /x\ty HTTP/1.1\r\n" + HOST + END),
    "DEL": refused(b"GET /x\x7f HTTP/1.1\r\n" + HOST + END),
    "escape": refused(b"GET /x\x1b[0m HTTP/1.1\r\n" + HOST + END),
    "blank": refused(b"GET /x y HTTP/1.1\r\n" + HOST + END),
    "bare CR": refused(b"GET /x\ry HTTP/1.1\r\n" + HOST + END),
    "bare LF": refused(b"GET /x\ny HTTP/1.1\r\n" + HOST + END),
    "utf-8": refused(b"GET /caf\xc3\xa9 HTTP/1.1\r\n" + HOST + END),
    "latin-1": refused(b"GET /caf\xe9 HTTP/1.1\r\n" + HOST + END),
    "not utf-8": refused(b"GET /\xff\xfe HTTP/1.1\r\n" + HOST + END),
    "utf-8 dots": refused(b"GET /\xc0\xae\xc0\xae/ HTTP/1.1\r\n" + HOST + END),
}


@pytest.mark.parametrize("cut", [0, 1, 7])
@pytest.mark.parametrize("kind", CASES)
async def test_a_target_passes_as_it_came_or_is_refused(make_relay: MakeRelay, kind: str, cut: int) -> None:
    async with Recorder() as upstream:
        rig = await make_relay(upstream.port)
        await hold(rig, upstream, CASES[kind], cut=cut)
