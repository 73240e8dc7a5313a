"""What the relay notes of one call, and its two frames: `started` when it is accepted, `finished` exactly once.

The only place where a call meets the journal. The notes are one struct, encoded twice: fields that are not known yet
are left out.
"""

from __future__ import annotations

import time
from array import array
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Final

import msgspec

from proxy.core.config import Journal as JournalSettings
from proxy.core.exchange import Attempt, Finished
from proxy.core.upstreams import SECRET_BYTES
from proxy.journal import frames
from proxy.journal.counters import Counter
from proxy.journal.writer import JournalWriter
from proxy.relay.faults import Fault
from proxy.relay.heads import STRUCK
from proxy.relay.outbox import Outbox

# Piece timings kept of one call; later reads are added to the last one. 100,000 x 12 bytes = 1.2 MB.
PIECES_KEPT: Final = 100_000

# A piece of three bytes takes 36 in memory: so many at most are kept by themselves, then joined.
_RECENT_PIECES: Final = 1024
_BLOCK_BYTES: Final = 4096

_random_bits: Final = Random().getrandbits  # noqa: S311 - seeded from the system; ids need to be unlike, not secret
# What a request id may be made of to be taken over: visible ASCII, as header values in logs and URLs.
_ID_BYTES: Final = frozenset(range(0x21, 0x7F))
_encode: Final = msgspec.json.Encoder().encode
_CALLS, _ENDED = Counter.CALLS.value, Counter.ENDED.value  # plain numbers: on the way of each call


def new_call_id(unix_ns: int) -> str:
    """32 hexadecimal digits: 48 bits of Unix time in ms, 80 random bits. Sorts by time."""
    return (unix_ns // 1_000_000 << 80 | _random_bits(80)).to_bytes(16).hex()  # quicker than to format it


class Call:
    """One call from acceptance to its last frame. Times ending in _at are of the monotonic clock."""

    __slots__ = (
        "_answer",
        "_answer_blocks",
        "_answer_bytes",
        "_answer_tail",
        "_head_room",
        "_journal",
        "_outbox",
        "_request",
        "_request_kept",
        "_settings",
        "_sizes",
        "_tail_bytes",
        "_times",
        "answer_head",
        "began_at",
        "ended",
        "headers_at",
        "hidden",
        "last_read_at",
        "notes",
        "request_head",
        "secrets",
        "sent_at",
        "waited_s",
    )

    def __init__(
        self,
        journal: JournalWriter,
        outbox: Outbox,
        settings: JournalSettings,
        *,
        worker: int,
        method: str,
        target: str,
    ) -> None:
        self.began_at = time.monotonic()
        unix_ns = time.time_ns()
        call_id = new_call_id(unix_ns)
        self.notes = Finished(
            call_id=call_id,
            request_id=call_id,
            started_unix_ns=unix_ns,
            worker=worker,
            method=method,
            target=target if target.isascii() else _foreign(target),
        )
        self.request_head = self.answer_head = b""
        self.hidden: bytes | None = None  # the upstream's key: in nothing that is kept of its answer
        self.secrets: list[bytes] = []  # struck out of what is kept of an error: servers like to repeat a wrong key
        self.sent_at: float | None = None
        self.headers_at: float | None = None
        self.last_read_at: float | None = None
        self.waited_s = 0.0  # for the client's body and for the connection, before the request was sent
        self.ended = False
        self._journal = journal
        self._outbox = outbox
        self._settings = settings
        self._request: list[bytes] = []
        self._request_kept = 0
        self._answer: list[bytes] = []  # the last pieces of those kept from the begin
        self._answer_blocks: list[bytes] = []  # those before, joined
        self._answer_bytes = 0
        self._head_room = settings.answer_bytes - settings.answer_bytes // 4  # bytes kept from its begin
        self._answer_tail: deque[bytearray] | None = None
        self._tail_bytes = 0
        self._times = array("d")
        self._sizes = array("I")

    def take_request_id(self, value: bytes | None) -> None:
        """A sane x-request-id becomes the call's: the client's, else the upstream's, else it stays the one we made."""
        ours = self.notes.request_id == self.notes.call_id
        if value and ours and len(value) <= 128 and _ID_BYTES.issuperset(value):
            self.notes.request_id = value.decode("ascii")

    def start(self) -> None:
        """Append the started frame: from now on the call is not forgotten."""
        journal = self._journal
        journal.counters.words[_CALLS] += 1
        self._outbox.keep(
            frames.STARTED, self.notes.call_id, frames.encode_meta(frames.STARTED, _encode(self.notes), journal.salt)
        )

    def sent_by_client(self, piece: bytes) -> None:
        """Some of the request's body came."""
        size = len(piece)
        self.notes.request_bytes += size
        room = self._settings.request_bytes - self._request_kept
        if room > 0:
            self._request.append(piece if size <= room else piece[:room])
            self._request_kept += min(size, room)

    def sent_by_upstream(self, piece: bytes, at: float) -> None:
        """Some of the answer's body came, in one read, at monotonic time `at`."""
        size = len(piece)
        sizes = self._sizes
        if len(sizes) < PIECES_KEPT:
            self._times.append(at - self.began_at)
            sizes.append(size)
        else:
            sizes[-1] = min(sizes[-1] + size, 0xFFFFFFFF)
        self._answer_bytes += size
        if self._answer_tail is None and self._answer_bytes <= self._head_room:
            recent = self._answer
            recent.append(piece)
            if len(recent) >= _RECENT_PIECES:
                self._answer_blocks.append(b"".join(recent))
                recent.clear()
        else:
            self._keep_tail(piece)

    def send(self, write: Callable[[bytes], None], data: bytes) -> None:
        """Send once the frames of this call so far are kept."""
        self._outbox.send(write, data)

    def begin_attempt(self) -> None:
        """The request is about to be sent, over a connection that may have to be made first."""
        self.notes.attempt_s = time.monotonic() - self.began_at

    def forget_attempt(self, error_code: str | None) -> None:
        """The attempt so far does not count: the request is sent again. error_code: None = its answer is of no use."""
        notes = self.notes
        notes.repeated += (
            Attempt(
                began_s=notes.attempt_s or 0.0,
                ended_s=time.monotonic() - self.began_at,
                span_id=notes.client_span_id,
                status=notes.upstream_status,
                error_code=error_code,
            ),
        )
        self.forget_body()
        self.answer_head = b""
        self.notes.status = self.notes.upstream_status = None
        self.headers_at = self.last_read_at = None

    def forget_body(self) -> None:
        """Nothing is kept of the answer's body so far."""
        self._answer.clear()
        self._answer_blocks.clear()
        self._answer_tail = None
        self._answer_bytes = self._tail_bytes = 0
        self._times, self._sizes = array("d"), array("I")

    def finish(self, fault: Fault | None) -> None:
        """Append the finished frame; only the first time counts. None: the answer was passed on whole."""
        if self.ended:
            return
        self.ended = True
        now = time.monotonic()
        notes, began = self.notes, self.began_at
        notes.duration_s = now - began
        if self.sent_at is not None:
            notes.sent_s = self.sent_at - began
        if self.headers_at is not None:
            notes.headers_s = self.headers_at - began
        if fault is not None:
            notes.ending, notes.error_code, notes.error_message = fault.ending, fault.code, fault.message
        elif self.sent_at is not None and self.last_read_at is not None:
            # Our part: from acceptance to the request's sending without the waits, and from the last read to now.
            notes.overhead_s = max(self.sent_at - began - self.waited_s, 0.0) + now - self.last_read_at
        notes.request_cut = notes.request_bytes > self._request_kept
        body = self._kept_answer()
        journal = self._journal
        buffers = frames.encode(
            frames.FINISHED,
            _encode(notes),
            journal.salt,
            request_head=self.request_head,
            request_body=b"".join(self._request),
            answer_head=self.answer_head,
            answer_body=body,
            pieces=self._times.tobytes() + self._sizes.tobytes(),
        )
        journal.counters.words[_ENDED] += 1
        self._outbox.keep(frames.FINISHED, notes.call_id, buffers)

    def _struck(self, body: bytes) -> bytes:
        for secret in self.secrets:
            if len(secret) >= SECRET_BYTES:
                body = body.replace(secret, STRUCK)
        return body

    def _keep_tail(self, piece: bytes) -> None:
        """Past the part kept from the begin, only the last bytes are kept, whatever lies between."""
        if self._answer_tail is None:
            room = self._head_room - (self._answer_bytes - len(piece))
            self._answer.append(piece[:room])
            piece = piece[room:]
            self._answer_tail = deque()
        tail, most = self._answer_tail, self._settings.answer_bytes // 4
        if tail and len(tail[-1]) < _BLOCK_BYTES:
            tail[-1] += piece
        else:
            tail.append(bytearray(piece))
        self._tail_bytes += len(piece)
        while tail and self._tail_bytes - len(tail[0]) >= most:
            self._tail_bytes -= len(tail.popleft())

    def _kept_answer(self) -> bytes:
        """The answer as kept; notes what was left out of its middle."""
        if len(self._sizes) == 1 and self._answer_tail is None and self.hidden is None and self.notes.status == 200:
            return self._answer[0]  # usual: a plain answer
        head = b"".join((*self._answer_blocks, *self._answer))
        if self._answer_tail is not None:
            tail = b"".join(self._answer_tail)
            tail = tail[max(len(tail) - self._settings.answer_bytes // 4, 0) :]
            cut = self._answer_bytes - len(head) - len(tail)
            if cut:
                self.notes.answer_cut, self.notes.answer_head_kept = cut, len(head)
                return self._without_begin(self._without_key(head)) + self._without_end(self._without_key(tail))
            head += tail  # nothing was left out: a key may lie across
        head = self._without_key(head)
        return head if (self.notes.status or 0) < 400 else self._struck(head)

    def _without_key(self, body: bytes) -> bytes:
        """Its length stays: pieces are found by it."""
        if self.hidden is None or self.hidden not in body:
            return body
        return body.replace(self.hidden, b"*" * len(self.hidden))

    def _without_begin(self, head: bytes) -> bytes:
        """The part before a gap, without the begin of a key that the gap cuts through."""
        key = self.hidden or b""
        size = next((size for size in range(len(key) - 1, 0, -1) if head.endswith(key[:size])), 0)
        return head[: len(head) - size] + b"*" * size

    def _without_end(self, tail: bytes) -> bytes:
        """The part behind a gap, without the end of a key that the gap cuts through."""
        key = self.hidden or b""
        size = next((size for size in range(len(key) - 1, 0, -1) if tail.startswith(key[-size:])), 0)
        return b"*" * size + tail[size:]


def _foreign(target: str) -> str:
    """A target with bytes that are no ASCII, one character a byte."""
    return target.encode("utf-8", "surrogateescape").decode("latin-1")
