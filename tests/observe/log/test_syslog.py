"""Syslog at real sockets: unix, UDP, TCP with octet counting; lost and found again."""

from __future__ import annotations

import re
import socket
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from proxy.core.config import Syslog
from proxy.observe.log.line import Line
from proxy.observe.log.syslog import SyslogSender

LINE = Line(20, "2026-11-25T09:15:02.123456Z", "call", '{"event":"call","model":"é"}'.encode())
# RFC 5424 section 6: PRI VERSION TIMESTAMP HOSTNAME APP-NAME PROCID MSGID SD MSG
MESSAGE = re.compile(
    rb"<(\d{1,3})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,6}Z) ([!-~]{1,255}) ([!-~]{1,48}) (\d+) ([!-~]{1,32}) - (.*)",
    re.DOTALL,
)


def parts(message: bytes) -> tuple[int, bytes, bytes, bytes]:
    found = MESSAGE.fullmatch(message)
    assert found, message
    return int(found[1]), found[4], found[6], found[7]


def test_a_unix_socket(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "log"))
        send = SyslogSender(Syslog(address=f"unix:{tmp_path}/log"))
        assert send([LINE, replace(LINE, level=40, event="part failed\n")]) == ""

        assert parts(receiver.recv(70_000)) == (16 * 8 + 6, b"sightglass", b"call", LINE.text)
        assert parts(receiver.recv(70_000))[:3] == (16 * 8 + 3, b"sightglass", b"part_failed_")
        send.close()


def test_udp() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        address = f"udp://127.0.0.1:{receiver.getsockname()[1]}"
        send = SyslogSender(Syslog(address=address, facility="daemon", app_name="my gate"))
        send([replace(LINE, level=30), replace(LINE, text=b"x" * 100_000)])

        assert parts(receiver.recv(70_000))[:2] == (3 * 8 + 4, b"my_gate")
        assert len(receiver.recv(70_000)) == 65_000
        send.close()


def test_tcp_counts_octets() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        send = SyslogSender(Syslog(address=f"tcp://127.0.0.1:{server.getsockname()[1]}"))
        send([LINE, replace(LINE, level=10)])
        connection, _ = server.accept()
        with connection:
            first, rest = _framed(connection)
            second, rest = _split(rest)
        send.close()

    assert (parts(first)[0], parts(second)[0], rest) == (134, 135, b"")


def test_a_lost_connection_is_made_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        send = SyslogSender(Syslog(address=f"tcp://127.0.0.1:{server.getsockname()[1]}"))
        send([LINE])
        connection, _ = server.accept()
        connection.close()
        deadline = time.monotonic() + 30
        while True:
            try:
                send([replace(LINE, event="again")])
                break
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        connection, _ = server.accept()
        with connection:
            assert parts(_framed(connection)[0])[2] == b"again"
        send.close()


def test_nobody_there_is_an_error_and_no_storm() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    send = SyslogSender(Syslog(address=f"tcp://127.0.0.1:{port}"))

    with pytest.raises(ConnectionRefusedError, match="refused"):
        send([LINE])
    with pytest.raises(ConnectionRefusedError, match="a moment ago"):
        send([LINE])


def _framed(connection: socket.socket) -> tuple[bytes, bytes]:
    connection.settimeout(5)
    return _split(connection.recv(70_000))


def _split(data: bytes) -> tuple[bytes, bytes]:
    count, _, rest = data.partition(b" ")
    return rest[: int(count)], rest[int(count) :]
