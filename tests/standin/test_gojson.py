"""JSON in Go's manner."""

from __future__ import annotations

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.standin import gojson


def test_html_and_line_separators_are_escaped_and_the_rest_is_utf8() -> None:
    assert '"\\u003cb\\u003e \\u0026 \\u2028\\u2029 é日🙂"'.encode() == gojson.dump("<b> & \u2028\u2029 é日🙂")


@given(st.recursive(st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(), st.lists, max_leaves=8))
def test_what_is_written_reads_back(value: object) -> None:
    assert value == json.loads(gojson.dump(value))


def test_a_lone_surrogate_is_no_error() -> None:
    assert gojson.dump("\ud800") == b'"?"'


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float32_reads_back_as_itself_in_few_digits(value: float) -> None:
    shown = gojson.float32(value)

    assert struct.pack("<f", value) == struct.pack("<f", float(shown))
    assert len(shown) <= 24


@pytest.mark.parametrize(
    ("value", "shown"),
    [(1.0, b"1"), (0.1, b"0.1"), (1e-6, b"0.000001"), (1e-7, b"1e-7"), (-3.4028235e38, b"-3.4028235e+38"), (0.0, b"0"),
     (123456.789, b"123456.79"), (1e20, b"100000000000000000000")],
)  # fmt: skip
def test_float32_as_go_writes_it(value: float, shown: bytes) -> None:
    assert shown == gojson.float32(value)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "EOF"), (b"  \n", "EOF"), (b'{"a":', "unexpected EOF"), (b'{"a": "b', "unexpected EOF"),
        (b"\x1f\x8b", "invalid character '\\x1f' looking for beginning of value"),
        (b"hello", "invalid character 'h' looking for beginning of value"),
        (b"{a}", "invalid character 'a' looking for beginning of object key string"),
        (b'{"a" 1}', "invalid character '1' after object key"),
    ],
)  # fmt: skip
def test_complaints_are_those_of_go(body: bytes, said: str) -> None:
    with pytest.raises(gojson.DecodeError) as raised:
        gojson.load(body)

    assert said == str(raised.value)


def test_only_the_first_value_counts() -> None:
    assert gojson.load(b'{"a":1} {"b":2} and more') == {"a": 1}


@pytest.mark.parametrize(
    ("unix_ns", "shown"),
    [(1795219480715441262, "2026-11-21T00:04:40.715441262Z"), (1795219481314273400, "2026-11-21T00:04:41.3142734Z"),
     (1795219481000000000, "2026-11-21T00:04:41Z")],
)  # fmt: skip
def test_times_drop_their_trailing_zeros(unix_ns: int, shown: str) -> None:
    assert shown == gojson.timestamp(unix_ns)
