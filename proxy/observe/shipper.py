"""The shipper: what goes out waits in bounded memory, and a thread of its own sends it in batches.

For spans, and for each output of the log. Whatever the receiver does (down, slow, mute), putting costs the same, and
closing is over in time: the thread is a daemon, and what it could not send by then is counted as dropped.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Generic, Literal, TypeVar, get_args

import msgspec

Reason = Literal[
    "queue_full",  # the receiver takes less than comes
    "export_failed",  # it did not take a batch, however often it was asked within the time limit
    "shutdown",  # we ended before it had taken them
]
REASONS: Final[tuple[Reason, ...]] = get_args(Reason)
# Of all that waits, whatever the number: spans with content are long.
_WAITING_BYTES: Final = 16 * 1024 * 1024

log = logging.getLogger("sightglass.observer")

Entry = TypeVar("Entry")
# Sends a batch. Gives why it was not taken; empty = it was. Raises what it likes. May have a close().
Send = Callable[[list[Entry]], str]


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of the waiting; the variables of OpenTelemetry's batch processors, and their defaults."""

    queue: int = 2048
    batch: int = 512
    delay_s: float = 5.0


def pace_of(environ: Mapping[str, str], prefix: str) -> Pace:
    """As OTEL_BSP_* (spans) or OTEL_BLRP_* (logs) say. What is no number above 0 is not heeded."""
    usual = Pace()
    queue = _number(environ, f"{prefix}_MAX_QUEUE_SIZE", usual.queue)
    batch = _number(environ, f"{prefix}_MAX_EXPORT_BATCH_SIZE", usual.batch)
    delay_ms = _number(environ, f"{prefix}_SCHEDULE_DELAY", int(usual.delay_s * 1000))
    return Pace(queue=queue, batch=min(batch, queue), delay_s=delay_ms / 1000)


def _number(environ: Mapping[str, str], name: str, usual: int) -> int:
    said = environ.get(name, "").strip()
    return int(said) if said.isdecimal() and 0 < int(said) < 10**9 else usual


class Shipper(Generic[Entry]):
    """Sends entries to where `connect` leads. put() is for one thread; the numbers may be read by any."""

    def __init__(self, what: str, connect: Callable[[], Send[Entry]], pace: Pace) -> None:
        """what: `spans`, for the log. connect: called once, by the thread that sends: imports take half a second."""
        self.what = what
        self.sent = 0
        self.dropped: dict[Reason, int] = dict.fromkeys(REASONS, 0)
        self._connect = connect
        self._pace = pace
        self._entries: deque[tuple[int, int, Entry]] = deque()
        self._waiting = self._waiting_bytes = 0
        self._sending = 0
        self._failing = False
        self._changed = threading.Condition()
        self._close_by: float | None = None
        self._thread = threading.Thread(target=self._run, name=f"send {what}", daemon=True)
        self._thread.start()

    def put(self, entry: Entry, *, count: int, size: int) -> None:
        """Let it be sent. count: how many spans or lines it holds; size: its bytes. The oldest go when there is no
        room."""
        self.put_all([(count, size, entry)])

    def put_all(self, entries: Sequence[tuple[int, int, Entry]]) -> None:
        """As put, several at once: (count, size, entry) of each."""
        with self._changed:
            idle = not self._entries
            for entry in entries:
                self._entries.append(entry)
                self._waiting += entry[0]
                self._waiting_bytes += entry[1]
                while self._waiting > self._pace.queue or self._waiting_bytes > _WAITING_BYTES:
                    self.dropped["queue_full"] += self._take()[0]
            if (idle and self._entries) or self._waiting >= self._pace.batch:
                self._changed.notify()

    def finish(self, *, patience_s: float) -> None:
        """Take no more time than that for what waits. Returns at once; wait() is the end."""
        with self._changed:
            self._close_by = time.monotonic() + patience_s
            self._changed.notify()

    def wait(self) -> None:
        """Wait until all is sent, or the time that finish() gave is over; the rest is dropped."""
        self._thread.join(max((self._close_by or 0.0) - time.monotonic(), 0.0))
        with self._changed:
            left = self._waiting
            self._entries.clear()
            self._waiting = self._waiting_bytes = 0
            self.dropped["shutdown"] += left
        if left:
            log.warning("not_sent_at_end", extra={"what": self.what, "count": left})

    @property
    def waiting(self) -> int:
        """What was put and neither sent nor dropped so far."""
        with self._changed:
            return self._waiting + self._sending

    @property
    def lost(self) -> int:
        """All that was dropped."""
        return sum(self.dropped.values())

    def _take(self) -> tuple[int, Entry]:
        count, size, entry = self._entries.popleft()
        self._waiting -= count
        self._waiting_bytes -= size
        return count, entry

    def _run(self) -> None:
        send = self._connected()
        while (batch := self._next()) is not None:
            count = sum(entry[0] for entry in batch)
            if self._sent(send, [entry[1] for entry in batch]):
                self.sent += count
            else:
                self.dropped["shutdown" if self._close_by is not None else "export_failed"] += count
            self._sending = 0
        if (close := getattr(send, "close", None)) is not None:
            close()

    def _connected(self) -> Send[Entry]:
        try:
            return self._connect()
        except Exception as error:
            log.error("sending_impossible", extra={"what": self.what, "error": f"{type(error).__name__}: {error}"})
            return lambda _: "unusable"

    def _next(self) -> list[tuple[int, Entry]] | None:
        """The next batch, when it is full or old enough; None = closed, and nothing waits or the time is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._entries or self._close_by is not None)
            self._changed.wait_for(
                lambda: self._waiting >= self._pace.batch or self._close_by is not None, self._pace.delay_s
            )
            if not self._entries or (self._close_by is not None and time.monotonic() >= self._close_by):
                return [] if self._close_by is None else None
            batch, count = [], 0
            while self._entries and count < self._pace.batch:
                batch.append(self._take())
                count += batch[-1][0]
            self._sending = count
            return batch

    def _sent(self, send: Send[Entry], batch: list[Entry]) -> bool:
        """Whether the batch was taken. Says in the log when that changes."""
        if not batch:
            return True
        try:
            refused = send(batch)
        except Exception as error:
            refused = type(error).__name__
        if bool(refused) != self._failing:
            self._failing = not self._failing
            if refused:
                log.warning("sending_fails", extra={"what": self.what, "error": refused})
            else:
                log.warning("sending_works_again", extra={"what": self.what})
        return not refused
