"""Doctor: one look at counters, ledger and journal of a system that goes on meanwhile, such that the three agree.

Counters are read before and after the rest. When no call ended in between, the look is exact; else it is repeated, and
at last taken with the few calls that ended meanwhile as its uncertainty. Reads only.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from proxy.core.tally import Tally
from proxy.journal import frames
from proxy.journal.counters import Counter, read_counters
from proxy.journal.following import SegmentFollower
from proxy.journal.segments import Position, journal_directory, writer_directories, writer_lives

if TYPE_CHECKING:
    from proxy.store.reader import LedgerReader
    from proxy.store.tallies import Account

_LOOKS: Final = 50
_PAUSE_S: Final = 0.02
_FRAMES: Final = 64


@dataclass(kw_only=True)
class Sight:
    """One relay whose journal is there. A living one has the calls under way; a dead one waits for the observer."""

    name: str
    lives: bool
    before: Mapping[Counter, int]
    after: Mapping[Counter, int]
    tally: Tally  # in the ledger
    unread: Tally  # in the journal behind the ledger's position
    damaged: int = 0  # places of these that are no frames

    def count(self, counter: Counter) -> int:
        """As it was after the look; 0 when a former version did not have it."""
        return self.after.get(counter, 0)

    @property
    def uncertain(self) -> int:
        """Calls that ended during the look."""
        return self.count(Counter.ENDED) - self.before.get(Counter.ENDED, 0)

    @property
    def told(self) -> int:
        """Ended calls that a frame tells of, their losses included."""
        return self.tally.finished + self.tally.lost + self.unread.finished + self.unread.lost

    @property
    def unnamed(self) -> int:
        """Finished frames that could not be kept, and whose calls are not named yet."""
        return max(self.count(Counter.FINISHED_LOST) - self.tally.lost - self.unread.lost, 0)

    @property
    def missing(self) -> int:
        """Ended calls that nothing tells of; negative: more is told than ended."""
        return self.count(Counter.ENDED) - self.told - self.unnamed


@dataclass(kw_only=True)
class Look:
    """All of it."""

    account: Account
    sights: list[Sight]
    exact: bool


def look(data: Path, ledger: LedgerReader) -> Look:
    """The best of several looks. Raises LedgerError, OSError."""
    for number in range(_LOOKS):
        found = _look_once(journal_directory(data), ledger)
        if found is not None and (found.exact or number == _LOOKS - 1):
            return found
        time.sleep(_PAUSE_S)
    raise OSError("the observer reads faster than this can look; try again")


def _look_once(journal: Path, ledger: LedgerReader) -> Look | None:
    """None: the observer committed meanwhile, so that what is behind its position is not what it was."""
    directories = writer_directories(journal)
    before = {path.name: read_counters(path / "counters") for path in directories}
    account = ledger.account()
    sights = []
    for path in directories:
        lives = writer_lives(path)
        unread, damaged = _unread(path, Position(*account.positions.get(path.name, (0, 0))), lives=lives)
        after = read_counters(path / "counters")
        tally = account.tallies.get(path.name, Tally())
        sight = Sight(
            name=path.name,
            lives=lives,
            before=before[path.name],
            after=after,
            tally=tally,
            unread=unread,
            damaged=damaged,
        )
        sights.append(sight)
    if ledger.account().positions != account.positions:
        return None
    exact = all(sight.before == sight.after for sight in sights)
    return Look(account=account, sights=sights, exact=exact)


def _unread(directory: Path, position: Position, *, lives: bool) -> tuple[Tally, int]:
    """What the journal holds behind the position, and how many damaged places."""
    follower, tally, more = SegmentFollower(directory, position), Tally(), True
    while more:
        found: list[tuple[str, frames.Frame]] = []
        more = follower.read(found, most=_FRAMES, lives=lives)
        for _, frame in found:
            tally.started += frame.kind == frames.STARTED
            tally.finished += frame.kind == frames.FINISHED
            tally.lost += len(frame.lost().call_ids) if frame.kind == frames.LOST else 0
    damaged = follower.damaged_frames
    follower.close()
    return tally, damaged
