"""Frames of the journal: how one call is laid out in bytes. Pure; files are for writer and reader.

    magic  kind  -  crc32  lengths of the six sections         sections
    "SGJ1"  u8  u8+u16 u32  meta u32, heads and bodies 4 x u32, pieces u32   ...

The sections are: meta (JSON of `Started`, `Finished` or `Lost`), request head, request body, answer head, answer
body, pieces (n float64 seconds since start, then n uint32 sizes). The CRC covers everything behind itself and is
seeded with the segment's salt, so that bytes of a prompt cannot pass for a frame.
"""

from __future__ import annotations

import struct
from array import array
from typing import Final, NamedTuple
from zlib import crc32

import msgspec

from proxy.core.exchange import Exchange, Finished, Started

MAGIC: Final = b"SGJ1"
STARTED: Final = 1
FINISHED: Final = 2
LOST: Final = 3

_HEAD: Final = struct.Struct("<4sBBHI")
_LENGTHS: Final = struct.Struct("<6I")
HEAD_BYTES: Final = _HEAD.size + _LENGTHS.size
# Up to here copying the sections together costs less than handing them over one by one.
_JOINED_BYTES: Final = 64 * 1024
_PIECE_BYTES: Final = 12

# A frame's lengths come from a file that may be damaged: nothing sane is longer than this.
FRAME_LIMIT: Final = 512 * 1024 * 1024

_decode_started: Final = msgspec.json.Decoder(Started).decode
_decode_finished: Final = msgspec.json.Decoder(Finished).decode


class Lost(msgspec.Struct, frozen=True, kw_only=True):
    """Calls whose finished frame could not be kept: they are lost, not interrupted."""

    call_ids: tuple[str, ...]


_decode_lost: Final = msgspec.json.Decoder(Lost).decode


class Frame(NamedTuple):
    """One frame as read back; sections are copies, so the read buffer can go."""

    kind: int
    meta: bytes
    request_head: bytes
    request_body: bytes
    answer_head: bytes
    answer_body: bytes
    pieces: bytes

    def started(self) -> Started:
        """The meta of a started frame. Raises msgspec.MsgspecError on foreign JSON."""
        return _decode_started(self.meta)

    def lost(self) -> Lost:
        """The meta of a lost frame. Raises msgspec.MsgspecError on foreign JSON."""
        return _decode_lost(self.meta)

    def exchange(self) -> Exchange:
        """The whole call of a finished frame. Raises msgspec.MsgspecError on foreign JSON."""
        return Exchange(
            finished=_decode_finished(self.meta),
            request_head=self.request_head,
            request_body=self.request_body,
            answer_head=self.answer_head,
            answer_body=self.answer_body,
            pieces=_read_pieces(self.pieces),
        )


def encode(
    kind: int,
    meta: bytes,
    salt: int,
    *,
    request_head: bytes = b"",
    request_body: bytes = b"",
    answer_head: bytes = b"",
    answer_body: bytes = b"",
    pieces: bytes = b"",
) -> list[bytes]:
    """The frame as buffers for one writev.

    `meta` is the JSON of Started, Finished or Lost; `pieces` n float64 (seconds since start), then n uint32 (bytes),
    in the machine's order: a journal stays on its machine.
    """
    lengths = _LENGTHS.pack(
        len(meta),
        len(request_head),
        len(request_body),
        len(answer_head),
        len(answer_body),
        len(pieces) // _PIECE_BYTES,
    )
    sections = (lengths, meta, request_head, request_body, answer_head, answer_body, pieces)
    if len(request_body) + len(answer_body) <= _JOINED_BYTES:
        content = b"".join(sections)
        return [_HEAD.pack(MAGIC, kind, 0, 0, crc32(content, salt)) + content]
    crc = salt
    for section in sections:
        crc = crc32(section, crc)
    return [_HEAD.pack(MAGIC, kind, 0, 0, crc), *filter(None, sections)]


def frame_length(buffer: memoryview, at: int) -> int | None:
    """Bytes of the whole frame whose head begins at `at`; None when no sane head is there.

    `buffer` must hold at least HEAD_BYTES from `at` on.
    """
    magic, kind, pad, pad2, _crc = _HEAD.unpack_from(buffer, at)
    lengths = _LENGTHS.unpack_from(buffer, at + _HEAD.size)
    if magic != MAGIC or not STARTED <= kind <= LOST or pad or pad2:
        return None
    total = HEAD_BYTES + sum(lengths[:5]) + _PIECE_BYTES * lengths[5]
    return total if total <= FRAME_LIMIT else None


def decode(buffer: memoryview, at: int, length: int, *, salt: int) -> Frame | None:
    """The frame at `at`, `length` as frame_length() told; None when its CRC says that it is damaged."""
    _magic, kind, _, _, crc = _HEAD.unpack_from(buffer, at)
    lengths = list(_LENGTHS.unpack_from(buffer, at + _HEAD.size))
    if crc32(buffer[at + _HEAD.size : at + length], salt) != crc:
        return None
    lengths[5] *= _PIECE_BYTES
    sections = []
    start = at + HEAD_BYTES
    for size in lengths:
        sections.append(bytes(buffer[start : start + size]))
        start += size
    return Frame(kind, *sections)


def _read_pieces(packed: bytes) -> tuple[tuple[float, int], ...]:
    count = len(packed) // _PIECE_BYTES
    if not count:
        return ()
    times, sizes = array("d"), array("I")
    times.frombytes(packed[: 8 * count])
    sizes.frombytes(packed[8 * count :])
    return tuple(zip(times, sizes, strict=True))
