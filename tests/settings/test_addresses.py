"""Addresses of upstreams and listeners."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.public import is_loopback
from proxy.settings.addresses import parse_address
from proxy.settings.mistakes import UnusableError


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("http://127.0.0.1:11434", ("http", "127.0.0.1", 11434)),
        ("http://127.0.0.1:11434/", ("http", "127.0.0.1", 11434)),
        ("HTTPS://Box.Example", ("https", "box.example", 443)),
        ("http://my_ollama", ("http", "my_ollama", 80)),
        ("http://[::1]:8080", ("http", "::1", 8080)),
    ],
)
def test_addresses_are_taken_apart(url, parts):
    assert parts == parse_address(url)


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("", "it is empty"),
        ("localhost:11434", "it has no scheme; write http://localhost:11434"),
        ("//localhost", "it has no scheme; write http://localhost"),
        ("ftp://box", "its scheme is neither http nor https; write http://box"),
        ("http://", "it has no host"),
        ("http://:80", "it has no host"),
        ("http://box:0", "its port is not a number from 1 to 65535"),
        ("http://box:99999", "its port is not a number from 1 to 65535"),
        ("http://box:http", "its port is not a number from 1 to 65535"),
        ("http://box:", "its port is not a number from 1 to 65535"),
        ("http://[::1", "its host is not a valid one"),
        ("http://[::g]", "its host is not a valid"),
        ("http://a..b!c", "its host is not a valid one"),
        ("http://box/v1", "clients bring the /v1 themselves; write http://box"),
        ("http://box:1/v1/", "clients bring the /v1 themselves; write http://box:1"),
        ("http://box/api", "it has a path; paths are the client's, write http://box"),
        ("http://box?x=1", "it has a query or a fragment; write http://box"),
        ("http://box/#x", "it has a query or a fragment; write http://box"),
        ("http://box x", "it holds a space, a control character or one outside ASCII"),
        ("http://bücher", "it holds a space, a control character or one outside ASCII"),
        ("http://box\r\nX: y", "it holds a space, a control character or one outside ASCII"),
        ("http://me:sk-canary@box", "a user or password does not belong in it"),
    ],
)
def test_what_is_wrong_with_an_address_is_told_with_what_to_write(url, hint):
    with pytest.raises(UnusableError) as caught:
        parse_address(url)

    assert hint in caught.value.hint
    assert "canary" not in str(caught.value)


@given(st.text() | st.from_regex(r"https?://[\[\]:@/?#.\w-]*"))
def test_no_text_makes_it_fail_otherwise(url):
    try:
        scheme, host, port = parse_address(url)
    except UnusableError:
        return

    assert scheme in ("http", "https")
    assert host
    assert 0 < port < 65536


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost", "LocalHost"])
def test_loopback(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "box", "localhost.example", "", "::ffff:10.0.0.1"])
def test_not_loopback(host):
    assert not is_loopback(host)
