"""Writes an answer as Go's net/http would: same head order, same buffering, same chunks.

Go keeps 2048 bytes of body before it decides. A handler that ends within them gets a Content-Length; one that
flushes or writes more gets `Transfer-Encoding: chunked`, each flush ending a chunk, and a single write larger than
the empty buffer becomes one chunk of its own size.
"""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from proxy.standin import faults

if TYPE_CHECKING:
    from proxy.standin.connection import Connection
    from proxy.standin.request import Request

BUFFER_BYTES = 2048
# Go reads at most so much of a body that the handler left unread; with more to come it closes the connection.
LEFTOVER_BYTES = 256 * 1024

_date: tuple[int, bytes] = (0, b"")


def http_date() -> bytes:
    """Now, as in `Date: Sat, 21 Nov 2026 00:03:56 GMT`; made once a second."""
    global _date
    now = int(time.time())
    if _date[0] != now:
        _date = (now, time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(now)).encode())
    return _date[1]


class Answer:
    """The answer to one request. `write` buffers, `flush` sends, `finish` ends it."""

    def __init__(self, connection: Connection, request: Request, fault: faults.Fault, *, chunk_bytes: int = 0):
        self.status = 200
        self.head_sent = False
        self.finished = False
        self.close_after = not request.keep_alive
        self.fault = fault
        self._chunk_bytes = chunk_bytes  # 0 = no cutting
        self._connection, self._request = connection, request
        self._fields: list[tuple[str, str]] = []
        self._buffer = bytearray()
        self._out = bytearray()  # framed, not yet handed to the socket
        self._chunked = False
        self._bodiless = request.method == "HEAD"

    def set(self, name: str, value: str) -> None:
        """The field `name` with this value only."""
        self._fields = [(key, old) for key, old in self._fields if key != name]
        self._fields.append((name, value))

    def add(self, name: str, value: str) -> None:
        """One more field of this name."""
        self._fields.append((name, value))

    def unset(self, *names: str) -> None:
        """No such fields."""
        self._fields = [field for field in self._fields if field[0] not in names]

    def write(self, data: bytes) -> None:
        """Take `data` into the body, as bufio.Writer does: full buffers go out, a large write goes out alone."""
        while len(data) > BUFFER_BYTES - len(self._buffer):
            if self._buffer:
                room = BUFFER_BYTES - len(self._buffer)
                self._buffer += data[:room]
                data = data[room:]
                self._frame(bytes(self._buffer))
                self._buffer.clear()
            else:
                self._frame(data)
                data = b""
        self._buffer += data

    async def flush(self) -> None:
        """Send what was written, the head first; waits while the client reads too slowly."""
        if self._buffer:
            self._frame(bytes(self._buffer))
            self._buffer.clear()
        elif not self.head_sent and not self._out:
            self._begin_chunked()
        await self._send()

    async def finish(self) -> None:
        """End the answer."""
        if not self.head_sent and not self._chunked:
            await self._finish_short()
            return
        if self._buffer:
            self._frame(bytes(self._buffer))
            self._buffer.clear()
        if self._chunked and not self._bodiless and self._request.http_version != "1.0":
            self._out += b"0\r\n\r\n"
        await self._send()
        self.finished = True

    async def _finish_short(self) -> None:
        body = bytes(self._buffer)
        self._buffer.clear()
        length = None if self.status == 204 else faults.announced_length(self.fault, len(body))
        head = self._head(length)
        self.head_sent = True
        await faults.send_whole(self._connection, self.fault, head, b"" if self._bodiless else body)
        self.finished = True

    def _begin_chunked(self) -> None:
        self._chunked = True

    def _frame(self, data: bytes) -> None:
        self._begin_chunked()
        if self._bodiless:
            return
        if self._request.http_version == "1.0":
            self._out += data
            return
        size = self._chunk_bytes or len(data)
        for at in range(0, len(data), size):
            piece = data[at : at + size]
            self._out += b"%x\r\n%b\r\n" % (len(piece), piece)

    async def _send(self) -> None:
        if not self.head_sent:
            self.head_sent = True
            head = self._head(None)
            if self.fault.kind in faults.AT_HEAD:
                await faults.send_head(self._connection, self.fault, head)
            else:
                self._out[:0] = head
        if self._out:
            data = bytes(self._out)
            self._out.clear()
            self._connection.send(data)
        await self._connection.writable()

    def _head(self, length: int | None) -> bytes:
        version = "1.1" if self._request.http_version != "1.0" else "1.0"
        left = self._request.announced_bytes or 0
        if not self._request.whole and left - self._request.body_bytes > LEFTOVER_BYTES:
            self.close_after = True
        if self._chunked and version == "1.0":
            self.close_after = True
        lines = [f"HTTP/{version} {self.status} {reason(self.status)}".encode()]
        for name, value in sorted(self._fields, key=lambda field: field[0]):
            lines.append(f"{name}: {value}".encode("latin-1", "replace"))
        lines.append(b"Date: " + http_date())
        if length is not None and not self._chunked:
            lines.append(b"Content-Length: %d" % length)
        if version == "1.1" and self.close_after:
            lines.append(b"Connection: close")
        elif version == "1.0" and not self.close_after:
            lines.append(b"Connection: keep-alive")
        if self._chunked and version == "1.1":
            lines.append(b"Transfer-Encoding: chunked")
        return b"\r\n".join(lines) + b"\r\n\r\n"


def reason(status: int) -> str:
    """The reason phrase as Go has it."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"status code {status}"
