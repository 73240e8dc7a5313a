"""Whether reading is linear in bytes, whatever they are: bodies of two sizes, one four times the other.

Run: `python -m bench.sizes` (4 minutes). A linear reader takes about four times as long for the larger body, a
quadratic one 16 times. Both are read in turns; CPU time of the reading thread; median and range of the ratios.

A ratio well above 4 asks for a look at more sizes (`--bytes`) before it says anything: below some MB the allocator has
memory at hand, above the kernel hands it out page by page, at a third of the speed; "many events" leave the quick way.
"""

from __future__ import annotations

import argparse
import gzip
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from proxy.core.exchange import Exchange, Finished, Pieces
from proxy.observe.reading import read_call

LARGE = 40_000_000
SSE, LINES, JSON = b"text/event-stream", b"application/x-ndjson", b"application/json"
TOKEN = b'{"choices":[{"index":0,"delta":{"content":"a"}}]}'
_FRAGMENT = (
    b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"aaaaaaaa"}}]}}]}\n\n'
)
_NATIVE = {LINES: "/api/chat"}


def filled(before: bytes, filling: bytes, after: bytes) -> Callable[[int], bytes]:
    """A body of about that many bytes: the filling again and again between two ends."""
    return lambda size: before + filling * ((size - len(before) - len(after)) // len(filling)) + after


ANSWERS: dict[str, tuple[bytes, Callable[[int], bytes]]] = {
    "a plain answer": (JSON, filled(b'{"choices":[{"message":{"content":"', b"x", b'"},"finish_reason":"stop"}]}')),
    "a plain answer of halved emoji": (JSON, filled(b'{"choices":[{"message":{"content":"', rb"\ud83d", b'"}}]}')),
    "no JSON": (JSON, filled(b"", b"x", b"")),
    "blanks": (JSON, filled(b"", b" \n", b"")),
    "open brackets": (JSON, filled(b"", b"[", b"")),
    "open objects": (JSON, filled(b"", b'{"a":', b"")),
    "one event": (SSE, filled(b'data: {"choices":[{"delta":{"content":"', b"x", b'"}}]}\n\n')),
    "one event, no end": (SSE, filled(b"data: ", b"x", b"")),
    "one event of many lines": (SSE, filled(b"", b"data: x\n", b"\n")),
    "many events": (SSE, filled(b"", b"data: " + TOKEN + b"\n\n", b"data: [DONE]\n\n")),
    "many empty events": (SSE, filled(b"", b"data:\n\n", b"")),
    "blank lines": (SSE, filled(b"data: x\n", b"\n", b"")),
    "CR": (SSE, filled(b"data: x\n", b"\r", b"")),
    "comments": (SSE, filled(b"", b":\n", b"")),
    "fragments of one call": (SSE, filled(b"", _FRAGMENT, b"data: [DONE]\n\n")),
    "one line": (LINES, filled(b'{"message":{"content":"', b"x", b'"}}\n')),
    "many lines": (LINES, filled(b"", b'{"message":{"content":"a"}}\n', b'{"done":true}\n')),
    "lines that are none": (LINES, filled(b"", b"{\n", b"")),
    "packed": (JSON + b"\r\nContent-Encoding: gzip", lambda size: gzip.compress(b"x" * size, 1)),
}
REQUESTS: dict[str, Callable[[int], bytes]] = {
    name: filled(b'{"model":"m","messages":[', filling, b"0]}")
    for name, filling in {
        "messages": b'{"role":"user","content":"x"},',
        "numbers for messages": b"1,",
        "halved emoji for messages": b'"\\ud83d",',
        "messages of open brackets": b"[",
        "messages of open objects": b'{"a":',
    }.items()
}


def call(content_type: bytes, body: bytes, request: bytes = b'{"model":"m","stream":true}') -> Exchange:
    """A call with this answer, which came in pieces of 64 KiB."""
    target = _NATIVE.get(content_type, "/v1/chat/completions")
    known: dict[str, Any] = {"call_id": "c", "request_id": "r", "started_unix_ns": 1, "method": "POST"}
    sizes = [65536] * (len(body) // 65536) + [len(body) % 65536]
    return Exchange(
        finished=Finished(**known, target=target, status=200, upstream_status=200, upstream_kind="ollama"),
        request_body=request,
        answer_head=b"Content-Type: " + content_type + b"\r\n",
        answer_body=body,
        pieces=Pieces.of((0.001 * place, size) for place, size in enumerate(sizes)),
    )


def cases() -> dict[str, partial[Exchange]]:
    """Name -> the call whose answer, or request, has about that many bytes."""
    answers = {name: partial(_answering, *case) for name, case in ANSWERS.items()}
    requests = {f"request: {name}": partial(_asking, case) for name, case in REQUESTS.items()}
    return answers | requests


def _answering(content_type: bytes, make: Callable[[int], bytes], size: int) -> Exchange:
    return call(content_type, make(size))


def _asking(make: Callable[[int], bytes], size: int) -> Exchange:
    return call(JSON, b"{}", make(size))


def cpu_s(exchange: Exchange) -> float:
    """Seconds of this thread's CPU time that reading the call takes."""
    began = time.thread_time()
    read_call(exchange)
    return time.thread_time() - began


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--bytes", type=int, default=LARGE, help="of the larger body (default 40 million)")
    options = parser.parse_args(arguments)
    print(f"{'':38}{options.bytes // 4:>12,}{options.bytes:>12,}  ratio (range)")
    for name, make in cases().items():
        small, large = make(options.bytes // 4), make(options.bytes)
        rounds = [(cpu_s(small), cpu_s(large)) for _ in range(options.rounds)]
        ratios = [long / max(short, 1e-6) for short, long in rounds]
        small_ms, large_ms = (statistics.median(each) * 1e3 for each in zip(*rounds, strict=True))
        spread = f"({min(ratios):.1f}-{max(ratios):.1f})"
        print(f"{name:38}{small_ms:9.1f} ms{large_ms:9.1f} ms  {statistics.median(ratios):.1f} {spread}", flush=True)


if __name__ == "__main__":
    main()
