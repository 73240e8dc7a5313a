"""First lines: METHOD target HTTP/1.x and nothing else."""

from __future__ import annotations

import pytest

from tests.relay.conftest import MakeRelay

from .recorder import END, GET, HOST, Recorder, hold, passes, refused

CASES = {
    "plain": passes(GET + END, b"GET /x HTTP/1.1\r\n\r\n"),
    "two blanks before the target": refused(b"GET  /x HTTP/1.1\r\n" + HOST + END),
    "two blanks behind the target": refused(b"GET /x  HTTP/1.1\r\n" + HOST + END),
    "a tab": refused(b"GET\t/x HTTP/1.1\r\n" + HOST + END),
    "a blank at the end": refused(b"GET /x HTTP/1.1 \r\n" + HOST + END),
    "a blank at the begin": refused(b" GET /x HTTP/1.1\r\n" + HOST + END),
    "an empty line before": passes(END + GET + END, b"GET /x HTTP/1.1\r\n\r\n"),
    "two empty lines before": passes(END + END + GET + END, b"GET /x HTTP/1.1\r\n\r\n"),
    "many empty lines before": refused(END * 5 + GET + END),
    "a bare LF before": refused(b"\n" + GET + END),
    "a bare CR before": refused(b"\r" + GET + END),
    "bare LFs": refused(b"GET /x HTTP/1.1\nHost: localhost\n\n"),
    "bare LF behind the first line": refused(b"GET /x HTTP/1.1\n" + HOST + END),
    "bare CR behind the first line": refused(b"GET /x HTTP/1.1\r" + HOST + END),
    "http/0.9": refused(b"GET /x\r\n"),
    "http/0.9 with fields": refused(b"GET /x\r\n" + HOST + END),
    "version 0.9": refused(b"GET /x HTTP/0.9\r\n" + HOST + END),
    "version 1.2": refused(b"GET /x HTTP/1.2\r\n" + HOST + END),
    "version 1": refused(b"GET /x HTTP/1\r\n" + HOST + END),
    "version 1.10": refused(b"GET /x HTTP/1.10\r\n" + HOST + END),
    "version 01.1": refused(b"GET /x HTTP/01.1\r\n" + HOST + END),
    "version 2.0": refused(b"GET /x HTTP/2.0\r\n" + HOST + END),
    "version in lower case": refused(b"GET /x http/1.1\r\n" + HOST + END),
    "rtsp": refused(b"GET /x RTSP/1.0\r\n" + HOST + END),
    "icecast": refused(b"SOURCE /x ICE/1.0\r\n" + HOST + END),
    "a method of rtsp": refused(b"DESCRIBE /x HTTP/1.1\r\n" + HOST + END),
    "an unknown method": refused(b"BREW /x HTTP/1.1\r\n" + HOST + END),
    "a method in lower case": refused(b"get /x HTTP/1.1\r\n" + HOST + END),
    "a method with a digit": refused(b"G3T /x HTTP/1.1\r\n" + HOST + END),
    "no method": refused(b"/x HTTP/1.1\r\n" + HOST + END),
    "no target": refused(b"GET HTTP/1.1\r\n" + HOST + END),
    "no target, two blanks": refused(b"GET  HTTP/1.1\r\n" + HOST + END),
    "a second version": refused(b"GET /x HTTP/1.1 HTTP/1.1\r\n" + HOST + END),
    "a known method that is rare": passes(b"PURGE /x HTTP/1.1\r\n" + HOST + END, b"PURGE /x HTTP/1.1\r\n\r\n"),
}


@pytest.mark.parametrize("cut", [0, 1, 7])
@pytest.mark.parametrize("kind", CASES)
async def test_a_first_line_is_read_in_one_way_or_refused(make_relay: MakeRelay, kind: str, cut: int) -> None:
    async with Recorder() as upstream:
        rig = await make_relay(upstream.port)
        await hold(rig, upstream, CASES[kind], cut=cut)
