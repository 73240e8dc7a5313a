"""The Host check and the rules for browser origins."""

from __future__ import annotations

import pytest

from proxy.standin.gate import host_allowed, origin_allowed
from proxy.standin.server import StandIn

from .peer import ask, get


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("", True), ("localhost", True), ("localhost:11434", True), ("LOCALHOST", True), ("127.0.0.1", True),
        ("[::1]:11434", True), ("10.0.0.7:80", True), ("192.168.1.2", True), ("0.0.0.0", True), ("box.local", True),
        ("a.internal:1", True), ("x.localhost", True), ("example.com", False), ("localhost.example.com", False),
        ("8.8.8.8", False), ("[2001:4860::8888]", False), ("local", False),
    ],
)  # fmt: skip
def test_hosts(host: str, allowed: bool) -> None:
    assert allowed == host_allowed(host)


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("http://localhost:3000", True), ("https://127.0.0.1", True), ("app://obsidian.md", True),
        ("tauri://localhost", True), ("http://here:11434", True), ("https://example.com", False),
        ("null", False), ("http://localhost.example.com", False), ("chrome-extension://abc", False),
    ],
)  # fmt: skip
def test_origins(origin: str, allowed: bool) -> None:
    assert allowed == origin_allowed(origin, "here:11434")


async def test_who_is_refused_gets_nothing_but_a_403(stand_in: StandIn) -> None:
    foreign = await ask(stand_in, get("/").replace(b"localhost", b"proxy.example.com"))
    page = await ask(stand_in, get("/nothing", "Origin: https://example.com"))

    for answer in (foreign, page):
        assert [
            line.partition(b": ")[0] if line.startswith(b"Date") else line for line in answer.split(b"\r\n")[:3]
        ] == [b"HTTP/1.1 403 Forbidden", b"Date", b"Content-Length: 0"]


async def test_pages_of_the_server_itself_need_no_cors(stand_in: StandIn) -> None:
    answer = await ask(stand_in, get("/api/version", "Origin: http://localhost"))

    assert b"Access-Control" not in answer
