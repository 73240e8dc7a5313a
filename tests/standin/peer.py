"""The other end of the stand-in's socket: sends raw bytes, reads raw bytes, knows the recordings."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from socket import SO_LINGER, SOL_SOCKET
from typing import Any

from proxy.standin.server import StandIn

WIRE = Path(__file__).parents[1] / "data" / "wire"
OLLAMA = ("ollama-0.33", "ollama-0.24")

# What differs from run to run: ids, times, durations. Everything else must be the same bytes.
_VARIES: tuple[tuple[bytes, bytes], ...] = (
    (rb"Date: [^\r]*", b"Date: -"),
    (rb'"chatcmpl-\d{1,3}"', b'"chatcmpl-N"'),
    (rb'"cmpl-\d{1,3}"', b'"cmpl-N"'),
    (rb'"(resp|msg|rs)_\d{1,6}"', rb'"\1_N"'),
    (rb'"fc_\d{1,6}_(\d)"', rb'"fc_N_\1"'),
    (rb'"(msg|req)_[0-9a-f]{24}"', rb'"\1_H"'),
    (rb'"call_[a-z0-9]{8}"', b'"call_X"'),
    (rb'"(created|created_at|completed_at)":\d{10}\b', rb'"\1":T'),
    (rb'"created_at":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z"', b'"created_at":"T"'),
    (rb'"(total|load|prompt_eval|eval)_duration":[1-9]\d*', rb'"\1_duration":D'),
)
_CONTEXT = re.compile(rb'"context":\[([\d,]*)\]')


def steady(raw: bytes) -> bytes:
    """`raw` without what differs from run to run. Lengths that depend on it are set anew."""
    for pattern, fixed in _VARIES:
        raw = re.sub(pattern, fixed, raw)
    raw = _CONTEXT.sub(lambda found: b'"context":%d tokens' % (found[1].count(b",") + 1), raw)
    raw = re.sub(rb"Content-Length: [1-9]\d*", b"Content-Length: n", raw)
    return re.sub(rb"(?<=\r\n)[1-9a-f][0-9a-f]*\r\n(?!\r\n)", b"n\r\n", raw)


def chunk_sizes_fit(raw: bytes) -> bool:
    """Whether the announced length, or each chunk's, is that of the bytes."""
    head, _, body = raw.rpartition(b"HTTP/1.1 ")[2].partition(b"\r\n\r\n")
    length = re.search(rb"Content-Length: (\d+)", head)
    if length:
        return not body or len(body) == int(length[1])
    while body:
        size, _, rest = body.partition(b"\r\n")
        if rest[int(size, 16) :][:2] != b"\r\n":
            return False
        body = rest[int(size, 16) + 2 :]
    return True


def request_of(name: str) -> bytes:
    return (WIRE / f"{name}.request").read_bytes()


def response_of(name: str) -> bytes:
    return (WIRE / f"{name}.response").read_bytes()


def post(path: str, body: Any, *fields: str) -> bytes:
    """A POST of JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(data)}", *fields]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + data


def get(path: str, *fields: str, method: str = "GET") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *fields]).encode() + b"\r\n\r\n"


def chat(model: str = "chat", stand_in: str = "", **body: Any) -> bytes:
    """A chat request; stand_in: the value of the x-stand-in header."""
    asked = {"model": model, "messages": [{"role": "user", "content": "hello"}], **body}
    return post("/v1/chat/completions", asked, f"x-stand-in: {stand_in}" if stand_in else "x-none: 1")


class Peer:
    """A client on one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.reader, self.writer = reader, writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def some(self, within_s: float = 30.0) -> bytes:
        """The next bytes; b"" at the end."""
        async with asyncio.timeout(within_s):
            return await self.reader.read(1 << 20)

    async def silent(self, for_s: float = 0.15) -> bool:
        """Whether nothing comes for so long."""
        try:
            await self.some(for_s)
        except TimeoutError:
            return True
        return False

    async def answer(self, *, head_only: bool = False) -> bytes:
        """One whole answer as its own head frames it, any 1xx before it included."""
        async with asyncio.timeout(30):
            raw = await self.reader.readuntil(b"\r\n\r\n")
            head = raw
            while head.startswith(b"HTTP/1.1 1"):
                head = await self.reader.readuntil(b"\r\n\r\n")
                raw += head
            if head_only or head.startswith(b"HTTP/1.1 204"):
                return raw
            length = re.search(rb"Content-Length: (\d+)", head)
            if length:
                return raw + await self.reader.readexactly(int(length[1]))
            return raw + await self._chunks()

    async def _chunks(self) -> bytes:
        raw = b""
        while True:
            size = await self.reader.readuntil(b"\r\n")
            raw += size + await self.reader.readexactly(int(size, 16) + 2)
            if int(size, 16) == 0:
                return raw

    async def to_end(self) -> bytes:
        """Everything until the server closes. Raises ConnectionResetError after a reset."""
        async with asyncio.timeout(30):
            return await self.reader.read()

    def reset(self) -> None:
        """Leave with a reset, as a killed process with unread bytes does."""
        self.writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


@contextlib.asynccontextmanager
async def peer(stand_in: StandIn) -> AsyncIterator[Peer]:
    """A connection to `stand_in`, closed at the end."""
    one = Peer(*await asyncio.open_connection(stand_in.host, stand_in.port))
    try:
        yield one
    finally:
        await one.close()


async def ask(stand_in: StandIn, request: bytes) -> bytes:
    """The whole answer to one request on a connection of its own."""
    async with peer(stand_in) as one:
        one.send(request)
        return await one.answer(head_only=request.startswith(b"HEAD "))


def body_of(raw: bytes) -> bytes:
    """The body of an answer, chunks joined."""
    head, _, body = raw.partition(b"\r\n\r\n")
    if b"chunked" not in head:
        return body
    said = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        said += rest[: int(size, 16)]
        body = rest[int(size, 16) + 2 :]
    return said


async def until(stand_in: StandIn, counted: str, value: int = 1, within_s: float = 30.0) -> None:
    """Wait until stats.`counted` is `value`."""
    async with asyncio.timeout(within_s):
        while getattr(stand_in.stats, counted) != value:
            await asyncio.sleep(0.005)
