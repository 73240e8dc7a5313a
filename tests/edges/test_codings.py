"""Transfer-Encoding: chunked, once, in HTTP/1.1."""

from __future__ import annotations

import pytest

from tests.relay.conftest import MakeRelay

from .recorder import CHUNKED, GET, HOST, LAST, POST, Recorder, hold, passes, refused

CASES = {
    "chunked": passes(CHUNKED + b"3\r\nabc\r\n" + LAST, b"POST /x HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"),
    "in capitals": passes(
        POST + b"TRANSFER-ENCODING: CHUNKED\r\n\r\n3\r\nabc\r\n" + LAST,
        b"POST /x HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
    ),
    "of a get": passes(
        GET + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n" + LAST,
        b"GET /x HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
    ),
    "with an underscore": passes(
        POST + b"Transfer_Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc",
        b"POST /x HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
    ),
    "named by Connection": passes(
        POST + b"Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n" + LAST,
        b"POST /x HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
    ),
    "another": refused(POST + b"Transfer-Encoding: gzip\r\n\r\nabc"),
    "another before": refused(POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + LAST),
    "another in a line before": refused(POST + b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n" + LAST),
    "another behind": refused(POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n" + LAST),
    "identity": refused(POST + b"Transfer-Encoding: identity\r\n\r\n"),
    "identity before": refused(POST + b"Transfer-Encoding: identity, chunked\r\n\r\n" + LAST),
    "twice": refused(POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + LAST),
    "twice in a list": refused(POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n" + LAST),
    "an empty item before": refused(POST + b"Transfer-Encoding: ,chunked\r\n\r\n" + LAST),
    "an empty item behind": refused(POST + b"Transfer-Encoding: chunked,\r\n\r\n" + LAST),
    "empty": refused(POST + b"Transfer-Encoding:\r\n\r\n"),
    "a parameter": refused(POST + b"Transfer-Encoding: chunked;q=1\r\n\r\n" + LAST),
    "quotes": refused(POST + b'Transfer-Encoding: "chunked"\r\n\r\n' + LAST),
    "a letter more": refused(POST + b"Transfer-Encoding: xchunked\r\n\r\n" + LAST),
    "a letter less": refused(POST + b"Transfer-Encoding: chunke\r\n\r\n" + LAST),
    "vertical tab": refused(POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n" + LAST),
    "a byte beyond ASCII": refused(POST + b"Transfer-Encoding: chunked\xa0\r\n\r\n" + LAST),
    "a blank before the colon": refused(POST + b"Transfer-Encoding : chunked\r\n\r\n" + LAST),
    "folded": refused(POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n" + LAST),
    "in HTTP/1.0": refused(b"POST /x HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n" + LAST),
    "in HTTP/1.0, kept": refused(
        b"POST /x HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n" + LAST
    ),
    "in HTTP/1.0 with a length": refused(
        b"POST /x HTTP/1.0\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + LAST
    ),
}


@pytest.mark.parametrize("cut", [0, 1, 7])
@pytest.mark.parametrize("kind", CASES)
async def test_chunked_is_the_only_coding(make_relay: MakeRelay, kind: str, cut: int) -> None:
    async with Recorder() as upstream:
        rig = await make_relay(upstream.port)
        await hold(rig, upstream, CASES[kind], cut=cut)
