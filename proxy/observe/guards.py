"""The guards around the observer's parts: a fault is counted by part, logged once, and kept out of the others."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final, Literal, get_args

Part = Literal[
    "reading",  # bytes -> meaning
    "pricing",
    "upstreams",  # which model answered, and what changed at the upstreams
    "callers",  # SDK, app, claims
    "conversation",  # which call goes on from which
    "tools",
    "scoring",  # quality of answers, scorers of the user among it
    "drift",  # signals of answers, the detector that reads them
    "judge",
    "keys",  # clients' keys brought to one state in ledger and control snapshot
    "metrics",
    "log",
    "spans",
    "ledger",  # a record that the ledger would not take, or a fault that is no lock and no full disk
    "journal",  # the reading of frames itself
]
PARTS: Final[tuple[Part, ...]] = get_args(Part)

FAIL_VARIABLE: Final = "SIGHTGLASS_INTERNAL_FAIL"
_QUIET_S: Final = 60.0  # the same error is logged at most this often
_KEPT: Final = 256  # errors remembered; their texts hold foreign bytes, so there is no end to them

log = logging.getLogger("sightglass.observer")


class ForcedFault(Exception):  # noqa: N818 - reads as what is the case
    """A fault that a test asked for."""


class Guards:
    """Counts faults by part. Used by the observer's thread; `errors` may be read by any."""

    def __init__(self, forced: str = "", *, clock: Callable[[], float] = time.monotonic) -> None:
        """`forced`: parts that shall fail, for tests, as SIGHTGLASS_INTERNAL_FAIL names them.

        "reading,log" fails both for every call; "ledger:5" fails the next five commits, "ledger" every one.
        """
        self.errors: dict[str, int] = dict.fromkeys(PARTS, 0)
        self._clock = clock
        self._logged: dict[tuple[str, str, str], float] = {}
        self._forced: dict[str, float] = {}
        for word in filter(None, forced.split(",")):
            part, _, times = word.strip().partition(":")
            self._forced[part] = int(times) if times else float("inf")

    def force(self, part: Part) -> None:
        """Raise ForcedFault when a test wants this part to fail."""
        if self._forced and self._forced.get(part, 0) > 0:
            self._forced[part] -= 1
            raise ForcedFault(f"{FAIL_VARIABLE} names {part}")

    def note(self, part: Part, error: Exception, *, call_id: str | None = None) -> None:
        """Count the fault; log it, unless the same was logged within the last minute."""
        self.errors[part] += 1
        key = (part, type(error).__name__, str(error)[:200])
        now = self._clock()
        if now - self._logged.get(key, float("-inf")) < _QUIET_S:
            return
        if len(self._logged) >= _KEPT:
            self._logged.clear()
        self._logged[key] = now
        log.error("part_failed", extra={"part": part, "call_id": call_id}, exc_info=error)
