"""Which pages may call."""

from __future__ import annotations

import pytest

from proxy.policy.origins import OriginRule

HOST = b"gateway.example.com:11435"


@pytest.mark.parametrize(
    "origin",
    [
        b"http://localhost",
        b"http://localhost:3000",
        b"https://127.0.0.1:8443",
        b"http://[::1]:5173",
        b"http://0.0.0.0:3000",
        b"http://app.localhost",
        b"http://gateway.example.com:11435",
        b"HTTP://GATEWAY.example.com:11435",
        b"tauri://localhost",
        b"app://obsidian.md",
        b"vscode-webview://1abc",
    ],
)
def test_pages_of_this_machine_of_the_same_address_and_apps_may(origin: bytes) -> None:
    assert OriginRule(()).allows(origin, HOST)


@pytest.mark.parametrize(
    "origin",
    [
        b"https://evil.example.com",
        b"null",  # a sandboxed frame of any site
        b"file://",
        b"",
        b"*",
        b"http://localhost.evil.com",
        b"http://localhost:3000 http://evil.com",
        b"http://evil.com http://localhost",
        b"http://user@localhost",
        b"http://localhost/path",
        b"http://localhost#x",
        b"http://",
        b"http://[::1",
        b"http://127.0.0.1.nip.io",
        b"http://gateway.example.com",  # another port, another origin
        b"chrome-extension://abc",
        b"http://localhost:x",
        b"\xff\xfe",
        b"http://" + b"a" * 10_000,
    ],
)
def test_other_sites_may_not(origin: bytes) -> None:
    assert not OriginRule(()).allows(origin, HOST)


def test_a_setting_lets_others_in() -> None:
    rule = OriginRule(("https://chat.example.com", "https://*.corp.example", "chrome-extension://abc"))

    assert rule.allows(b"https://chat.example.com", HOST)
    assert rule.allows(b"https://a.corp.example", HOST)
    assert rule.allows(b"chrome-extension://abc", HOST)
    assert not rule.allows(b"https://chat.example.com.evil.com", HOST)
    assert OriginRule(("*",)).allows(b"null", None)
