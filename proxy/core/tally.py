"""How many calls of one relay the ledger has accounted for, and how. Kept with the read position, so it counts once."""

from __future__ import annotations

from typing import Final

import msgspec

BEGAN_BEFORE: Final = -1


class Tally(msgspec.Struct, kw_only=True):
    """Of one writer's journal; for a batch, what it adds.

    seen: calls that the relay took in all, once it is dead; 0 = it lives, or its counters are gone; negative = it began
    before this ledger, so that the others say less than it did.
    """

    seen: int = 0
    started: int = 0  # started frames read
    finished: int = 0  # finished frames read
    unreadable: int = 0  # of these, those whose call could not even be named
    lost: int = 0  # calls that the relay named as lost
    interrupted: int = 0  # calls that it left open

    @property
    def accounted(self) -> int:
        """Calls whose fate is known."""
        return self.finished + self.lost + self.interrupted
