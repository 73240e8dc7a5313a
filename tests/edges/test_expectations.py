"""Expect: 100-continue is answered here; whatever else it says is not passed on and breaks nothing."""

from __future__ import annotations

import pytest

from tests.relay.conftest import MakeRelay

from .recorder import GET, POST, Recorder, hold, passes, refused

CASES = {
    "100-continue with its body": passes(
        POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\nab",
        b"POST /x HTTP/1.1\r\nContent-Length: 2\r\n\r\nab",
    ),
    "bytes beyond ASCII": passes(
        POST + b"Expect: \xff\xfe\r\nContent-Length: 2\r\n\r\nab", b"POST /x HTTP/1.1\r\nContent-Length: 2\r\n\r\nab"
    ),
    "another": passes(
        POST + b"Expect: 200-ok\r\nContent-Length: 2\r\n\r\nab", b"POST /x HTTP/1.1\r\nContent-Length: 2\r\n\r\nab"
    ),
    "empty": passes(
        POST + b"Expect:\r\nContent-Length: 2\r\n\r\nab", b"POST /x HTTP/1.1\r\nContent-Length: 2\r\n\r\nab"
    ),
    "twice": passes(
        POST + b"Expect: 100-continue\r\nExpect: x\r\nContent-Length: 2\r\n\r\nab",
        b"POST /x HTTP/1.1\r\nContent-Length: 2\r\n\r\nab",
    ),
    "without a body": passes(GET + b"Expect: 100-continue\r\n\r\n", b"GET /x HTTP/1.1\r\n\r\n"),
    "NUL": refused(POST + b"Expect: 100-continue\0\r\nContent-Length: 2\r\n\r\nab"),
}


@pytest.mark.parametrize("cut", [0, 1, 7])
@pytest.mark.parametrize("kind", CASES)
async def test_expect_with_odd_bytes_passes_without_it(make_relay: MakeRelay, kind: str, cut: int) -> None:
    async with Recorder() as upstream:
        rig = await make_relay(upstream.port)
        await hold(rig, upstream, CASES[kind], cut=cut)
