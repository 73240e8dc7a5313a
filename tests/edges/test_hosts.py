"""Host: one, ours, and nothing but a name or address with perhaps a port."""

from __future__ import annotations

import pytest

from tests.relay.conftest import MakeRelay

from .recorder import END, GET, HOST, Recorder, hold, passes, refused

CASES = {
    "none": refused(b"GET /x HTTP/1.1\r\n\r\n"),
    "empty": refused(b"GET /x HTTP/1.1\r\nHost:\r\n\r\n", 400, "bad_host"),
    "blank": refused(b"GET /x HTTP/1.1\r\nHost:  \r\n\r\n", 400, "bad_host"),
    "two": refused(GET + b"Host: evil.com\r\n\r\n"),
    "the same twice": refused(GET + HOST + END),
    "the same twice in other letters": refused(GET + b"hOST: localhost\r\n\r\n"),
    "a list": refused(b"GET /x HTTP/1.1\r\nHost: localhost, evil.com\r\n\r\n", 400, "bad_host"),
    "two words": refused(b"GET /x HTTP/1.1\r\nHost: localhost evil.com\r\n\r\n", 400, "bad_host"),
    "a path": refused(b"GET /x HTTP/1.1\r\nHost: localhost/evil\r\n\r\n", 400, "bad_host"),
    "a query": refused(b"GET /x HTTP/1.1\r\nHost: evil.com?.localhost\r\n\r\n", 400, "bad_host"),
    "a fragment": refused(b"GET /x HTTP/1.1\r\nHost: evil.com#.localhost\r\n\r\n", 400, "bad_host"),
    "a user": refused(b"GET /x HTTP/1.1\r\nHost: evil@x.localhost\r\n\r\n", 400, "bad_host"),
    "a user before": refused(b"GET /x HTTP/1.1\r\nHost: localhost@evil.com\r\n\r\n", 400, "bad_host"),
    "a backslash": refused(b"GET /x HTTP/1.1\r\nHost: localhost\\.evil.com\r\n\r\n", 400, "bad_host"),
    "a scheme": refused(b"GET /x HTTP/1.1\r\nHost: http://localhost\r\n\r\n", 400, "bad_host"),
    "percent": refused(b"GET /x HTTP/1.1\r\nHost: %6cocalhost\r\n\r\n", 400, "bad_host"),
    "bytes beyond ASCII": refused(b"GET /x HTTP/1.1\r\nHost: \xe9.localhost\r\n\r\n", 400, "bad_host"),
    "two dots": refused(b"GET /x HTTP/1.1\r\nHost: a..localhost\r\n\r\n", 400, "bad_host"),
    "no port behind the colon": refused(b"GET /x HTTP/1.1\r\nHost: localhost:\r\n\r\n", 400, "bad_host"),
    "a port of letters": refused(b"GET /x HTTP/1.1\r\nHost: localhost:http\r\n\r\n", 400, "bad_host"),
    "a port too large": refused(b"GET /x HTTP/1.1\r\nHost: localhost:65536\r\n\r\n", 400, "bad_host"),
    "two ports": refused(b"GET /x HTTP/1.1\r\nHost: localhost:80:81\r\n\r\n", 400, "bad_host"),
    "a signed port": refused(b"GET /x HTTP/1.1\r\nHost: localhost:+80\r\n\r\n", 400, "bad_host"),
    "an open bracket": refused(b"GET /x HTTP/1.1\r\nHost: [::1\r\n\r\n", 400, "bad_host"),
    "no brackets": refused(b"GET /x HTTP/1.1\r\nHost: ::1\r\n\r\n", 400, "bad_host"),
    "a zone": refused(b"GET /x HTTP/1.1\r\nHost: [fe80::1%25eth0]\r\n\r\n", 400, "bad_host"),
    "NUL": refused(b"GET /x HTTP/1.1\r\nHost: localhost\0\r\n\r\n"),
    "long": refused(b"GET /x HTTP/1.1\r\nHost: " + b"a" * 300 + b".localhost\r\n\r\n", 400, "bad_host"),
    "foreign": refused(b"GET /x HTTP/1.1\r\nHost: evil.com\r\n\r\n", 403, "host_refused"),
    "ours at the begin": refused(b"GET /x HTTP/1.1\r\nHost: localhost.evil.com\r\n\r\n", 403, "host_refused"),
    "one that is a name of ours by underscore": passes(
        b"GET /x HTTP/1.1\r\nHost: a_b.local\r\n\r\n", b"GET /x HTTP/1.1\r\n\r\n"
    ),
    "an address": passes(b"GET /x HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n", b"GET /x HTTP/1.1\r\n\r\n"),
    "an IPv6 address": passes(b"GET /x HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", b"GET /x HTTP/1.1\r\n\r\n"),
    "capitals and a dot": passes(b"GET /x HTTP/1.1\r\nHOST: LocalHost.\r\n\r\n", b"GET /x HTTP/1.1\r\n\r\n"),
    "on our own pages too": refused(b"GET /-/health HTTP/1.1\r\nHost: evil.com\r\n\r\n", 403, "host_refused"),
}


@pytest.mark.parametrize("cut", [0, 1, 7])
@pytest.mark.parametrize("kind", CASES)
async def test_one_host_that_is_ours_or_a_refusal(make_relay: MakeRelay, kind: str, cut: int) -> None:
    async with Recorder() as upstream:
        rig = await make_relay(upstream.port)
        await hold(rig, upstream, CASES[kind], cut=cut)
