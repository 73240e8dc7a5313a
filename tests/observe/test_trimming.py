"""Free memory goes back to the system now and then."""

from __future__ import annotations

import gc
import os
import threading
import weakref
from pathlib import Path

from proxy.observe.trimming import EVERY_S, Trimming, _give_back


def test_it_is_done_now_and_then() -> None:
    done: list[float] = []
    now = [0.0]
    trimming = Trimming(lambda: done.append(now[0]), clock=lambda: now[0])

    for second in range(int(2.5 * EVERY_S)):
        now[0] = float(second)
        trimming.turn()

    assert done == [EVERY_S, 2 * EVERY_S]


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Knot:
    """Refers to itself, so that counting does not free it."""

    def __init__(self) -> None:
        self.itself = self


def test_what_counting_does_not_free_goes_however_seldom_the_collector_looks() -> None:
    knot = Knot()
    gone = weakref.ref(knot)
    gc.collect()  # it lived through that, and is old now
    del knot

    _give_back()

    assert gone() is None


def test_holes_of_a_threads_arena_go_back() -> None:
    """What is between pieces that stay is kept by the C library until it is asked for it."""
    grew: list[int] = []

    def work() -> None:
        before = _resident_bytes()
        pieces = [bytes(24_000) for _ in range(2_000)]
        kept = pieces[::8]
        del pieces
        _give_back()
        grew.append(_resident_bytes() - before)
        assert len(kept) == 250

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert grew[0] < 24_000_000  # of 48 MB, 6 stay
