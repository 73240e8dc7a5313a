"""What the observer's thread says of itself, for health and metrics. Plain values: one thread writes, others read."""

from __future__ import annotations

import time
from typing import Literal

Doing = Literal[
    "starting",
    "waiting",  # the observer before us still holds its lock
    "observing",
    "ledger_away",  # the ledger cannot be opened or takes no commit: the journal grows, calls go on
    "stopped",
]


class ObserverState:
    """Written by the observer's thread only."""

    def __init__(self) -> None:
        self.doing: Doing = "starting"
        self.ledger_error: str | None = None  # of the last attempt; None = it went well
        self.commits = 0
        self.commit_failures = 0
        self.last_commit_unix_s: float | None = None
        self.ledger_calls = 0  # calls that this observer put into the ledger
        self.repeated = 0  # calls read again that the ledger had already
        self.lost: dict[str, int] = {
            "journal": 0,
            "ledger": 0,
            "unreadable": 0,
            "killed": 0,
        }  # calls without a record, by cause
        self.damaged_frames = 0
        self.behind_since: float | None = None  # monotonic; None = all that was read is in the ledger
        self.away_since: float | None = None  # monotonic; since when the ledger takes nothing
        self.caught_up = False  # once: everything that lay there at the start was read

    def lag_s(self) -> float:
        """How long the oldest call that is not in the ledger waits for it, at most: while the ledger is away nothing
        is read, and the oldest may have come at any time since."""
        since = [at for at in (self.behind_since, self.away_since) if at is not None]
        return max(time.monotonic() - min(since), 0.0) if since else 0.0

    def ledger_away(self, error: str) -> None:
        """The ledger cannot be opened, or takes no commit."""
        self.doing, self.ledger_error = "ledger_away", error
        if self.away_since is None:
            self.away_since = time.monotonic()

    def ledger_back(self) -> None:
        """It takes commits again."""
        self.doing, self.ledger_error, self.away_since = "observing", None, None
