"""An upstream that does exactly what a test says, byte for byte, on a real socket."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import NamedTuple

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


class Seen(NamedTuple):
    """One request as it arrived."""

    raw_head: bytes
    body: bytes

    @property
    def line(self) -> bytes:
        return self.raw_head.partition(b"\r\n")[0]

    @property
    def fields(self) -> list[tuple[bytes, bytes]]:
        lines = self.raw_head.split(b"\r\n")[1:-2]
        return [(name, value) for name, _, value in (line.partition(b": ") for line in lines)]

    def values(self, name: bytes) -> list[bytes]:
        return [value for found, value in self.fields if found.lower() == name.lower()]


class Conn:
    """One connection of the relay to this upstream."""

    def __init__(self, server: Scripted, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server, self.reader, self.writer = server, reader, writer

    async def head(self) -> bytes:
        """The next request's head. Raises IncompleteReadError when the relay closes first."""
        return await self.reader.readuntil(b"\r\n\r\n")

    async def request(self) -> Seen:
        """The next request, whole; also kept in the server's `seen`."""
        head = await self.head()
        seen = Seen(head, b"")
        if seen.values(b"transfer-encoding"):
            body = await self._chunks()
        else:
            body = await self.reader.readexactly(int((seen.values(b"content-length") or [b"0"])[0]))
        seen = Seen(head, body)
        self.server.seen.append(seen)
        return seen

    async def _chunks(self) -> bytes:
        pieces: list[bytes] = []
        while True:
            size = int((await self.reader.readuntil(b"\r\n"))[:-2], 16)
            piece = await self.reader.readexactly(size + 2)
            assert piece.endswith(b"\r\n")
            if not size:
                return b"".join(pieces)
            pieces.append(piece[:-2])

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def close(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def left(self) -> None:
        """Wait until the relay breaks this connection; what it sends until then is dropped."""
        with contextlib.suppress(ConnectionError):
            while await self.reader.read(65536):
                pass
        self.server.left.set()


Script = Callable[[Conn], Awaitable[None]]


class Scripted:
    """Runs `script` for each connection. `async with Scripted(script) as upstream: upstream.port`."""

    def __init__(self, script: Script, *, receive_bytes: int | None = None) -> None:
        self.script = script
        self.port = 0
        self.seen: list[Seen] = []
        self.connections = 0
        self.left = asyncio.Event()  # a connection was broken by the relay, as Conn.left() saw it
        self.failures: list[BaseException] = []
        self._receive_bytes = receive_bytes
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Scripted:
        sock = socket.socket()
        if self._receive_bytes:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_bytes)
        sock.bind(("127.0.0.1", 0))
        self._server = await asyncio.start_server(self._serve, sock=sock, limit=2**16)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        assert not self.failures, self.failures

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            await self.script(Conn(self, reader, writer))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the relay closed
        except asyncio.CancelledError:
            pass  # the test is over
        except BaseException as failure:
            self.failures.append(failure)
        finally:
            self._tasks.discard(task)
            writer.transport.abort()


def answers(*raw: bytes, close: bool = False) -> Script:
    """Answer every request with these bytes, each written by itself."""

    async def script(conn: Conn) -> None:
        while True:
            await conn.request()
            for data in raw:
                await conn.send(data)
                if len(raw) > 1:
                    await asyncio.sleep(0.001)
            if close:
                conn.close()
                return

    return script


def chunked(*pieces: bytes, fields: bytes = b"Content-Type: text/event-stream\r\n", end: bool = True) -> bytes:
    """A chunked answer of these pieces."""
    head = b"HTTP/1.1 200 OK\r\n" + fields + b"Transfer-Encoding: chunked\r\n\r\n"
    body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return head + body + (b"0\r\n\r\n" if end else b"")
