"""Syslog, RFC 5424: a datagram each over a unix socket or UDP, or octet-counted over TCP (RFC 6587 section 3.4.1).

<134>1 2026-11-25T09:15:02.123456Z host sightglass 4711 call - {"timestamp":...}
"""

from __future__ import annotations

import os
import re
import socket
import time
from typing import Any, Final
from urllib.parse import urlsplit

from proxy.core.config import Syslog
from proxy.observe.log.line import Line

FACILITIES: Final = {
    "user": 1, "daemon": 3, "local0": 16, "local1": 17, "local2": 18, "local3": 19, "local4": 20, "local5": 21,
    "local6": 22, "local7": 23,
}  # fmt: skip
# Severities by level: error, warning, informational, debug.
_SEVERITIES: Final = ((40, 3), (30, 4), (20, 6), (0, 7))
_TIMEOUT_S: Final = 2.0
# RFC 5426: a receiver should take 2048 bytes, and may take up to what fits into a datagram.
_DATAGRAM_BYTES: Final = 65_000
_NO_WORD: Final = re.compile(r"[^\x21-\x7e]")


def message(line: Line, facility: int, hostname: str, app: str, process: int) -> bytes:
    """The line as a syslog message, without any framing."""
    severity = next(severity for level, severity in _SEVERITIES if line.level >= level)
    event = _NO_WORD.sub("_", line.event)[:32] or "-"
    head = f"<{facility * 8 + severity}>1 {line.timestamp} {hostname} {app} {process} {event} - "
    return head.encode() + line.text


class SyslogSender:
    """Writes lines to the address of the settings. Raises OSError when they are not taken; the next batch tries
    anew."""

    def __init__(self, settings: Syslog) -> None:
        address = urlsplit(settings.address or "")
        self._way: _Datagrams | _Stream
        if address.scheme == "tcp":
            self._way = _Stream(address.hostname or "", address.port or 601)
        elif address.scheme == "udp":
            self._way = _Datagrams((address.hostname or "", address.port or 514))
        else:
            self._way = _Datagrams(address.path)
        self._facility, self._process = FACILITIES[settings.facility], os.getpid()
        self._hostname = _NO_WORD.sub("", socket.gethostname())[:255] or "-"
        self._app = _NO_WORD.sub("_", settings.app_name)[:48] or "-"

    def __call__(self, batch: list[Line]) -> str:
        """Send the lines."""
        try:
            self._way.send([message(line, self._facility, self._hostname, self._app, self._process) for line in batch])
        except OSError:
            self.close()
            raise
        return ""

    def close(self) -> None:
        """Let go of the socket."""
        if self._way.sock is not None:
            self._way.sock.close()
            self._way.sock = None


class _Datagrams:
    """A message a datagram."""

    def __init__(self, address: str | tuple[str, int]) -> None:
        """address: path of a unix socket, or host and port."""
        self._address = address
        self.sock: socket.socket | None = None

    def send(self, messages: list[bytes]) -> None:
        """Send them, however many arrive."""
        if self.sock is None:
            self._connect()
        assert self.sock is not None
        for one in messages:
            self.sock.send(one[:_DATAGRAM_BYTES])

    def _connect(self) -> None:
        address: Any = self._address
        family = socket.AF_UNIX
        if isinstance(address, tuple):
            family, _, _, _, address = socket.getaddrinfo(address[0], address[1], type=socket.SOCK_DGRAM)[0]
        self.sock = socket.socket(family, socket.SOCK_DGRAM)
        self.sock.settimeout(_TIMEOUT_S)
        self.sock.connect(address)


class _Stream:
    """A connection that is made again when it is lost, at most once a second."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._not_before = 0.0
        self.sock: socket.socket | None = None

    def send(self, messages: list[bytes]) -> None:
        """Send them whole, each behind its length."""
        if self.sock is not None and _left(self.sock):
            self.sock.close()
            self.sock = None
        if self.sock is None:
            self._connect()
        assert self.sock is not None
        self.sock.sendall(b"".join([b"%d %b" % (len(one), one) for one in messages]))

    def _connect(self) -> None:
        if time.monotonic() < self._not_before:
            raise ConnectionRefusedError("tried a moment ago")
        self._not_before = time.monotonic() + 1.0
        self.sock = socket.create_connection(self._address, timeout=_TIMEOUT_S)


def _left(sock: socket.socket) -> bool:
    """Whether the receiver closed: else one batch more would be written into nothing."""
    try:
        return sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
