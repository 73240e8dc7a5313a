"""What reading one call costs: a plain answer of 1 KB, a stream of 200 events, a plain answer of 10 MB.

Run: `python -m bench.parsing`. Prints the median of many repeats; `read_meaning` is the parsing alone (decode, text,
first token), `read_call` the whole record. Target: 150 us for read_meaning of the 200-event stream.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable

from proxy.core.exchange import Exchange, Finished, Pieces
from proxy.observe.reading import read_call
from proxy.wire.answers import read_meaning
from proxy.wire.body import look_at
from proxy.wire.routes import match

REQUEST = b'{"model":"llama3.2","messages":[{"role":"user","content":"hello"}],"stream":%s}'


def plain(answer_bytes: int) -> Exchange:
    """A plain chat answer of about that size."""
    answer = {
        "id": "chatcmpl-417",
        "object": "chat.completion",
        "created": 1787000000,
        "model": "llama3.2",
        "system_fingerprint": "fp_ollama",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "word " * (answer_bytes // 5)},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 26, "completion_tokens": 298, "total_tokens": 324},
    }
    return exchange(json.dumps(answer).encode(), b"application/json", REQUEST % b"false", 1)


def stream(events: int) -> Exchange:
    """A chat stream of that many token events of about 200 bytes, a finish event, a usage event and the end mark."""
    head = (
        b'data: {"id":"chatcmpl-417","object":"chat.completion.chunk","created":1787000000,"model":"llama3.2",'
        b'"system_fingerprint":"fp_ollama","choices":['
    )
    token = b'{"index":0,"delta":{"content":" word%d"},"finish_reason":null}]}\n\n'
    body = b"".join(head + token % i for i in range(events))
    body += head + b'{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    body += head + b'],"usage":{"prompt_tokens":26,"completion_tokens":%d,"total_tokens":0}}\n\n' % events
    body += b"data: [DONE]\n\n"
    return exchange(body, b"text/event-stream", REQUEST % b"true", events)


def exchange(body: bytes, content_type: bytes, request: bytes, pieces: int) -> Exchange:
    """The exchange of an answer that came in about that many pieces."""
    size = max(1, len(body) // pieces)
    sizes = [size] * (len(body) // size) + ([len(body) % size] if len(body) % size else [])
    return Exchange(
        finished=Finished(
            call_id="c",
            request_id="r",
            started_unix_ns=0,
            method="POST",
            target="/v1/chat/completions",
            status=200,
            upstream_status=200,
            upstream_kind="ollama",
            response_bytes=len(body),
        ),
        request_body=request,
        answer_head=b"Content-Type: " + content_type + b"\r\nDate: Sat, 21 Nov 2026 00:03:56 GMT\r\n",
        answer_body=body,
        pieces=Pieces.of((0.01 * i, n) for i, n in enumerate(sizes)),
    )


def median_us(call: Callable[[], object], repeats: int) -> float:
    """Median time of one call in microseconds."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter_ns()
        call()
        times.append(time.perf_counter_ns() - began)
    return statistics.median(times) / 1000


def main() -> None:
    """Print the table."""
    cases = [
        ("plain 1 KB", plain(750), 2000),
        ("stream of 200 events", stream(200), 1000),
        ("plain 10 MB", plain(10_000_000), 15),
    ]
    print(f"{'':22}{'bytes':>12}{'read_meaning us':>18}{'read_call us':>16}")
    for name, call, repeats in cases:
        route = match(call.finished.target)
        meaning_us = median_us(lambda call=call, route=route: read_meaning(call, route, look_at(call)), repeats)  # type: ignore[misc]
        record_us = median_us(lambda call=call: read_call(call), repeats)  # type: ignore[misc]
        print(f"{name:22}{len(call.answer_body):12,}{meaning_us:18.1f}{record_us:16.1f}")


if __name__ == "__main__":
    main()
