"""An upstream that keeps the exact bytes of each request, and cases of raw bytes against a relay before it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from typing import NamedTuple

from tests.relay.peer import Peer, connected
from tests.relay.rig import Rig

HOST = b"Host: localhost\r\n"
GET = b"GET /x HTTP/1.1\r\n" + HOST
POST = b"POST /x HTTP/1.1\r\n" + HOST
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
CHAT = b"POST /v1/chat/completions HTTP/1.1\r\n" + HOST
END = b"\r\n"
LAST = b"0\r\n\r\n"
# Goes behind each case: what is refused must close before it, what passes must leave it whole.
NEXT = b"GET /next HTTP/1.1\r\n" + HOST + END
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
# A request as only one reader could read it; the recorder takes nothing else.
_HEAD = re.compile(rb"[A-Z-]+ [!-~]+ HTTP/1\.1\r\n(?:[!#$%&'*+.^`|~0-9A-Za-z-]+: [\t\x20-\x7e\x80-\xff]*\r\n)*\r\n")
_FRAMING = re.compile(rb"\r\n(content-length|transfer-encoding): ([^\r]*)", re.IGNORECASE)


class Recorder:
    """`async with Recorder() as upstream`. `requests`: each one whole, without our Host line, its chunks joined."""

    def __init__(self) -> None:
        self.port = 0
        self.requests: list[bytes] = []
        self.oddities: list[bytes] = []  # what could be read in two ways
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Recorder:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=2**18)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        assert not self.oddities, self.oddities

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                body = await self._body(head, reader)
                if b"\r\nTransfer-Encoding: chunked\r\n" in head:
                    head = head.replace(b"Transfer-Encoding: chunked", b"Content-Length: %d" % len(body))
                host = b"Host: 127.0.0.1:%d\r\n" % self.port
                if head.count(host) != 1 or head.lower().count(b"\r\nhost:") != 1:
                    self.oddities.append(head)
                self.requests.append(head.replace(host, b"") + body)
                writer.write(OK[:-2] if head.startswith(b"HEAD ") else OK)
        writer.transport.abort()

    async def _body(self, head: bytes, reader: asyncio.StreamReader) -> bytes:
        framing = _FRAMING.findall(head)
        if _HEAD.fullmatch(head) is None or len(framing) > 1:
            self.oddities.append(head)
        if not framing:
            return b""
        name, value = framing[0]
        if name.lower() == b"content-length":
            if not re.fullmatch(rb"0|[1-9]\d*", value):
                self.oddities.append(head)
            return await reader.readexactly(int(value))
        if value != b"chunked":
            self.oddities.append(head)
        return await self._chunks(reader)

    async def _chunks(self, reader: asyncio.StreamReader) -> bytes:
        body = b""
        while True:
            size = await reader.readuntil(b"\r\n")
            piece = await reader.readexactly(int(size, 16) + 2)
            if not re.fullmatch(rb"[0-9a-f]+\r\n", size) or not piece.endswith(b"\r\n"):
                self.oddities.append(size + piece)
            if len(piece) == 2:
                return body
            body += piece[:-2]


class Case(NamedTuple):
    """Raw bytes, and what must come of them."""

    raw: bytes
    status: int = 400
    code: str = "bad_request"
    sent: bytes | None = None  # what the upstream gets, without its Host line; None: nothing


def refused(raw: bytes, status: int = 400, code: str = "bad_request") -> Case:
    return Case(raw, status, code)


def passes(raw: bytes, sent: bytes) -> Case:
    return Case(raw, 200, "", sent)


async def hold(rig: Rig, upstream: Recorder, case: Case, *, cut: int = 0) -> None:
    """Send the case, `cut` bytes at a time (0: at once), and a request behind it; see that all is as it must be."""
    async with connected(rig.port) as peer:
        await send(peer, case.raw + NEXT, cut=cut)
        answer = await peer.answer(head_only=case.raw.startswith(b"HEAD "))
        if answer.status == 100:
            answer = await peer.answer()
        if case.sent is None:
            assert (answer.status, answer.value(b"connection")) == (case.status, b"close"), answer
            if not case.raw.startswith(b"HEAD "):
                assert (case.code, answer.error["code"]) == (case.code, json.loads(answer.body)["error"]["code"])
                assert answer.error["code"] == case.code, answer
            assert await peer.closed(), "something follows a refusal"
            assert upstream.requests == []
        else:
            assert answer.status == case.status, answer
            assert (await peer.answer()).status == 200
            assert upstream.requests == [case.sent, b"GET /next HTTP/1.1\r\n\r\n"]


async def send(peer: Peer, raw: bytes, *, cut: int) -> None:
    if not cut:
        peer.send(raw)
        return
    with contextlib.suppress(ConnectionError):
        for at in range(0, len(raw), cut):
            if peer.writer.transport.is_closing():
                return  # refused already
            peer.send(raw[at : at + cut])
            await asyncio.sleep(0)
