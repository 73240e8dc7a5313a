"""A client that sends raw bytes and reads answers with a strict reader of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import struct
from collections.abc import AsyncIterator
from typing import Any, NamedTuple, cast

CHAT: dict[str, Any] = {"model": "chat", "messages": [{"role": "user", "content": "hello"}]}
_FIELD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+: [\t\x20-\x7e\x80-\xff]*\Z")


class BrokenAnswerError(Exception):
    """The connection ended inside an answer."""


class Answer(NamedTuple):
    status: int
    raw_head: bytes
    fields: list[tuple[bytes, bytes]]
    body: bytes

    def value(self, name: bytes) -> bytes | None:
        found = [value for field, value in self.fields if field.lower() == name.lower()]
        assert len(found) < 2, found
        return found[0] if found else None

    @property
    def error(self) -> Any:
        """The error of an answer of ours; checks its shape."""
        error = json.loads(self.body)["error"]
        assert set(error) == {"message", "type", "param", "code", "request_id"}
        assert self.value(b"content-type") == b"application/json"
        assert (self.value(b"x-request-id") or b"").decode() == error["request_id"]
        return error


def post(path: str | bytes, body: bytes | dict[str, Any], *fields: str | bytes, version: str = "1.1") -> bytes:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return request("POST", path, *fields, f"Content-Length: {len(data)}", version=version) + data


def request(method: str, path: str | bytes, *fields: str | bytes, version: str = "1.1") -> bytes:
    target = path if isinstance(path, bytes) else path.encode()
    lines = [b"%b %b HTTP/%b" % (method.encode(), target, version.encode()), b"Host: localhost"]
    lines += [field if isinstance(field, bytes) else field.encode() for field in fields]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def chat(*fields: str, **body: Any) -> bytes:
    return post("/v1/chat/completions", {**CHAT, **body}, *fields)


class Peer:
    """One connection to the relay."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def ask(self, data: bytes, *, within_s: float = 30.0) -> Answer:
        self.send(data)
        return await self.answer(head_only=data.startswith(b"HEAD "), within_s=within_s)

    async def head(self, *, within_s: float = 30.0) -> Answer:
        """The next answer's head, its body not read."""
        async with asyncio.timeout(within_s):
            try:
                raw = await self.reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError as error:
                raise BrokenAnswerError(error.partial) from None
        first, *lines = raw[:-4].split(b"\r\n")
        status = re.fullmatch(rb"HTTP/1\.1 ([2-5]\d\d) [\t\x20-\x7e\x80-\xff]*|HTTP/1\.1 (100) Continue", first)
        assert status, first
        for line in lines:
            assert _FIELD.match(line), line
        fields = [(name, value) for name, _, value in (line.partition(b": ") for line in lines)]
        return Answer(int(status[1] or status[2]), raw, fields, b"")

    async def answer(self, *, head_only: bool = False, within_s: float = 30.0) -> Answer:
        """One whole answer, as its head frames it. Raises BrokenAnswerError when it is cut."""
        head = await self.head(within_s=within_s)
        async with asyncio.timeout(within_s):
            return head._replace(body=await self._body(head, head_only=head_only))

    async def _body(self, head: Answer, *, head_only: bool) -> bytes:
        length, coding = head.value(b"content-length"), head.value(b"transfer-encoding")
        assert length is None or coding is None
        if head_only or head.status in (100, 204, 304):
            assert coding is None
            return b""
        try:
            if length is not None:
                return await self.reader.readexactly(int(length))
            if coding is None:
                assert head.value(b"connection") == b"close"
                return await self.reader.read()
            return b"".join([piece async for piece in self.chunks()])
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise BrokenAnswerError(error) from None

    async def chunks(self) -> AsyncIterator[bytes]:
        """The chunks of a body as they come."""
        try:
            while True:
                size = await self.reader.readuntil(b"\r\n")
                assert re.fullmatch(rb"[0-9a-fA-F]+\r\n", size), size
                piece = await self.reader.readexactly(int(size, 16) + 2)
                assert piece.endswith(b"\r\n")
                if len(piece) == 2:
                    return
                yield piece[:-2]
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise BrokenAnswerError(error) from None

    async def closed(self, *, within_s: float = 30.0) -> bool:
        """Whether the relay closes without another byte."""
        async with asyncio.timeout(within_s):
            try:
                return await self.reader.read(1) == b""
            except ConnectionError:
                return True

    def leave(self, how: str = "close") -> None:
        """Be gone at once."""
        if how == "reset":
            self.writer.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
        if how == "half-close":
            self.writer.write_eof()
        else:
            self.writer.transport.abort()


def reading(writer: asyncio.StreamWriter) -> asyncio.ReadTransport:
    """The reading side of a stream's transport, to be paused and resumed."""
    return cast(asyncio.ReadTransport, writer.transport)


@contextlib.asynccontextmanager
async def connected(port: int, *, receive_bytes: int | None = None) -> AsyncIterator[Peer]:
    sock = socket.socket()
    if receive_bytes:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    peer = Peer(*await asyncio.open_connection(sock=sock, limit=2**18))
    try:
        yield peer
    finally:
        peer.writer.transport.abort()


async def ask(port: int, data: bytes, *, within_s: float = 30.0) -> Answer:
    """One request on a connection of its own."""
    async with connected(port) as peer:
        return await peer.ask(data, within_s=within_s)
