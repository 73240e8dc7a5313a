"""The bytes that the bench sends and expects: requests, canned answers, and where each piece of a stream ends.

Upstream and load generator share them, so every answer can be compared byte by byte. No I/O here.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

MODEL: Final = "llama3.2"
HOST: Final = "127.0.0.1"
PLAIN_BYTES: Final = 1024
DONE: Final = b"data: [DONE]\n\n"

_USAGE: Final = '"usage":{"prompt_tokens":26,"completion_tokens":298,"total_tokens":324}'
_CHUNK_HEAD: Final = (
    '{"id":"chatcmpl-417","object":"chat.completion.chunk","created":1787000000,'
    f'"model":"{MODEL}","system_fingerprint":"fp_ollama","choices":['
)
# Fields that every OpenAI-style client sends; SDKs add a dozen of their own, which would make every proxy dearer alike.
_FIELDS: Final = (
    "Accept: application/json\r\nContent-Type: application/json\r\nUser-Agent: sightglass-bench/1\r\n"
    "Authorization: Bearer sk-bench-0123456789abcdef0123456789abcdef\r\n"
)


def _plain_body() -> bytes:
    head = (
        f'{{"id":"chatcmpl-417","object":"chat.completion","created":1787000000,"model":"{MODEL}",'
        '"system_fingerprint":"fp_ollama","choices":[{"index":0,"message":{"role":"assistant","content":"'
    )
    tail = f'"}},"finish_reason":"stop"}}],{_USAGE}}}\n'
    words = "The glass shows the water and leaves it as it was. " * 40
    return (head + words[: PLAIN_BYTES - len(head) - len(tail)] + tail).encode()


PLAIN_BODY: Final = _plain_body()


def _event(rest: str) -> bytes:
    return f"data: {_CHUNK_HEAD}{rest}}}\n\n".encode()


FINISH: Final = _event('{"index":0,"delta":{},"finish_reason":"stop"}]')
USAGE: Final = _event("]," + _USAGE)


def framed(data: bytes) -> bytes:
    """`data` as one chunk of HTTP/1.1's chunked coding."""
    return b"%x\r\n%b\r\n" % (len(data), data)


@lru_cache(maxsize=8192)
def piece(index: int) -> bytes:
    """Event of the token with this index; each differs, so that a lost, doubled or swapped one is seen."""
    role = '"role":"assistant",' if index == 0 else ""
    return _event(f'{{"index":0,"delta":{{{role}"content":" word{index}"}},"finish_reason":null}}]')


@lru_cache(maxsize=8192)
def framed_piece(index: int) -> bytes:
    """`piece`, framed as its own chunk, as Ollama flushes it."""
    return framed(piece(index))


@lru_cache(maxsize=16)
def last_step(*, with_usage: bool) -> bytes:
    """What Ollama flushes at the end: finish, usage if asked for, end mark."""
    return FINISH + (USAGE if with_usage else b"") + DONE


@lru_cache(maxsize=16)
def stream_body(pieces: int, *, with_usage: bool) -> bytes:
    """The whole body of a stream as its client must get it, chunked coding taken off."""
    return b"".join(piece(i) for i in range(pieces)) + last_step(with_usage=with_usage)


@lru_cache(maxsize=16)
def piece_ends(pieces: int) -> tuple[int, ...]:
    """Offset in `stream_body` after each piece."""
    ends = []
    at = 0
    for index in range(pieces):
        at += len(piece(index))
        ends.append(at)
    return tuple(ends)


def _request(body: str, *, port: int, extra: str = "") -> bytes:
    return (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: {HOST}:{port}\r\n{_FIELDS}{extra}"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


_MESSAGES: Final = (
    '"messages":[{"role":"system","content":"You answer in short and plain words."},'
    '{"role":"user","content":"What does a sightglass show, and why is one built into a pipe?"}]'
)


def plain_request(port: int, *, number: int = 0) -> bytes:
    """A chat call that is answered with PLAIN_BODY. `number`: calls of different length, up to 16 bytes longer."""
    more = " " * (number % 16)
    return _request(f'{{"model":"{MODEL}",{_MESSAGES},"temperature":0.2{more}}}', port=port)


def stream_request(port: int, *, pieces: int, gap_ms: int, ask_usage: bool) -> bytes:
    """A chat call that is answered with `stream_body`, one piece each `gap_ms`."""
    options = ',"stream_options":{"include_usage":true}' if ask_usage else ""
    body = f'{{"model":"{MODEL}",{_MESSAGES},"stream":true{options}}}'
    return _request(body, port=port, extra=f"x-bench: pieces={pieces};gap_ms={gap_ms}\r\n")
