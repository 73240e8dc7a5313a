"""Whatever the bytes are, reading them ends soon. Whether the work is linear in them, `python -m bench.sizes` shows."""

from __future__ import annotations

import pytest

from bench.sizes import LINES, SSE, TOKEN, call, cases, cpu_s
from proxy.observe.reading import read_call
from proxy.wire.lines import LINE_BYTES

pytestmark = [pytest.mark.slow]

LARGE = 10_000_000
# Linear readers take up to 5 s of CPU, however busy the machine is. A copy of what was read so far for each of the five
# million shortest elements would take hours.
BOUND_S = 60


@pytest.mark.parametrize("name", cases())
def test_reading_ten_megabytes_ends_soon(name: str) -> None:
    took_s = cpu_s(cases()[name](LARGE))

    assert took_s < BOUND_S


@pytest.mark.parametrize("content_type", [SSE, LINES])
def test_a_line_over_the_bound_is_passed_over_and_what_follows_is_read(content_type: bytes) -> None:
    """10 MB on one line, then the rest of the stream."""
    stop = b'{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}'
    head, token, end = {
        SSE: (b"data: ", b"data: " + stop + b"\n\n", b"\n\n"),
        LINES: (b"", b'{"message":{"content":"a"},"done":true,"done_reason":"stop"}\n', b"\n"),
    }[content_type]
    long = head + b'{"choices":[{"delta":{"content":"' + b"x" * LARGE + b'"}}]}' + end
    assert len(long) > LINE_BYTES

    record, meaning = read_call(call(content_type, long + token))

    assert (meaning.text, meaning.unread, meaning.events) == ("a", "bound", 2)
    assert (record.outcome, record.tokens_source) == ("ok", "missing")


@pytest.mark.parametrize(("content_type", "line"), [(SSE, b":\n"), (SSE, b"data: {}\n\n"), (LINES, b"{\n")])
def test_lines_beyond_the_bound_are_not_looked_at(content_type: bytes, line: bytes) -> None:
    """Millions of lines would hold the observer up for a minute."""
    token = b"data: " + TOKEN + b"\n\n" if content_type == SSE else b'{"message":{"content":"a"}}\n'
    body = token + line * (LARGE // len(line)) + token

    _, meaning = read_call(call(content_type, body))

    assert (meaning.text, meaning.unread) == ("a", "bound")
