"""Kept heads are read whatever their case, order and dirt."""

from __future__ import annotations

from proxy.wire.headers import HOP_BY_HOP, SECRET, all_values, first_value, parse_head

HEAD = b"Content-Type: text/plain\r\nset-cookie: a=1\r\n folded\r\nno colon\r\nSet-Cookie:b=2 \r\nX: \xff\r\n"


def test_fields_keep_order_and_duplicates() -> None:
    assert parse_head(HEAD) == (
        (b"content-type", b"text/plain"),
        (b"set-cookie", b"a=1"),
        (b"set-cookie", b"b=2"),
        (b"x", b"\xff"),
    )


def test_values_are_found_by_name() -> None:
    assert first_value(HEAD, b"set-cookie") == "a=1"
    assert all_values(HEAD, b"set-cookie") == "a=1, b=2"
    assert first_value(HEAD, b"missing") is None
    assert all_values(b"", b"missing") == ""
    assert first_value(HEAD, b"x") == "\xff"


def test_names_are_lower_case() -> None:
    assert all(name == name.lower() for name in HOP_BY_HOP | SECRET)
