"""Everything that can go wrong at an upstream, on request: the names, and the acts at the socket.

A fault is a name, for some with a value after a colon: `reset-mid-stream`, `status:503`, `big:1000000`.
Where a fault waits, it waits until the client leaves.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NoReturn

import msgspec

if TYPE_CHECKING:
    from proxy.standin.connection import Connection

NAMES: dict[str, str] = {
    "mute": "no byte ever",
    "mute-after-head": "the head of the answer, then no byte ever",
    "stall-mid-stream": "says `after` tokens (or half of a plain answer), then no byte ever",
    "close-before-head": "closes without an answer once the request is read",
    "reset-before-head": "resets (RST) without an answer once the request is read",
    "close-mid-stream": "closes (FIN) after `after` tokens, the chunked body or the length unfinished",
    "reset-mid-stream": "resets after `after` tokens, or in the middle of a plain answer",
    "reset-mid-chunk": "resets inside a chunk",
    "close-mid-head": "closes inside the head",
    "clean-end-mid-stream": "ends the chunked body properly after `after` tokens: no finish, no usage, no [DONE]",
    "junk-then-end": "as if the runner was killed: /v1 streams send a junk event and end, native ones an error line",
    "error-line": "the same",
    "status": "status:N answers N in the shape of the dialect (500 if N is missing)",
    "text-status": "text-status:N answers N with plain text, as a gateway in front would",
    "bad-head": "an answer whose head is no HTTP",
    "old-http": "a body without any head (HTTP/0.9)",
    "short-length": "announces more bytes than it sends, then closes",
    "extra-bytes": "sends more bytes than it announced and keeps the connection",
    "bad-chunk": "a chunk size that is no number after `after` tokens",
    "slow-head": "sends the head byte by byte, `slow_head_s` apart",
    "early-hints": "a 103 answer before the real one",
    "early-reply": "early-reply:N answers N (413 if missing) before the body of the request was read",
    "never-read": "does not read the body of the request",
    "close-after-reply": "closes the kept-alive connection right after a whole answer, unannounced",
    "close-on-next": "closes when the next request arrives on the connection, before any answer byte",
    "reset-on-next": "the same with a reset",
    "reject-stream-options": "400 if the body has stream_options",
    "big": "big:N says N bytes of text",
}

AT_START = frozenset({"mute", "close-before-head", "reset-before-head", "bad-head", "old-http"})
AT_HEAD = frozenset({"slow-head", "mute-after-head", "close-mid-head", "early-hints"})
IN_STREAM = frozenset(
    {
        "stall-mid-stream", "close-mid-stream", "reset-mid-stream", "reset-mid-chunk", "clean-end-mid-stream",
        "junk-then-end", "error-line", "bad-chunk",
    }
)  # fmt: skip

_WRONG_HEADS = {
    "": b"HTTP/1.1 2OO OK\r\nContent-Type application/json\r\n\r\n{}",
    "fold": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n and more\r\nContent-Length: 2\r\n\r\n{}",
    "nul": b"HTTP/1.1 200 OK\r\nX-A: a\0b\r\nContent-Length: 2\r\n\r\n{}",
    "two-lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "length-and-chunked": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    ),
    "bad-length": b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\n{}",
    "status-99": b"HTTP/1.1 099 What\r\nContent-Length: 2\r\n\r\n{}",
    "name-space": b"HTTP/1.1 200 OK\r\nContent Length: 2\r\n\r\n{}",
    "long": b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 300_000 + b"\r\nContent-Length: 2\r\n\r\n{}",
}


class Fault(msgspec.Struct, frozen=True):
    """A fault asked for. kind "" = none."""

    kind: str = ""
    value: str = ""
    after: int = 3
    pause_s: float = 0.02

    def number(self, default: int) -> int:
        return int(self.value) if self.value.lstrip("-").isdigit() else default


def named(name: str | None, *, after: int, pause_s: float) -> Fault:
    """The fault `name`. Raises ValueError if there is none of that name."""
    if not name:
        return Fault()
    kind, _, value = name.partition(":")
    if kind not in NAMES:
        raise ValueError(f"no fault {kind!r}; there are {', '.join(NAMES)}")
    return Fault(kind, value, after, pause_s)


class BrokenError(Exception):
    """A fault ended the call; the socket is already dealt with."""


async def wait_for_leaving() -> NoReturn:
    """Silence until the client leaves: the call is cancelled then."""
    await asyncio.get_running_loop().create_future()
    raise AssertionError("nobody ends this wait but a cancellation")


async def at_start(connection: Connection, fault: Fault) -> None:
    """Faults that come in place of an answer."""
    if fault.kind not in AT_START:
        return
    if fault.kind == "mute":
        await wait_for_leaving()
    if fault.kind == "bad-head":
        connection.send(_WRONG_HEADS.get(fault.value, _WRONG_HEADS[""]))
    if fault.kind == "old-http":
        connection.send(b'{"id":"chatcmpl-1","object":"chat.completion","choices":[]}\n')
    if fault.kind == "reset-before-head":
        connection.reset()
    else:
        connection.close()
    raise BrokenError


async def send_head(connection: Connection, fault: Fault, head: bytes) -> None:
    """Send `head` with the fault that concerns it."""
    if fault.kind == "early-hints":
        connection.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n" + head)
        return
    if fault.kind == "close-mid-head":
        connection.send(head[: len(head) // 2])
        connection.close()
        raise BrokenError
    if fault.kind == "slow-head":
        for at in range(len(head)):
            connection.send(head[at : at + 1])
            await asyncio.sleep(fault.pause_s)
        return
    connection.send(head)
    if fault.kind == "mute-after-head":
        await wait_for_leaving()


def announced_length(fault: Fault, length: int) -> int:
    """What Content-Length says of a body of `length` bytes."""
    return length + fault.number(10) if fault.kind == "short-length" else length


async def send_whole(connection: Connection, fault: Fault, head: bytes, body: bytes) -> None:
    """Send an answer of known length, with the fault that concerns it."""
    if fault.kind in AT_HEAD:
        await send_head(connection, fault, head)
        connection.send(body)
    elif fault.kind in IN_STREAM and fault.kind not in ("junk-then-end", "error-line"):
        connection.send(head + body[: len(body) // 2])
        await break_off(connection, fault)
    elif fault.kind == "short-length":
        connection.send(head + body)
        connection.close()
        raise BrokenError
    elif fault.kind == "extra-bytes":
        connection.send(head + body + b"and more\r\n")
    else:
        connection.send(head + body)
    await connection.writable()


async def break_off(connection: Connection, fault: Fault) -> NoReturn:
    """End a body in mid-stream, part of which was sent."""
    if fault.kind == "stall-mid-stream":
        await wait_for_leaving()
    if fault.kind == "reset-mid-chunk":
        connection.send(b'd0\r\ndata: {"id":"chatcmpl-1","object":"chat.comp')
        await asyncio.sleep(0.02)  # let it reach the peer: a reset overtakes bytes that were not read yet
        connection.reset()
    elif fault.kind == "reset-mid-stream":
        await asyncio.sleep(0.02)
        connection.reset()
    elif fault.kind == "bad-chunk":
        connection.send(b"zz\r\nnot a chunk\r\n")
        connection.close()
    else:
        connection.close()
    raise BrokenError
