"""Requests for the fuzz: whole ones of every kind, damaged at random, each marked with its number."""

from __future__ import annotations

import random
import re
import zlib
from typing import Final

HOST: Final = b"Host: localhost\r\n"
_LAST: Final = b"GET /%b/last HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"
_MARK: Final = re.compile(rb"f(\d+)-([0-9a-f]{8})/")
_BODY: Final = b'{"model":"m","stream":false,"messages":[{"role":"user","content":"GET /inside HTTP/1.1"}]}'
_FIELDS: Final = (
    b"", b"Content-Type: application/json\r\n",
    b"X-A: b\r\nX-a: c\r\n", b"Expect: 100-continue\r\n", b"Accept: */*\r\n",
    b"Connection: keep-alive, x-a\r\nX-A: b\r\n", b"Authorization: Bearer sk-none\r\n", b"TE: trailers\r\n",
    b"Content-Encoding: gzip\r\n", b"Upgrade: h2c\r\nConnection: Upgrade\r\n", b"X_Y: z\r\n", b"User-Agent: fuzz\r\n",
)  # fmt: skip
_BITS: Final = (
    b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b"chunked", b"Content-Length: 5\r\n", b"0\r\n\r\n", b"\xff", b"#",
    b"Transfer-Encoding: chunked\r\n", b"HTTP/1.1", b"99999999999999999999", b"-1", b"+", b"Host: x\r\n", b"{", b'"',
    b"%", b"\\ud800", b";", b",", b"_", b"0x", b"\x0b", b"\x7f", b"\r\n\r\n", b"\r\n ", b"GET /inside HTTP/1.1\r\n",
    b"HTTP/1.0",
    b"Connection: close\r\n", b"Upgrade: websocket\r\n", b"http://localhost", b"18446744073709551615", b"\x16\x03\x01",
    b"*",
    b"Content-Length: 0\r\n", b"transfer-encoding : chunked\r\n", b"Expect: \xe9\r\n", b"\xc2\xa0", b"identity",
)  # fmt: skip


def mark(number: int) -> bytes:
    """What is in each target of a case; with a check, so that a damaged one is not taken for another's."""
    return b"f%d-%08x" % (number, zlib.crc32(b"%d" % number))


def number_in(target: bytes) -> int:
    """The number of the case that a target belongs to; -1: its mark is damaged."""
    found = _MARK.search(target)
    return int(found[1]) if found and found[0] == mark(int(found[1])) + b"/" else -1


def case(seed: int, number: int) -> tuple[bytes, list[bytes]]:
    """The bytes of one connection, and the same in the pieces they are sent in. The last request closes."""
    chance = random.Random(seed * 1_000_003 + number)
    raw = b"".join(_request(chance, number) for _ in range(chance.choice((1, 1, 1, 2, 3))))
    if chance.random() < 0.9:
        raw = _damaged(chance, raw)
    raw += _LAST % mark(number)
    cuts = sorted(chance.randrange(len(raw) + 1) for _ in range(chance.choice((0, 0, 1, 2, 5))))
    return raw, [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True) if a < b]


def _request(chance: random.Random, number: int) -> bytes:
    method = chance.choice((b"GET", b"POST", b"POST", b"PUT", b"HEAD", b"DELETE", b"OPTIONS"))
    path = b"/" + mark(number) + chance.choice((b"/x", b"/v1/chat/completions?a=b", b"//y/../z", b"/%2f%00", b"/"))
    if chance.random() < 0.2:
        path = chance.choice((b"/v1/chat/completions", b"/api/chat", b"/v1/embeddings")) + b"?" + mark(number) + b"/"
    version = chance.choice((b"1.1", b"1.1", b"1.1", b"1.1", b"1.0"))
    fields = b"".join(chance.choice(_FIELDS) for _ in range(chance.randrange(3)))
    head = b"%b %b HTTP/%b\r\n%b%b" % (method, path, version, HOST, fields)
    framing = chance.randrange(3)
    if framing == 0 or method in (b"GET", b"HEAD"):
        return head + b"\r\n"
    body = _BODY[: chance.choice((0, 1, 30, len(_BODY)))]
    if framing == 1:
        return head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    size = chance.choice((1, 7, 50))
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(c), c) for c in (body[a : a + size] for a in range(0, len(body), size)))
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


def _damaged(chance: random.Random, raw: bytes) -> bytes:
    """One to four damages: bits of grammar put in, bytes flipped, taken out, doubled or swapped."""
    for _ in range(chance.randint(1, 4)):
        at, kind = chance.randrange(len(raw) + 1), chance.randrange(6)
        if kind == 0:
            raw = raw[:at] + chance.choice(_BITS) + raw[at:]
        elif kind == 1:
            raw = raw[:at] + raw[at + chance.randint(1, 20) :]
        elif kind == 2:
            raw = raw[:at] + bytes([chance.randrange(256)]) + raw[at + 1 :]
        elif kind == 3:
            end = at + chance.randint(1, 60)
            raw = raw[:end] + raw[at:end] + raw[end:]
        elif kind == 4:
            raw = raw[:at] + chance.choice(_BITS) + raw[at + 3 :]
        elif at < len(raw):
            raw = raw[:at] + bytes([raw[at] ^ (1 << chance.randrange(8))]) + raw[at + 1 :]
    return raw
