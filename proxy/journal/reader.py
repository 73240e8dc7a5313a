"""The observer's side of the journal: read the frames of every relay in order, from where the ledger says.

A frame is handed out once; what was read is forgotten only by release(), after the ledger has it. Damaged bytes are
skipped to the next whole frame and counted. What cannot be read just now is tried again at the next look, and holds
up nobody else. Used by one thread.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from proxy.journal.counters import Counter, read_counters
from proxy.journal.following import SegmentFollower
from proxy.journal.frames import Frame
from proxy.journal.segments import Position, writer_directories, writer_lives


class Reading(NamedTuple):
    """What one look at the journal gave."""

    frames: list[tuple[str, Frame]]  # (writer, frame), in order within each writer
    positions: dict[str, Position]  # where to go on once these frames are in the ledger
    ended: list[str]  # writers that are dead and wholly read, this reading included; said until they are released
    more: bool  # there was more to read than asked for


class JournalReader:
    """Reads all writers' journals below one directory."""

    def __init__(self, journal: Path, positions: Mapping[str, Position]) -> None:
        """`positions` come from the ledger: where reading goes on, by writer."""
        self._journal = journal
        self._positions = dict(positions)
        self._followers: dict[str, SegmentFollower] = {}
        self._undeleted: set[str] = set()  # released, but deleting failed
        self._gone_counters: dict[Counter, int] = {}
        self.damaged_bytes = 0  # skipped because they were no whole frame
        self.damaged_frames = 0  # places where that happened
        self.read_errors = 0  # looks at one writer's journal that failed

    def read(self, *, most: int) -> Reading:
        """At most `most` frames from each writer, oldest writer first. Never blocks for new ones."""
        reading = Reading([], {}, [], more=False)
        more = False
        directories = self._directories()
        for directory in directories:
            follower = self._followers.get(directory.name)
            if follower is None:
                follower = SegmentFollower(directory, self._positions.get(directory.name, Position()))
                self._followers[directory.name] = follower
            try:
                lives = writer_lives(directory)  # asked first: what a dead one wrote is all there when we read
                if follower.read(reading.frames, most=most, lives=lives):
                    more = True
                elif not lives:
                    reading.ended.append(directory.name)
            except OSError:
                self.read_errors += 1
            reading.positions[directory.name] = follower.position
            self.damaged_bytes += follower.damaged_bytes
            self.damaged_frames += follower.damaged_frames
            follower.damaged_bytes = follower.damaged_frames = 0
        self._end_vanished(reading, {directory.name for directory in directories})
        return reading._replace(more=more)

    def release(self, reading: Reading) -> None:
        """The ledger has all of `reading`: delete what nobody needs any more."""
        for name in list(self._undeleted):
            self._delete(self._journal / name)
        for name, position in reading.positions.items():
            follower = self._followers.get(name)
            if name in reading.ended:
                self._forget(name)
            elif follower is not None:
                self._positions[name] = position
                follower.delete_before(position)

    def counters(self) -> dict[str, dict[Counter, int]]:
        """Counters of each writer's directory that is there, by its name; `gone` holds the sum of the deleted ones."""
        found = {path.name: read_counters(path / "counters") for path in self._directories()}
        found["gone"] = dict(self._gone_counters)
        return found

    def lag_bytes(self) -> int:
        """Bytes written and not yet read."""
        return sum(follower.lag_bytes() for follower in self._followers.values())

    def close(self) -> None:
        """Close all files."""
        for follower in self._followers.values():
            follower.close()

    def _directories(self) -> list[Path]:
        return [path for path in writer_directories(self._journal) if path.name not in self._undeleted]

    def _end_vanished(self, reading: Reading, there: set[str]) -> None:
        """A journal that somebody deleted is at its end. When all are gone, a disk is rather not mounted."""
        for name in self._followers.keys() - there:
            follower = self._followers[name]
            follower.close()
            if self._journal.is_dir():
                reading.positions[name] = follower.position
                reading.ended.append(name)

    def _forget(self, name: str) -> None:
        follower = self._followers.pop(name, None)
        if follower is None:
            return
        follower.close()
        self._positions.pop(name, None)
        for counter, value in read_counters(follower.directory / "counters").items():
            self._gone_counters[counter] = self._gone_counters.get(counter, 0) + value
        self._delete(follower.directory)

    def _delete(self, directory: Path) -> None:
        """Without success its frames must not be read anew: the ledger forgets how far it was read."""
        shutil.rmtree(directory, ignore_errors=True)
        if directory.exists():
            self._undeleted.add(directory.name)
        else:
            self._undeleted.discard(directory.name)
