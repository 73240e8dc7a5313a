"""Frames of the journal: how one call is laid out in bytes. Pure; files are for writer and reader.

    magic   check   kind  crc   lengths of the six sections in bytes   sections
    "SGJ1"  u32     u32   u32   6 x u32                                ...

The sections are: meta (JSON of `Started`, `Finished` or `Lost`), request head, request body, answer head, answer
body, pieces (n float64 seconds since start, then n uint32 sizes). `check` is the CRC of kind, crc and lengths, `crc`
that of the sections; so a head is believed or not before its lengths are followed. Both are seeded with the writer's
salt, which no client knows: bytes of a prompt cannot pass for a frame.
"""

from __future__ import annotations

import struct
from array import array
from typing import Final
from zlib import crc32

import msgspec

from proxy.core.exchange import Exchange, Finished, Pieces, Started
from proxy.journal.segments import FRAME_MAGIC

MAGIC: Final = FRAME_MAGIC
STARTED: Final = 1
FINISHED: Final = 2
LOST: Final = 3

_CHECK: Final = struct.Struct("<4sI")
_REST: Final = struct.Struct("<8I")
HEAD_BYTES: Final = _CHECK.size + _REST.size
# Up to here copying the sections together costs less than handing them over one by one.
_JOINED_BYTES: Final = 64 * 1024
_PIECE_BYTES: Final = 12

# No longer frames are written: linear work for the reader, and one writev takes no more than 2 GiB.
FRAME_LIMIT: Final = 512 * 1024 * 1024

_decode_started: Final = msgspec.json.Decoder(Started).decode
_decode_finished: Final = msgspec.json.Decoder(Finished).decode


class Lost(msgspec.Struct, frozen=True, kw_only=True):
    """Calls whose finished frame could not be kept: they are lost, not interrupted."""

    call_ids: tuple[str, ...]


_decode_lost: Final = msgspec.json.Decoder(Lost).decode


class Frame(msgspec.Struct, frozen=True, gc=False):
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
    sections = (meta, request_head, request_body, answer_head, answer_body, pieces)
    joined = len(request_body) + len(answer_body) <= _JOINED_BYTES
    if joined:
        content = b"".join(sections)
        crc = crc32(content, salt)
    else:
        crc = salt
        for section in sections:
            crc = crc32(section, crc)
    rest = _REST.pack(
        kind, crc, len(meta), len(request_head), len(request_body), len(answer_head), len(answer_body), len(pieces)
    )
    check = _CHECK.pack(MAGIC, crc32(rest, salt))
    return [b"".join((check, rest, content))] if joined else [check + rest, *filter(None, sections)]


def encode_meta(kind: int, meta: bytes, salt: int) -> list[bytes]:
    """The frame of nothing but its meta, as `encode` gives it."""
    rest = _REST.pack(kind, crc32(meta, salt), len(meta), 0, 0, 0, 0, 0)
    return [b"".join((_CHECK.pack(MAGIC, crc32(rest, salt)), rest, meta))]


def frame_length(content: bytes, at: int, *, salt: int) -> int | None:
    """Bytes of the whole frame whose head begins at `at`; None when no undamaged head is there.

    `content` must hold at least HEAD_BYTES from `at` on.
    """
    magic, check = _CHECK.unpack_from(content, at)
    if magic != MAGIC or crc32(content[at + _CHECK.size : at + HEAD_BYTES], salt) != check:
        return None
    _kind, _crc, *lengths = _REST.unpack_from(content, at + _CHECK.size)
    total: int = HEAD_BYTES + sum(lengths)
    return total


def decode(content: bytes, at: int, length: int, *, salt: int) -> Frame | None:
    """The frame at `at`, `length` as frame_length() told; None when its CRC says that it is damaged."""
    kind, crc, *lengths = _REST.unpack_from(content, at + _CHECK.size)
    start = at + HEAD_BYTES
    if not STARTED <= kind <= LOST or crc32(memoryview(content)[start : at + length], salt) != crc:
        return None
    sections = []
    for size in lengths:
        behind = start + size
        sections.append(content[start:behind])
        start = behind
    return Frame(kind, *sections)


def _read_pieces(packed: bytes) -> Pieces:
    count = len(packed) // _PIECE_BYTES
    times, sizes = array("d"), array("I")
    times.frombytes(packed[: 8 * count])
    sizes.frombytes(packed[8 * count :])
    return Pieces(times, sizes)
