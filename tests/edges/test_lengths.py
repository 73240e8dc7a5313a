"""Content-Length: one number of digits, or none; never beside Transfer-Encoding."""

from __future__ import annotations

import pytest

from tests.relay.conftest import MakeRelay

from .recorder import CHAT, GET, POST, Recorder, hold, passes, refused

CASES = {
    "plain": passes(POST + b"Content-Length: 5\r\n\r\nhello", b"POST /x HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"),
    "blanks around": passes(
        POST + b"Content-Length: \t 5 \t\r\n\r\nhello", b"POST /x HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"
    ),
    "leading zeros": passes(
        POST + b"Content-Length: 0005\r\n\r\nhello", b"POST /x HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"
    ),
    "zero": passes(POST + b"Content-Length: 0\r\n\r\n", b"POST /x HTTP/1.1\r\nContent-Length: 0\r\n\r\n"),
    "of a get": passes(GET + b"Content-Length: 5\r\n\r\nhello", b"GET /x HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"),
    "in another name": passes(POST + b"Content-Lengths: 5\r\n\r\n", b"POST /x HTTP/1.1\r\nContent-Lengths: 5\r\n\r\n"),
    "with an underscore": passes(POST + b"Content_Length: 5\r\n\r\n", b"POST /x HTTP/1.1\r\n\r\n"),
    "empty": refused(POST + b"Content-Length:\r\n\r\n"),
    "a plus": refused(POST + b"Content-Length: +5\r\n\r\nhello"),
    "a minus": refused(POST + b"Content-Length: -5\r\n\r\nhello"),
    "minus zero": refused(POST + b"Content-Length: -0\r\n\r\n"),
    "a list": refused(POST + b"Content-Length: 5,5\r\n\r\nhello"),
    "a list with a blank": refused(POST + b"Content-Length: 5, 5\r\n\r\nhello"),
    "two words": refused(POST + b"Content-Length: 5 5\r\n\r\nhello"),
    "hexadecimal": refused(POST + b"Content-Length: 0x5\r\n\r\nhello"),
    "an exponent": refused(POST + b"Content-Length: 5e0\r\n\r\nhello"),
    "a fraction": refused(POST + b"Content-Length: 5.0\r\n\r\nhello"),
    "an underscore between": refused(POST + b"Content-Length: 1_0\r\n\r\nhellohello"),
    "quotes": refused(POST + b'Content-Length: "5"\r\n\r\nhello'),
    "foreign digits": refused(POST + b"Content-Length: \xef\xbc\x95\r\n\r\nhello"),
    "superscript": refused(POST + b"Content-Length: \xb2\r\n\r\nhe"),
    "a comment": refused(POST + b"Content-Length: 5;x\r\n\r\nhello"),
    "a blank before the colon": refused(POST + b"Content-Length : 5\r\n\r\nhello"),
    "a folded value": refused(POST + b"Content-Length:\r\n 5\r\n\r\nhello"),
    "NUL behind": refused(POST + b"Content-Length: 5\0\r\n\r\nhello"),
    "vertical tab": refused(POST + b"Content-Length: \x0b5\r\n\r\nhello"),
    "twice the same": refused(POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"),
    "twice in other letters": refused(POST + b"content-length: 5\r\nCONTENT-LENGTH: 5\r\n\r\nhello"),
    "twice different": refused(POST + b"Content-Length: 5\r\nContent-Length: 0\r\n\r\nhello"),
    "beyond 64 bits": refused(POST + b"Content-Length: 18446744073709551616\r\n\r\nhello"),
    "all of 64 bits": refused(POST + b"Content-Length: 18446744073709551615\r\n\r\nhello"),
    "all of 64 bits of a call": refused(CHAT + b"Content-Length: 18446744073709551615\r\n\r\nhello"),
    "beyond 63 bits": refused(POST + b"Content-Length: 9223372036854775808\r\n\r\nhello"),
    "a thousand digits": refused(POST + b"Content-Length: " + b"0" * 1000 + b"5\r\n\r\nhello"),
    "longer than we take": refused(POST + b"Content-Length: 999999999\r\n\r\nhello", 413, "request_too_large"),
    "with chunked": refused(POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "behind chunked": refused(POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
    "with an unknown coding": refused(POST + b"Transfer-Encoding: x\r\nContent-Length: 5\r\n\r\nhello"),
    "named by Connection": passes(
        POST + b"Connection: content-length\r\nContent-Length: 5\r\n\r\nhello",
        b"POST /x HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
    ),
}


@pytest.mark.parametrize("cut", [0, 1, 7])
@pytest.mark.parametrize("kind", CASES)
async def test_a_length_is_a_length_or_refused(make_relay: MakeRelay, kind: str, cut: int) -> None:
    async with Recorder() as upstream:
        rig = await make_relay(upstream.port)
        await hold(rig, upstream, CASES[kind], cut=cut)
