"""The observer's side of the journal: read the frames of every relay in order, from where the ledger says.

A frame is handed out once; what was read is forgotten only by release(), after the ledger has it. Damaged bytes are
skipped to the next whole frame and counted. Used by one thread.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from proxy.journal import frames
from proxy.journal.counters import Counter, read_counters
from proxy.journal.frames import Frame
from proxy.journal.segments import (
    SEGMENT_HEAD,
    SEGMENT_MAGIC,
    Position,
    segment_numbers,
    segment_path,
    writer_directories,
    writer_lives,
)

_READ_BYTES: Final = 4 * 1024 * 1024
WAIT_S: Final = 2.0


class Reading(NamedTuple):
    """What one look at the journal gave."""

    frames: list[tuple[str, Frame]]  # (writer, frame), in order within each writer
    positions: dict[str, Position]  # where to go on once these frames are in the ledger
    ended: list[str]  # writers that are dead and wholly read, this reading included
    more: bool  # there was more to read than asked for


class JournalReader:
    """Reads all writers' journals below one directory."""

    def __init__(self, journal: Path, positions: Mapping[str, Position]) -> None:
        """`positions` come from the ledger: where reading goes on, by writer."""
        self._journal = journal
        self._writers: dict[str, _Writer] = {}
        self._positions = dict(positions)
        self._gone_counters: dict[Counter, int] = {}
        self.damaged_bytes = 0  # skipped because they were no whole frame
        self.damaged_frames = 0  # places where that happened

    def read(self, *, most: int) -> Reading:
        """At most about `most` frames from each writer, oldest writer first. Never blocks for new ones."""
        reading = Reading([], {}, [], more=False)
        more = False
        for directory in writer_directories(self._journal):
            writer = self._writers.get(directory.name)
            if writer is None:
                writer = _Writer(directory, self._positions.get(directory.name, Position()))
                self._writers[directory.name] = writer
            lives = writer_lives(directory)  # asked first: what a dead one wrote is all there when we read
            found = writer.read(most=most, lives=lives)
            reading.frames.extend((directory.name, frame) for frame in found)
            reading.positions[directory.name] = writer.position
            self.damaged_bytes += writer.take_damaged_bytes()
            self.damaged_frames += writer.take_damaged_frames()
            if writer.exhausted and not lives:
                reading.ended.append(directory.name)
            more = more or not writer.exhausted
        return reading._replace(more=more)

    def release(self, reading: Reading) -> None:
        """The ledger has all of `reading`: delete what nobody needs any more."""
        for name, position in reading.positions.items():
            self._positions[name] = position
            writer = self._writers[name]
            if name in reading.ended:
                self._forget(writer)
            else:
                writer.delete_before(position.segment)

    def counters(self) -> dict[str, dict[Counter, int]]:
        """Counters of each writer's directory that is there, by its name; `gone` holds the sum of the deleted ones."""
        found = {path.name: read_counters(path / "counters") for path in writer_directories(self._journal)}
        found["gone"] = self._gone_counters
        return found

    def lag_bytes(self) -> int:
        """Bytes written and not yet read."""
        return sum(writer.lag_bytes() for writer in self._writers.values())

    def close(self) -> None:
        """Close all files."""
        for writer in self._writers.values():
            writer.close()

    def _forget(self, writer: _Writer) -> None:
        for counter, value in read_counters(writer.directory / "counters").items():
            self._gone_counters[counter] = self._gone_counters.get(counter, 0) + value
        writer.close()
        del self._writers[writer.directory.name]
        self._positions.pop(writer.directory.name, None)
        shutil.rmtree(writer.directory, ignore_errors=True)


class _Writer:
    """Reading position in the segments of one writer."""

    def __init__(self, directory: Path, position: Position) -> None:
        self.directory = directory
        self.position = position
        self.exhausted = False  # nothing more to read just now
        self._file = -1
        self._open_segment = 0
        self._salt = 0
        self._damaged_bytes = self._damaged_frames = 0
        self._damage_end = -1  # offset up to which damage was skipped: the same damage is counted once
        self._waiting = (-1, 0.0)  # offset of a frame that was not whole, and since when

    def read(self, *, most: int, lives: bool) -> list[Frame]:
        """The next frames, at most `most`. Sets `exhausted` when they were all."""
        found: list[Frame] = []
        self.exhausted = False
        while len(found) < most:
            numbers = [number for number in segment_numbers(self.directory) if number >= self.position.segment]
            if not numbers:
                self.exhausted = True
                return found
            if numbers[0] != self.position.segment:
                self.position = Position(numbers[0], 0)
            over = len(numbers) > 1 or not lives  # nothing will be added to this segment
            if not self._open():
                if not over:
                    self.exhausted = True
                    return found
                self._skip_segment(numbers)
            elif not self._read_some(found, most=most, over=over):
                if len(numbers) == 1:
                    self.exhausted = True
                    return found
                self._skip_segment(numbers)
            if self.exhausted:
                return found
        return found

    def delete_before(self, segment: int) -> None:
        """Delete the segments before `segment`."""
        for number in segment_numbers(self.directory):
            if number < segment:
                segment_path(self.directory, number).unlink(missing_ok=True)

    def lag_bytes(self) -> int:
        """Bytes in this writer's segments behind the position."""
        lag = 0
        for number in segment_numbers(self.directory):
            if number >= self.position.segment:
                try:
                    lag += segment_path(self.directory, number).stat().st_size
                except FileNotFoundError:
                    continue
                lag -= self.position.offset if number == self.position.segment else 0
        return max(lag, 0)

    def take_damaged_bytes(self) -> int:
        """Damaged bytes since the last time this was asked."""
        taken, self._damaged_bytes = self._damaged_bytes, 0
        return taken

    def take_damaged_frames(self) -> int:
        """Damaged places since the last time this was asked."""
        taken, self._damaged_frames = self._damaged_frames, 0
        return taken

    def close(self) -> None:
        """Close the open segment."""
        if self._file >= 0:
            os.close(self._file)
        self._file, self._open_segment = -1, 0

    def _open(self) -> bool:
        """Open the segment of the position and read its header. False while that is not there or not one."""
        if self._open_segment == self.position.segment:
            return True
        self.close()
        try:
            file = os.open(segment_path(self.directory, self.position.segment), os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        head = os.pread(file, SEGMENT_HEAD.size, 0)
        if len(head) < SEGMENT_HEAD.size:
            os.close(file)
            return False
        magic, salt = SEGMENT_HEAD.unpack(head)
        if magic != SEGMENT_MAGIC:
            self._damaged_frames += 1
            os.close(file)
            return False
        self._file, self._open_segment, self._salt = file, self.position.segment, salt
        if self.position.offset < SEGMENT_HEAD.size:
            self.position = Position(self.position.segment, SEGMENT_HEAD.size)
        return True

    def _skip_segment(self, numbers: list[int]) -> None:
        """Go on to the next segment, or past the last one of a dead writer."""
        if len(numbers) > 1:
            self.position = Position(numbers[1], 0)
        else:
            self.exhausted = True

    def _read_some(self, found: list[Frame], *, most: int, over: bool) -> bool:
        """Read one bufferful of frames into `found`. False when there is nothing (whole) to read."""
        start = self.position.offset
        content = os.pread(self._file, _READ_BYTES, start)
        at = 0
        view = memoryview(content)
        while len(found) < most and len(content) - at >= frames.HEAD_BYTES:
            length = frames.frame_length(view, at)
            if length is not None and at + length > len(content):
                if at:
                    break  # read again from here
                content = os.pread(self._file, length, start)
                view = memoryview(content)
                if len(content) < length:
                    if not over and self._may_still_come(start):
                        return False
                    length = None  # torn
            frame = frames.decode(view, at, length, salt=self._salt) if length is not None else None
            if frame is not None and length is not None:
                found.append(frame)
                at += length
                continue
            skip = content.find(frames.MAGIC, at + 1)
            end = skip if skip >= 0 else max(at + 1, len(content) - len(frames.MAGIC) + 1)
            self._damaged_frames += start + at != self._damage_end
            self._damaged_bytes += end - at
            at = end
            self._damage_end = start + end
        if at == 0 and over and content:  # a torn rest, shorter than a head
            self._damaged_bytes += len(content)
            self._damaged_frames += 1
            at = len(content)
        self.position = Position(self.position.segment, start + at)
        return at > 0

    def _may_still_come(self, offset: int) -> bool:
        """Whether to wait for the rest of the frame at `offset`. A frame is one write: after WAIT_S its length lied."""
        if self._waiting[0] != offset:
            self._waiting = (offset, time.monotonic())
        return time.monotonic() - self._waiting[1] < WAIT_S
