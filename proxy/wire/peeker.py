"""What the relay reads of a request body that comes in pieces (10 MB of base64 images), of which it keeps nothing.

Runs on the request path, in the relay's event loop. It must not keep a copy of a body, raise on foreign bytes, take
more than about 2 ms per 64 KiB whatever they hold, or import anything heavy.

How it stays quick: only the top level is read token by token. Strings, lists and objects are passed over in windows by
C functions of `bytes`, see wire/skipping. What that costs in exactness is said at `Peek.valid`.

    begin ─ { ─▶ first_key ─ " ─▶ in_key ─▶ colon ─▶ value ─┬▶ in_string_or_nest ─┬▶ comma ─ } ─▶ end
                     └─ } ─▶ end    ▲                       └▶ in_scalar ─────────┘    │
                                    └──────────────── key ◀───────────── , ────────────┘
"""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from proxy.wire.json_text import string_of
from proxy.wire.peeked import OPTIONS_BYTES, Options, Peek, options_state
from proxy.wire.skipping import Skipper

_MAX_KEY_BYTES = 128  # "stream_options" with every letter as \uXXXX has 84
_MAX_MODEL_BYTES = 262_144  # longer is no name; a whole body for `peek` is not longer
_MAX_SCALAR_BYTES = 1024  # a number or a literal
_MAX_MEMBERS = 128  # at the top level; the OpenAI chat reference names about 40

_SPACE = re.compile(rb"[ \t\n\r]*")
_SCALAR_RUN = re.compile(rb"[-+.0-9A-Za-z]*")
_SCALAR = re.compile(rb"true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")

_QUOTE, _COLON, _COMMA, _OPEN, _CLOSE = b'":,{}'
_CAPTURED = {b"model": _MAX_MODEL_BYTES, b"stream": _MAX_SCALAR_BYTES, b"stream_options": OPTIONS_BYTES}


class Peeker:
    """Reads a body that comes in pieces; cut anywhere. One use, one thread.

    feed: at most about 2 ms per 64 KiB, then it gives up (valid=False). result: any time; what was certain by then.
    """

    def __init__(self) -> None:
        self._state: Callable[[Peeker, bytes, int], int] = Peeker._begin  # unbound: else a cycle, for the collector
        self._base = 0  # offset in the body of the piece's first byte
        self._members = 0
        self._skipper = Skipper()
        self._key = b""
        self._taken: list[bytes] = []  # the token under way, if it is one that we want
        self._room = 0  # bytes that may still be taken; below 0 = not wanted, or too long
        self._token_start = 0
        self._object_start: int | None = None
        self._values: dict[bytes, tuple[bytes | None, int, int]] = {}  # key -> JSON text (None: too long), start, end

    def feed(self, piece: bytes) -> None:
        """Read on. piece: the next bytes of the body; not kept."""
        self._skipper.allow(len(piece))
        pos = 0
        while 0 <= pos < len(piece):
            pos = self._state(self, piece, pos)
        if pos < 0:
            self._state = Peeker._broken
        self._base += len(piece)

    def result(self) -> Peek:
        """What was seen so far; whole once the body has ended."""
        valid = self._state is Peeker._end
        model, _, _ = self._values.get(b"model", (None, 0, 0))
        flag, _, _ = self._values.get(b"stream", (None, 0, 0))
        seen = Peek(
            model=string_of(model) if model else None,
            stream={b"true": True, b"false": False}.get(flag or b""),
            valid=valid,
            object_start=self._object_start,
        )
        return self._with_options(seen) if valid and seen.stream else seen

    def _with_options(self, seen: Peek) -> Peek:
        raw, start, end = self._values.get(b"stream_options", (b"", 0, 0))
        options: Options = "foreign" if raw is None else options_state(raw)
        if options not in ("null", "empty", "open"):
            return msgspec.structs.replace(seen, options=options)
        return msgspec.structs.replace(seen, options=options, options_start=start, options_end=end)

    # Each state takes (piece, position) and gives the position from which to go on; -1 = this is not valid JSON.

    def _begin(self, piece: bytes, pos: int) -> int:
        pos = _past_space(piece, pos)
        if pos == len(piece):
            return pos
        if piece[pos] != _OPEN:
            return -1
        self._object_start = self._base + pos + 1
        self._state = Peeker._first_key
        return pos + 1

    def _first_key(self, piece: bytes, pos: int) -> int:
        pos = _past_space(piece, pos)
        if pos < len(piece) and piece[pos] == _CLOSE:
            self._state = Peeker._end
            return pos + 1
        return self._key_begins(piece, pos)

    def _key_begins(self, piece: bytes, pos: int) -> int:
        pos = _past_space(piece, pos)
        if pos == len(piece):
            return pos
        self._members += 1
        if piece[pos] != _QUOTE or self._members > _MAX_MEMBERS:
            return -1
        self._skipper.begin(_QUOTE)
        self._start_token(piece, pos, pos + 1, room=_MAX_KEY_BYTES)
        self._state = Peeker._in_key
        return pos + 1

    def _in_key(self, piece: bytes, pos: int) -> int:
        end = self._skip(piece, pos)
        if not self._skipper.open:
            self._key = _plain_key(self._token())
            self._state = Peeker._colon
        return end

    def _colon(self, piece: bytes, pos: int) -> int:
        pos = _past_space(piece, pos)
        if pos == len(piece):
            return pos
        if piece[pos] != _COLON:
            return -1
        self._state = Peeker._value
        return pos + 1

    def _value(self, piece: bytes, pos: int) -> int:
        pos = _past_space(piece, pos)
        if pos == len(piece):
            return pos
        if piece[pos] in b'"[{':
            self._skipper.begin(piece[pos])
            self._start_token(piece, pos, pos + 1, room=_CAPTURED.get(self._key, -1))
            self._state = Peeker._in_string_or_nest
            return pos + 1
        self._start_token(piece, pos, pos, room=_MAX_SCALAR_BYTES)
        self._state = Peeker._in_scalar
        return pos

    def _in_string_or_nest(self, piece: bytes, pos: int) -> int:
        end = self._skip(piece, pos)
        if not self._skipper.open:
            self._value_ends(end)
        return end

    def _in_scalar(self, piece: bytes, pos: int) -> int:
        end = _past(_SCALAR_RUN, piece, pos)
        self._take(piece, pos, end)
        if end == len(piece) and self._room >= 0:
            return end
        if not _SCALAR.fullmatch(self._token() or b""):
            return -1
        self._value_ends(end)
        return end

    def _comma(self, piece: bytes, pos: int) -> int:
        pos = _past_space(piece, pos)
        if pos == len(piece):
            return pos
        if piece[pos] not in b",}":
            return -1
        self._state = Peeker._key_begins if piece[pos] == _COMMA else Peeker._end
        return pos + 1

    def _end(self, piece: bytes, pos: int) -> int:
        pos = _past_space(piece, pos)
        return pos if pos == len(piece) else -1

    def _broken(self, piece: bytes, pos: int) -> int:  # noqa: ARG002 - a state
        return len(piece)

    # The token under way.

    def _start_token(self, piece: bytes, start: int, pos: int, *, room: int) -> None:
        self._taken = []
        self._room = room
        self._token_start = self._base + start
        self._take(piece, start, pos)

    def _skip(self, piece: bytes, pos: int) -> int:
        end = self._skipper.skip(piece, pos)
        self._take(piece, pos, end)
        return end

    def _take(self, piece: bytes, start: int, end: int) -> None:
        if self._room < 0 or end < 0:
            return
        self._room -= end - start
        if self._room < 0:
            self._taken = []
        else:
            self._taken.append(piece[start:end])

    def _token(self) -> bytes | None:
        return b"".join(self._taken) if self._room >= 0 else None

    def _value_ends(self, end: int) -> None:
        if self._key in _CAPTURED:
            self._values[self._key] = (self._token(), self._token_start, self._base + end)
        self._taken = []
        self._state = Peeker._comma


def _past(pattern: re.Pattern[bytes], piece: bytes, pos: int) -> int:
    """Where a pattern that always matches ends."""
    found = pattern.match(piece, pos)
    return found.end() if found else pos


def _past_space(piece: bytes, pos: int) -> int:
    return _past(_SPACE, piece, pos)


def _plain_key(raw: bytes | None) -> bytes:
    """The name that a key's JSON text stands for; empty where it cannot be one of ours."""
    if raw is None:
        return b""
    return raw[1:-1] if b"\\" not in raw else (string_of(raw) or "").encode()
