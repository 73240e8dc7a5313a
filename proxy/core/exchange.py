"""What the relay saw of one call: the travelling value between journal, wire and observe. Bytes, no meaning.

All times of a call are seconds since `started`, from the monotonic clock of the relay that took it; only
`started_unix_ns` is wall time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import msgspec

# How the passing of bytes ended, as the relay saw it. What that means for the call is for the observer to say.
Ending = Literal[
    "complete",  # the upstream's answer was passed on whole
    "refused",  # we answered with a refusal of ours; `error_code` says which
    "upstream_failed",  # no answer, or it broke off; `error_code` says how
    "timeout",  # the upstream was mute; `error_code` says in which phase
    "client_left",  # the client closed before the end
    "stopped",  # we were stopped, and the time to finish was over
    "proxy_failed",  # a fault of ours
]

Headers = tuple[tuple[bytes, bytes], ...]


class Started(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What is known when a call is accepted. Enough for an honest `interrupted` record.

    Not frozen: the relay fills it in as the call goes on. Behind the journal nobody changes it.
    """

    call_id: str
    request_id: str
    started_unix_ns: int
    method: str
    target: str  # raw path and query as sent; latin-1 with surrogateescape for foreign bytes
    client: str | None = None  # address of the peer, without port
    user_agent: str | None = None
    worker: int = 0
    model: str | None = None  # as asked, when the body was there at once
    stream: bool | None = None  # as asked; None = the request did not say
    upstream: str | None = None  # name in the settings
    trace_id: str | None = None  # the client's, when it sent a valid one; with tracing on, else, one that we began
    parent_span_id: str | None = None  # span of the client
    span_id: str | None = None  # of our SERVER span; None = tracing is off
    trace_flags: int = 0  # of our spans; bit 0: they are sent
    key_name: str | None = None  # whose key of ours was shown, a revoked one too


class Attempt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One sending of the request that did not count: it was sent again."""

    began_s: float
    ended_s: float
    span_id: str | None = None  # None = tracing is off
    status: int | None = None  # None = no answer
    error_code: str | None = None  # closed words of relay/faults.py; None = an answer that was of no use


class Finished(Started, kw_only=True, omit_defaults=True):
    """What is known at the end of a call, beside heads, bodies and piece timings."""

    ending: Ending = "complete"
    error_code: str | None = None  # closed words of relay/faults.py, None when complete
    error_message: str | None = None
    status: int | None = None  # what the client was sent; None = it left before
    upstream_kind: str | None = None  # ollama | litellm | openai
    upstream_status: int | None = None  # None = no answer
    attempts: int = 0  # requests sent to the upstream; 2 = one was repeated on a fresh connection
    attempt_s: float | None = None  # the last of them began: connecting, then sending
    client_span_id: str | None = None  # of the last of them: what the upstream was told
    repeated: tuple[Attempt, ...] = ()  # those before it
    injected: bool = False  # we asked for the usage event and took it out again
    sent_s: float | None = None  # the whole request was handed to the upstream's socket
    headers_s: float | None = None  # the upstream's head was read
    duration_s: float = 0.0  # until the end was handed to the client's socket
    overhead_s: float | None = None  # our own part of the duration: neither client, connect nor upstream
    request_bytes: int = 0  # body bytes of the client
    response_bytes: int = 0  # body bytes handed to the client
    request_cut: bool = False  # `request_body` is only the first bytes
    answer_cut: int = 0  # bytes left out of the middle of `answer_body`, between its head and its tail
    answer_head_kept: int = 0  # when cut: length of the part before the gap


class Pieces(msgspec.Struct, frozen=True):
    """Each read of the upstream's body, in order."""

    times_s: Sequence[float] = ()  # since the call's start
    sizes: Sequence[int] = ()  # bytes

    def __len__(self) -> int:
        return len(self.sizes)

    def __iter__(self) -> Iterator[tuple[float, int]]:
        return zip(self.times_s, self.sizes, strict=True)

    @classmethod
    def of(cls, pairs: Iterable[tuple[float, int]]) -> Pieces:
        """From (time, bytes) of each."""
        pairs = list(pairs)
        return cls([time_s for time_s, _ in pairs], [size for _, size in pairs])


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """One whole call. `request_head` and `answer_head` are `name: value` lines ended by CRLF, names and order
    as sent, secrets struck out, without the first line. The sum of `pieces` is the upstream's whole body, of which
    `answer_body` keeps what fits.
    """

    finished: Finished
    request_head: bytes = b""
    request_body: bytes = b""
    answer_head: bytes = b""
    answer_body: bytes = b""
    pieces: Pieces = Pieces()
