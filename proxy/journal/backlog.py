"""Frames that wait in bounded memory for a sick disk, and the thread that writes them, in order.

add() ──▶ waiting frames ──▶ thread: as many as there are in one write ──▶ segments
             │ full             │ refused: again after RETRY_S, for ever
             ▼                  ▼ quick for long enough: the thread ends, the relay writes by itself again
          counted as lost by kind; their calls are named in a Lost frame behind the frames that waited then,
          so that they do not pass for interrupted
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Final, NamedTuple

import msgspec

from proxy.journal import frames
from proxy.journal.appending import SegmentAppender
from proxy.journal.counters import Counter, Counters

# Time between attempts while the disk refuses; also how long writes must be quick again before we trust it.
RETRY_S: Final = 0.5
# A disk that stalls again soon after it was trusted is trusted later each time: each time costs all calls one stall.
LONGEST_CALM_S: Final = 300.0
# Names of lost calls that are kept for the Lost frame: 100,000 x ~90 bytes.
LOST_NAMES: Final = 100_000
_NAMES_AT_ONCE: Final = 10_000
_NAME_BYTES: Final = 64  # more than one name takes in the JSON of a Lost frame
# So much in one write: with a second for each write, hundreds of calls a second still get to the disk.
_BATCH_BYTES: Final = 1024 * 1024
# After a refused write one frame at a time, then twice as much each time: one may fit where many do not.
_FIRST_BATCH_BYTES: Final = 16 * 1024
# What a waiting frame takes in memory beside its bytes.
_OVERHEAD_BYTES: Final = 256

Entry = tuple[int, str, list[bytes]]  # kind, call id, buffers


class _Waiting(NamedTuple):
    kind: int
    buffers: list[bytes]
    size: int


class Backlog:
    """Of one relay. All but the thread's own methods are for the event loop's thread, and never wait for the disk."""

    def __init__(
        self, appender: SegmentAppender, counters: Counters, *, salt: int, most_bytes: int, stall_s: float
    ) -> None:
        self.active = False  # the disk is the thread's; False: it is the caller's
        self._appender, self._counters, self._salt = appender, counters, salt
        self._most_bytes, self._stall_s = most_bytes, stall_s
        self._names_at_once = min(_NAMES_AT_ONCE, appender.segment_bytes // _NAME_BYTES)
        self._guard = threading.Condition()
        self._waiting: deque[_Waiting] = deque()
        self._bytes = 0
        self._batch_bytes = 0  # of the next write; at least one frame
        self._in_hand = 0  # frames at the left end that are being written just now
        self._lost_names: list[str] = []
        self._thread: threading.Thread | None = None
        self._closing = False
        self._give_up = threading.Event()
        self._calm_s = RETRY_S
        self._trusted_at = float("-inf")

    def begin(self, *, stalled: bool = False) -> None:
        """Leave the disk to the thread. stalled: because it held the caller up."""
        with self._guard:
            if stalled:
                soon = time.monotonic() - self._trusted_at < 2 * LONGEST_CALM_S
                self._calm_s = min(2 * self._calm_s, LONGEST_CALM_S) if soon else RETRY_S
            self._begin()

    def add(self, entries: list[Entry]) -> None:
        """Keep these frames for the thread, or count them as lost."""
        with self._guard:
            for kind, call_id, buffers in entries:
                self._keep(kind, call_id, buffers)
            if not self._closing:
                self._begin()  # the thread may have ended in this very moment
                self._guard.notify()
        self._counters.mirror()

    def close(self, *, deadline_s: float) -> bool:
        """Write what waits, for at most `deadline_s`; count the rest as lost.

        False: the thread still holds the disk.
        """
        with self._guard:
            self._closing = self.active = True
            self._guard.notify()
        if self._thread is not None:
            self._thread.join(deadline_s)
            self._give_up.set()
            self._thread.join(0.1)
        with self._guard:
            while len(self._waiting) > self._in_hand:
                waiting = self._waiting.pop()
                self._bytes -= waiting.size
                self._count_lost(waiting.kind)
            self._show()
        self._counters.mirror()
        return self._thread is None or not self._thread.is_alive()

    # -- under self._guard -----------------------------------------------------------------------------------

    def _begin(self) -> None:
        if self.active and self._thread is not None and self._thread.is_alive():
            return
        self.active = True
        self._counters.words[Counter.WRITE_STATE] = 1
        self._thread = threading.Thread(target=self._write_waiting, name="journal backlog", daemon=True)
        self._thread.start()

    def _keep(self, kind: int, call_id: str, buffers: list[bytes]) -> None:
        size = sum(map(len, buffers))
        fits = size <= self._appender.longest and self._bytes + size + _OVERHEAD_BYTES <= self._most_bytes
        if fits and not self._closing:
            self._waiting.append(_Waiting(kind, buffers, size + _OVERHEAD_BYTES))
            self._bytes += size + _OVERHEAD_BYTES
            self._show()
            return
        self._count_lost(kind)
        if kind == frames.FINISHED and len(self._lost_names) < LOST_NAMES:
            self._lost_names.append(call_id)

    def _count_lost(self, kind: int) -> None:
        self._counters.words[Counter.FINISHED_LOST if kind == frames.FINISHED else Counter.STARTED_LOST] += 1

    def _show(self) -> None:
        self._counters.words[Counter.BACKLOG_FRAMES] = len(self._waiting)
        self._counters.words[Counter.BACKLOG_BYTES] = self._bytes

    def _take(self) -> tuple[list[_Waiting], tuple[str, ...]]:
        """What goes into the next write: frames and, once none waits behind them, names of lost calls."""
        batch: list[_Waiting] = []
        size = 0
        for waiting in self._waiting:
            size += waiting.size
            if batch and size > self._batch_bytes:
                break
            batch.append(waiting)
        self._in_hand = len(batch)
        behind = len(self._waiting) - len(batch)
        return batch, () if behind else tuple(self._lost_names[: self._names_at_once])

    def _written(self, batch: list[_Waiting], names: tuple[str, ...]) -> None:
        words = self._counters.words
        for waiting in batch:
            self._waiting.popleft()
            self._bytes -= waiting.size
            words[Counter.FINISHED_FRAMES if waiting.kind == frames.FINISHED else Counter.STARTED_FRAMES] += 1
        self._in_hand = 0
        del self._lost_names[: len(names)]
        self._show()

    def _next(self, quick_since: float | None) -> tuple[list[_Waiting], tuple[str, ...]] | None:
        """The next batch; an empty one as a probe of the disk; None when the thread's work is done."""
        while True:
            batch, names = self._take()
            if batch or names:
                return batch, names
            calm = quick_since is not None and time.monotonic() - quick_since >= self._calm_s
            if calm or self._closing:
                self.active = self._closing
                self._counters.words[Counter.WRITE_STATE] = 0
                self._trusted_at = time.monotonic()
                return None
            if not self._guard.wait(RETRY_S):
                return batch, names

    # -- the thread ------------------------------------------------------------------------------------------

    def _write_waiting(self) -> None:
        quick_since: float | None = None
        while True:
            with self._guard:
                taken = self._next(quick_since)
            self._counters.mirror()
            if taken is None:
                return
            took_s = self._write(*taken)
            if took_s is None:
                quick_since = None
                if self._give_up.wait(RETRY_S):
                    return
            elif took_s > self._stall_s:
                quick_since = None
            elif quick_since is None:
                quick_since = time.monotonic()

    def _write(self, batch: list[_Waiting], names: tuple[str, ...]) -> float | None:
        """Seconds that the write took; None when the disk refused."""
        buffers = [buffer for waiting in batch for buffer in waiting.buffers]
        if names or not batch:  # without any name it harms nobody, and tells whether the disk is well
            lost = msgspec.json.encode(frames.Lost(call_ids=names))
            buffers += frames.encode(frames.LOST, lost, self._salt)
        began = time.monotonic()
        words = self._counters.words
        try:
            self._appender.write(buffers, sum(map(len, buffers)))
        except OSError as error:
            with self._guard:
                self._in_hand = self._batch_bytes = 0
                words[Counter.WRITE_ERRORS] += 1
                words[Counter.LAST_ERRNO] = error.errno or 0
            return None
        took_s = time.monotonic() - began
        with self._guard:
            words[Counter.WRITE_STALLS] += took_s > self._stall_s
            self._written(batch, names)
            more = max(2 * self._batch_bytes, _FIRST_BATCH_BYTES)
            self._batch_bytes = min(more, _BATCH_BYTES, self._appender.segment_bytes)
        if self._appender.directory is not None:
            self._counters.publish(self._appender.directory / "counters")
        return took_s
