"""Names that only we can have pass; a name that somebody may own does not."""

from __future__ import annotations

import socket

import pytest

from proxy.relay.hosts import HostRule

OURS = [
    None, b"", b"localhost", b"LOCALHOST:11435", b"localhost.", b"127.0.0.1", b"127.1.2.3:80", b"[::1]", b"[::1]:80",
    b"0.0.0.0:1", b"192.168.1.5", b"10.0.0.1", b"172.16.0.1", b"[fd00::1]", b"printer.local", b"x.localhost:1",
    b"host.docker.internal", socket.gethostname().encode(), b"my.example.com", b"a.lab.example.com:8", b"203.0.113.9",
]  # fmt: skip
FOREIGN = [
    b"example.com", b"8.8.8.8", b"evil.com:80", b"localhost.evil.com", b"local", b"127.0.0.1.evil.com", b"[::1",
    b"[2001:4860::1]", b"localhost:", b"localhost:80:80", b"localhost:x", b":80", b"localhost@evil.com", b"a b",
    b"xmy.example.com", b"lab.example.com", b"\xff\xfe", b"2130706433", b"0x7f.1", b"localhost/", b"localhost:\xb2",
]  # fmt: skip


@pytest.mark.parametrize("host", OURS)
def test_ours(host: bytes | None) -> None:
    assert HostRule(("my.example.com", "*.lab.example.com", "203.0.113.9")).allows(host)


@pytest.mark.parametrize("host", FOREIGN)
def test_foreign(host: bytes) -> None:
    assert not HostRule(("my.example.com", "*.lab.example.com")).allows(host)
