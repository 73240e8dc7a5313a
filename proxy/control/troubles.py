"""Troubles of relays and supervisor on their way to the observer, which has the outputs of the log.

A datagram socket in the data directory. Who sends never waits: while there is no observer, or it is busy, the newest
lines are kept for the next time. What is lost is on standard error all the same, where every line goes as well.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

NAME: Final = "troubles.sock"
LINE_BYTES: Final = 64 * 1024
KEPT: Final = 100  # lines that wait for an observer
_TEXT_CHARACTERS: Final = 4000  # of a text in a line that is too long


class TroubleSender:
    """Sends lines, each as one datagram. For one thread at a time."""

    def __init__(self, data: Path, *, retry_s: float = 1.0) -> None:
        """retry_s: how often an observer is looked for while there is none."""
        self._data, self._retry_s = data, retry_s
        self._sock: socket.socket | None = None
        self._not_before = 0.0
        self._waiting: deque[bytes] = deque(maxlen=KEPT)

    def send(self, line: bytes) -> None:
        """Send it, and what waits before it. Never waits, never raises."""
        self._waiting.append(line if len(line) <= LINE_BYTES else _shortened(line))
        self.flush()

    def flush(self) -> None:
        """Send what waits, as far as it is taken."""
        ways = 2  # the observer that we knew may be gone, and another there
        while self._waiting and ways and self._connected():
            if self._sent(self._waiting[0]):
                self._waiting.popleft()
            elif self._sock is None:
                ways -= 1
            else:
                return

    def close(self) -> None:
        """Let go of the socket."""
        if self._sock is not None:
            self._sock.close()
            self._sock = None

    def _sent(self, line: bytes) -> bool:
        assert self._sock is not None
        try:
            self._sock.send(line)
        except BlockingIOError:
            return False  # the observer is busy
        except OSError:  # nobody reads there any more
            self.close()
            return False
        return True

    def _connected(self) -> bool:
        if self._sock is not None:
            return True
        if time.monotonic() < self._not_before:
            return False
        self._not_before = time.monotonic() + self._retry_s
        try:
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        except OSError:  # no descriptor is to be had just now: what we would tell of may be just that
            return False
        try:
            with _short(self._data) as path:
                sock.connect(path)
        except OSError:
            sock.close()
            return False
        self._sock = sock
        return True


class TroubleInbox:
    """The observer's end. The newest observer takes the name over; the one before reads on what was sent to it."""

    def __init__(self, data: Path) -> None:
        """Raises OSError."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            (data / NAME).unlink(missing_ok=True)
            with _short(data) as path:
                self.sock.bind(path)
        except OSError:
            self.sock.close()
            raise
        self._name = data / NAME

    @property
    def is_named(self) -> bool:
        """Whether the name is there, ours or that of a newer observer: without it nobody finds the way."""
        try:
            return self._name.exists()
        except OSError:
            return False

    def lines(self, most: int = 100) -> Iterator[bytes]:
        """What has come, at most so many at a time."""
        with contextlib.suppress(BlockingIOError):
            for _ in range(most):
                yield self.sock.recv(LINE_BYTES)

    def close(self) -> None:
        """Read no more. The name stays: it may be another's by now, and without a reader it takes nothing."""
        self.sock.close()


def _shortened(line: bytes) -> bytes:
    """A line of JSON as one that fits: long texts cut, fields that have no room left out; `cut` says so.

    Its first fields tell what and when; bytes that are no such line are cut as they are.
    """
    try:
        said = msgspec.json.decode(line, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return line[:LINE_BYTES]
    told: dict[str, Any] = {"cut": True}
    left = LINE_BYTES - 100
    for name, value in said.items():
        text = value[:_TEXT_CHARACTERS] if isinstance(value, str) else value
        left -= len(msgspec.json.encode({name: text}))
        if left >= 0:
            told[name] = text
    return msgspec.json.encode(told)


@contextlib.contextmanager
def _short(data: Path) -> Iterator[str]:
    """The socket's name however long the directory's is: 108 bytes are all that fit into an address."""
    fd = os.open(data, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{fd}/{NAME}"
    finally:
        os.close(fd)
