"""Following one writer through its segments, from a position on. Decides what is damaged and what is still to come.

whole frame                                       handed out
no whole frame, an undamaged frame head behind    damaged: skipped up to there
no whole frame, nothing behind, segment is over   damaged (a torn end): skipped
no whole frame, nothing behind, writer lives      waits: it may be in mid-write, however slow; nothing is held up
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from proxy.journal import frames
from proxy.journal.frames import Frame
from proxy.journal.segments import (
    SEGMENT_HEAD,
    Position,
    erase,
    read_segment_head,
    segment_bytes,
    segment_numbers,
    segment_path,
)

Found = list[tuple[str, Frame]]  # (writer, frame)

# One look takes some hundred frames; reading far more than is handed out would be for nothing.
_READ_BYTES: Final = 256 * 1024
# Bodies of one look are in memory together: so much of them, and one frame more.
LOOK_BYTES: Final = 16 * 1024 * 1024
# So many failed looks at one place (about 10 s apart in all), then its page counts as damaged: a bad sector.
_TRIES: Final = 50
_PAGE_BYTES: Final = 4096


class SegmentFollower:
    """Reading position in the segments of one writer."""

    def __init__(self, directory: Path, position: Position) -> None:
        self.directory = directory
        self.position = position
        self.damaged_bytes = self.damaged_frames = 0  # the reader takes them over and sets them back
        self._file = -1
        self._open_segment = 0
        self._salt = 0
        self._erased = Position()  # up to here the segment at hand holds zeros
        self._waits_at: tuple[Position, int] | None = None  # nothing whole behind there, with a file of that size
        self._failures = 0  # looks in a row that failed at this position
        self._room = 0  # bytes that this look may still take

    def read(self, found: Found, *, most: int, lives: bool) -> bool:
        """Add at most `most` frames, or as many as make LOOK_BYTES, to `found`. True: there is more.

        Raises OSError when files cannot be read; what was found before that counts.
        """
        wanted = len(found) + most
        self._room = LOOK_BYTES
        while len(found) < wanted and self._room > 0:
            numbers = [number for number in segment_numbers(self.directory) if number >= self.position.segment]
            if numbers and numbers[0] != self.position.segment:
                self._go_to(Position(numbers[0], 0))
            over = len(numbers) > 1 or not lives  # nothing will be added to this segment
            if numbers and not self._read_segment(found, wanted, over=over):
                continue  # as much as wanted
            if len(numbers) < 2:
                return False
            self._go_to(Position(numbers[1], 0))
        return True

    def delete_before(self, position: Position) -> None:
        """Nobody needs what lies before `position`: delete whole segments, erase the read part of its own."""
        for number in segment_numbers(self.directory):
            if number < position.segment:
                segment_path(self.directory, number).unlink(missing_ok=True)
        erased = self._erased.offset if self._erased.segment == position.segment else SEGMENT_HEAD.size
        if position.offset > erased:
            erase(segment_path(self.directory, position.segment), erased, position.offset)
            self._erased = position

    def lag_bytes(self) -> int:
        """Bytes in this writer's segments behind the position."""
        lag = 0
        for number in segment_numbers(self.directory):
            if number >= self.position.segment:
                read = self.position.offset if number == self.position.segment else 0
                lag += max(segment_bytes(self.directory, number) - read, 0)
        return lag

    def close(self) -> None:
        """Close the open segment."""
        if self._file >= 0:
            os.close(self._file)
        self._file, self._open_segment = -1, 0

    def _go_to(self, position: Position) -> None:
        self.position = position
        self._failures = 0

    def _open(self, *, over: bool) -> bool:
        """Open the segment of the position and read its head. False while that is not there. Raises OSError."""
        if self._open_segment == self.position.segment:
            return True
        self.close()
        try:
            file = os.open(segment_path(self.directory, self.position.segment), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        self._file = file
        head = self._pread(SEGMENT_HEAD.size, 0)
        if len(head) < SEGMENT_HEAD.size:
            if over and self.position.offset < len(head):
                self._note_damage(len(head))
                self._go_to(Position(self.position.segment, len(head)))
            self.close()
            return False
        self._salt, whole = read_segment_head(head)
        self._open_segment = self.position.segment
        if self.position.offset < SEGMENT_HEAD.size:
            if not whole:
                self._note_damage(SEGMENT_HEAD.size)
            self._go_to(Position(self.position.segment, SEGMENT_HEAD.size))
        return True

    def _read_segment(self, found: Found, wanted: int, *, over: bool) -> bool:
        """Read the rest of the segment as it is now. False: stopped by `wanted`."""
        if not self._open(over=over):
            return True
        size = os.fstat(self._file).st_size
        while len(found) < wanted and self._room > 0:
            start = self.position.offset
            end = self._read_frames(found, wanted, start, size)
            if end == start:
                if start >= size or (not over and self._waits_at == (self.position, size)):
                    return True
                head = self._find_head(start + 1, size)
                if head is None and not over:
                    self._waits_at = (self.position, size)
                    return True
                end = head if head is not None else size
                self._note_damage(end - start)
            self._go_to(Position(self.position.segment, end))
        return False

    def _read_frames(self, found: Found, wanted: int, start: int, size: int) -> int:
        """Hand out the whole frames of one read at `start`. Gives the end of the last one."""
        content = self._pread(_READ_BYTES, start)
        at, writer, salt = 0, self.directory.name, self._salt
        while len(found) < wanted and self._room > 0 and at + frames.HEAD_BYTES <= len(content):
            length = frames.frame_length(content, at, salt=salt)
            if length is None:
                break
            if at + length > len(content):
                if at or start + length > size:
                    break  # the next read begins with it; or it is not whole
                content = self._pread(length, start)
                if len(content) < length:
                    break
            frame = frames.decode(content, at, length, salt=salt)
            if frame is None:
                break
            found.append((writer, frame))
            self._room -= length
            at += length
        return start + at

    def _find_head(self, start: int, size: int) -> int | None:
        """Where the next undamaged head of a frame begins, from `start` on."""
        while start + frames.HEAD_BYTES <= size:
            content = self._pread(_READ_BYTES, start)
            if not content:
                return None
            at = content.find(frames.MAGIC)
            while at >= 0:
                head = content[at : at + frames.HEAD_BYTES]
                if len(head) < frames.HEAD_BYTES:
                    head = self._pread(frames.HEAD_BYTES, start + at)
                if len(head) == frames.HEAD_BYTES and frames.frame_length(head, 0, salt=self._salt) is not None:
                    return start + at
                at = content.find(frames.MAGIC, at + 1)
            start += max(len(content) - len(frames.MAGIC) + 1, 1)
        return None

    def _pread(self, size: int, offset: int) -> bytes:
        """Bytes of the segment, fewer at its end. Raises OSError, but not for ever: then the page reads as zeros."""
        try:
            return os.pread(self._file, size, offset)
        except OSError:
            self._failures += 1
            if self._failures < _TRIES:
                raise
            return bytes(min(size, _PAGE_BYTES - offset % _PAGE_BYTES))

    def _note_damage(self, size: int) -> None:
        self.damaged_bytes += size
        self.damaged_frames += 1
