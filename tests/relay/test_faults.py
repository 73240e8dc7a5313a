"""Our own errors: closed words, one shape, whole answers."""

from __future__ import annotations

import json

import pytest

from proxy.relay import faults
from proxy.relay.faults import Fault


def test_codes_are_closed_words_and_each_is_there_once() -> None:
    codes = [fault.code for fault in faults.ALL]

    assert len(codes) == len(set(codes)) == len(faults.ALL) >= 18
    assert all(code.replace("_", "").isalpha() and code.islower() for code in codes)


@pytest.mark.parametrize("fault", faults.ALL, ids=lambda fault: fault.code)
@pytest.mark.parametrize("close", [True, False])
def test_an_error_is_one_whole_answer(fault: Fault, close: bool) -> None:
    raw = faults.error_answer(fault, request_id="id", close=close, head_only=False)
    head, _, body = raw.partition(b"\r\n\r\n")

    assert b"Content-Length: %d" % len(body) in head
    assert head.startswith(b"HTTP/1.1 %d " % fault.status)
    assert (b"Connection: close" in head) == close
    assert (b"Retry-After" in head) == (fault.status in (429, 503))
    error = json.loads(body)["error"]
    # Ollama's own paths are answered in Ollama's shape.
    assert error == fault.message if fault is faults.MANAGEMENT_CLOSED else error["code"] == fault.code
    assert faults.error_answer(fault, request_id="id", close=close, head_only=True) == head + b"\r\n\r\n"
