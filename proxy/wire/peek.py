"""What the relay reads of a request body: model, stream flag, and where `stream_options` could be edited. No more.

`peek` reads a body that is there whole (meant for up to 256 KiB, where a C decoder is quickest). `Peeker` reads
one that comes in pieces (10 MB of base64 images) and keeps nothing of it. Both give the same `Peek` for the same JSON.

Runs on the request path, in the relay's event loop. It must not keep a copy of a body, raise on foreign bytes, take
more than about 2 ms per 64 KiB whatever they hold, or import anything heavy. It changes nothing; see wire/injection.

How `Peeker` stays quick: only the top level is read token by token. Strings, lists and objects are passed over in
windows by C functions of `bytes` (`_Skipper`). What that costs in exactness is said at `Peek.valid`.

    begin ─ { ─▶ first_key ─ " ─▶ in_key ─▶ colon ─▶ value ─┬▶ in_string_or_nest ─┬▶ comma ─ } ─▶ end
                     └─ } ─▶ end    ▲                       └▶ in_scalar ─────────┘    │
                                    └──────────────── key ◀───────────── , ────────────┘
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Literal

import msgspec

# unread: stream is not true or the body is not valid, so nobody needs it.   absent: no such member.
# null, empty ({}), open (an object that does not name include_usage): can be edited, `options_start/end` are given.
# said: include_usage is named, whatever its value.   foreign: of another type, not well-formed or over 4 KiB.
Options = Literal["unread", "absent", "null", "empty", "open", "said", "foreign"]

_MAX_KEY_BYTES = 128  # "stream_options" with every letter as \uXXXX has 84
_MAX_MODEL_BYTES = 262_144  # longer is no name; a whole body for `peek` is not longer
_MAX_OPTIONS_BYTES = 4096  # real ones have under 100
_MAX_SCALAR_BYTES = 1024  # a number or a literal
_MAX_MEMBERS = 128  # at the top level; the OpenAI chat reference names about 40
_MAX_CANDIDATES = 1000  # members of the same name at any level
_MAX_DEPTH = 1000  # Python's own JSON reader gives up there too; Go at 10,000

_SMALLEST, _LARGEST = 64, 65_536  # bytes of a skipper's window


class Peek(msgspec.Struct, frozen=True, kw_only=True):
    """What a request body says to the relay.

    model, stream: None = absent, of another type, or not reached. Of duplicate members the last counts, as in Go and
      Python. Names match exactly; Go would also take "Model" or "STREAM".
    valid: the body is one JSON object and nothing else. `peek` knows this to the letter. `Peeker` has checked the top
      level, the balance of quotes and brackets and the characters between them; it does not see a wrong escape, number
      or comma deeper down. False also when it gave up: over 128 members, 1000 levels, or too dense a nest.
    object_start: offset just behind the opening brace; None = no object.
    options_start, options_end: span of the value of `stream_options`; given for null, empty and open.
    """

    model: str | None = None
    stream: bool | None = None
    valid: bool = False
    object_start: int | None = None
    options: Options = "unread"
    options_start: int | None = None
    options_end: int | None = None


class _Members(msgspec.Struct):
    """The three members, in the types that they usually have; all others are passed over by the decoder."""

    model: str | None = None
    stream: bool | None = None
    stream_options: msgspec.Raw = msgspec.Raw(b"")


_decode_members = msgspec.json.Decoder(_Members).decode
_decode_options = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_text = msgspec.json.Decoder(str).decode
_check_json = msgspec.json.Decoder(msgspec.Raw).decode

# All that msgspec's decoder raises on foreign bytes.
DECODE_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def peek(body: bytes) -> Peek:
    """What a whole body says. About 1 us per KiB, 7 with options to edit; of wrong types or not JSON: 50 us more."""
    try:
        seen = _decode_members(body)
    except DECODE_ERRORS:
        return _peek_odd(body)
    start = body.find(b"{") + 1
    if seen.stream is not True:
        return Peek(model=seen.model, stream=seen.stream, valid=True, object_start=start)
    options = _options_state(bytes(seen.stream_options))
    value = None
    if options in ("null", "empty", "open"):
        value = _options_start(body, bytes(seen.stream_options))
        if value is None:
            return _scan(body)
    return Peek(
        model=seen.model,
        stream=True,
        valid=True,
        object_start=start,
        options=options,
        options_start=value,
        options_end=None if value is None else value + len(seen.stream_options),
    )


_OPTIONS_MEMBER = re.compile(rb'"stream_options"[ \t\n\r]*:[ \t\n\r]*')
_LETTER_ESCAPE = re.compile(rb"\\u00[4567]")


def _options_start(body: bytes, raw: bytes) -> int | None:
    """Where the value of `stream_options` begins in valid JSON; None = its name might be written with escapes."""
    if _LETTER_ESCAPE.search(body):
        return None
    found = last_member(body, _OPTIONS_MEMBER, raw)
    return found.end() if found else None


def last_member(text: bytes, member: re.Pattern[bytes], value: bytes) -> re.Match[bytes] | None:
    """The match of the last top-level member that looks like this, in an object that is valid JSON.

    member: matches the quoted name to the last byte before the value. value: the JSON text of the value.
    Linear in the text. None also when more than 1000 members of all levels look like this.
    """
    last = None
    depth, in_string, done = 0, False, 0
    for tries, found in enumerate(member.finditer(text)):
        if tries == _MAX_CANDIDATES:
            return None
        start = found.start()
        before = text[done:start]
        escaped = ends_escaped(before)  # then the quote found is a part of a string
        between, in_string = between_strings(without_escapes(before), in_string=in_string)
        depth += between.count(b"{") + between.count(b"[") - between.count(b"}") - between.count(b"]")
        done = start + escaped
        if not escaped and not in_string and depth == 1 and text.startswith(value, found.end()):
            last = found
    return last


def _peek_odd(body: bytes) -> Peek:
    """The scanner's answer, with the decoder's word on validity."""
    seen = _scan(body)
    if seen.valid and not _is_json(body):
        return Peek(model=seen.model, stream=seen.stream, object_start=seen.object_start)
    return seen


def _scan(body: bytes) -> Peek:
    peeker = Peeker()
    peeker.feed(body)
    return peeker.result()


def _is_json(body: bytes) -> bool:
    """Whether the body is JSON as Go and Python take it, lone surrogates included."""
    try:
        _check_json(without_surrogates(body))
    except RecursionError:
        return True  # deep, not wrong: the limit hangs on how deep our own caller stands
    except DECODE_ERRORS:
        return False
    return True


_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


def without_surrogates(text: bytes) -> bytes:
    r"""JSON of the same length and structure with each \uD8xx..\uDFxx escape made harmless.

    JavaScript cuts an emoji in half and sends "\ud83d": fine for Go and Python, refused by msgspec. For finding out
    only, never to be passed on. (An escaped backslash before "ud83d" stays well-formed too.)
    """
    return _SURROGATE.sub(rb"\\u0041", text)


def _options_state(raw: bytes) -> Options:
    """What a `stream_options` value (JSON text; empty = no such member) leaves to be done."""
    if not raw:
        return "absent"
    if raw == b"null":
        return "null"
    if len(raw) > _MAX_OPTIONS_BYTES:
        return "foreign"
    try:
        members = _decode_options(raw)
    except DECODE_ERRORS:
        return "foreign"
    if "include_usage" in members:
        return "said"
    return "open" if members else "empty"


def _text(raw: bytes) -> str | None:
    """The string that this JSON text stands for; broken UTF-8 and lone surrogates become U+FFFD, as in Go."""
    if not raw.startswith(b'"'):
        return None
    try:
        return _decode_text(raw)
    except DECODE_ERRORS:
        pass
    try:
        text: str = json.loads(raw.decode("utf-8", "replace"), strict=False)
    except ValueError:
        return None
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


_SPACE = re.compile(rb"[ \t\n\r]*")
_SCALAR_RUN = re.compile(rb"[-+.0-9A-Za-z]*")
_SCALAR = re.compile(rb"true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")

_QUOTE, _COLON, _COMMA, _OPEN, _CLOSE = b'":,{}'
_CAPTURED = {b"model": _MAX_MODEL_BYTES, b"stream": _MAX_SCALAR_BYTES, b"stream_options": _MAX_OPTIONS_BYTES}


class Peeker:
    """Reads a body that comes in pieces; cut anywhere. One use, one thread.

    feed: at most about 2 ms per 64 KiB, then it gives up (valid=False). result: any time; what was certain by then.
    """

    def __init__(self) -> None:
        self._state: Callable[[bytes, int], int] = self._begin
        self._base = 0  # offset in the body of the piece's first byte
        self._members = 0
        self._skipper = _Skipper()
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
            pos = self._state(piece, pos)
        if pos < 0:
            self._state = self._broken
        self._base += len(piece)

    def result(self) -> Peek:
        """What was seen so far; whole once the body has ended."""
        valid = self._state == self._end
        model, _, _ = self._values.get(b"model", (None, 0, 0))
        flag, _, _ = self._values.get(b"stream", (None, 0, 0))
        seen = Peek(
            model=_text(model) if model else None,
            stream={b"true": True, b"false": False}.get(flag or b""),
            valid=valid,
            object_start=self._object_start,
        )
        return self._with_options(seen) if valid and seen.stream else seen

    def _with_options(self, seen: Peek) -> Peek:
        raw, start, end = self._values.get(b"stream_options", (b"", 0, 0))
        options: Options = "foreign" if raw is None else _options_state(raw)
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
        self._state = self._first_key
        return pos + 1

    def _first_key(self, piece: bytes, pos: int) -> int:
        pos = _past_space(piece, pos)
        if pos < len(piece) and piece[pos] == _CLOSE:
            self._state = self._end
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
        self._state = self._in_key
        return pos + 1

    def _in_key(self, piece: bytes, pos: int) -> int:
        end = self._skip(piece, pos)
        if not self._skipper.open:
            self._key = _plain_key(self._token())
            self._state = self._colon
        return end

    def _colon(self, piece: bytes, pos: int) -> int:
        pos = _past_space(piece, pos)
        if pos == len(piece):
            return pos
        if piece[pos] != _COLON:
            return -1
        self._state = self._value
        return pos + 1

    def _value(self, piece: bytes, pos: int) -> int:
        pos = _past_space(piece, pos)
        if pos == len(piece):
            return pos
        if piece[pos] in b'"[{':
            self._skipper.begin(piece[pos])
            self._start_token(piece, pos, pos + 1, room=_CAPTURED.get(self._key, -1))
            self._state = self._in_string_or_nest
            return pos + 1
        self._start_token(piece, pos, pos, room=_MAX_SCALAR_BYTES)
        self._state = self._in_scalar
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
        self._state = self._key_begins if piece[pos] == _COMMA else self._end
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
        self._state = self._comma


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
    return raw[1:-1] if b"\\" not in raw else (_text(raw) or "").encode()


_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_BETWEEN_STRINGS = b"[]{}:, \t\n\r-+.0123456789eEtrufalsn"  # brackets, separators, numbers, true, false, null
_OPENER = bytes.maketrans(b"]}", b"[{")


class _Skipper:
    """Passes over one string, list or object, in windows, and knows where it ends.

    A window is taken whole when the value surely goes on behind it. Where it may end inside, or is nested too deep to
    be settled soon, smaller windows are tried; the smallest is walked byte by byte.
    """

    __slots__ = ("_escaped", "_in_string", "_looks", "_stack", "open")

    def __init__(self) -> None:
        self.open = False  # the value goes on
        self._in_string = False
        self._escaped = False  # the last byte was a backslash that escapes the next
        self._stack = b""  # brackets not closed yet, without those of the top level
        self._looks = 0  # windows that may still be looked at in this feed

    def allow(self, piece_bytes: int) -> None:
        """Set the bound of work for a piece; 64 KiB of chat messages need 10 looks, the worst 256 take 2 ms."""
        self._looks = 128 + piece_bytes // 512

    def begin(self, opener: int) -> None:
        """Start behind the opening quote or bracket."""
        self.open = True
        self._in_string = opener == _QUOTE
        self._escaped = False
        self._stack = b"" if self._in_string else bytes((opener,))

    def skip(self, data: bytes, pos: int) -> int:
        """Position behind the value, or len(data) with `open` still set, or -1: not JSON, or given up."""
        if not self._stack and not self._escaped:
            quote = data.find(b'"', pos)
            if quote >= 0 and data.find(b"\\", pos, quote) < 0:
                self.open = self._in_string = False
                return quote + 1
        size, narrow_until = _SMALLEST, 0
        while 0 <= pos < len(data) and self.open:
            self._looks -= 1
            window = data[pos : pos + size]
            passed = self._pass(window)
            if passed is None or self._looks < 0:
                return -1
            if passed:
                pos += len(window)
                size = size if pos < narrow_until else min(4 * size, _LARGEST)
            elif size == _SMALLEST:
                walked = self._walk(window)
                pos = pos + walked if walked >= 0 else -1
            else:
                narrow_until = pos + len(window)
                size //= 4
        return pos

    def _pass(self, window: bytes) -> bool | None:
        """Take the window whole. False: look closer, nothing was changed. None: not JSON."""
        text = window[1:] if self._escaped else window
        escaped = ends_escaped(text)
        if not (self._in_string and b'"' not in text):
            text = without_escapes(text)
            if not self._stack:
                if b'"' in text:
                    return False
            elif (settled := self._settle(text)) is not True:
                return settled
        self._escaped = escaped
        return True

    def _settle(self, text: bytes) -> bool | None:
        """Bring quotes and brackets of an escape-free window to account; as `_pass`."""
        between, in_string = between_strings(text, in_string=self._in_string)
        brackets = _unpaired(between.translate(None, _NOT_BRACKETS))
        if brackets is None:
            return False
        openers = brackets.lstrip(b"]}")
        closed = len(brackets) - len(openers)
        kept = len(self._stack) - closed
        if kept <= 0:
            return False
        wrong = self._stack[kept:] != brackets[:closed].translate(_OPENER)[::-1] or openers.strip(b"[{")
        if wrong or between.translate(None, _BETWEEN_STRINGS) or kept + len(openers) > _MAX_DEPTH:
            return None
        self._stack = self._stack[:kept] + openers
        self._in_string = in_string
        return True

    def _walk(self, window: bytes) -> int:
        """Byte by byte to the value's end or the window's; -1: not JSON."""
        for index, byte in enumerate(window):
            if self._escaped:
                self._escaped = False
            elif self._in_string:
                self._in_string = byte != _QUOTE
                self._escaped = byte == 0x5C
            elif byte == _QUOTE:
                self._in_string = True
            elif byte in b"[{":
                self._stack += bytes((byte,))
            elif byte in b"]}":
                if self._stack[-1:] != bytes((byte,)).translate(_OPENER):
                    return -1
                self._stack = self._stack[:-1]
            elif byte not in _BETWEEN_STRINGS:
                return -1
            if not self._stack and not self._in_string:
                self.open = False
                return index + 1
        return len(window)


def ends_escaped(text: bytes) -> bool:
    """Whether the text ends in a backslash that escapes what follows. Begins outside of an escape."""
    return (len(text) - len(text.rstrip(b"\\"))) % 2 == 1


def without_escapes(text: bytes) -> bytes:
    r"""JSON text without its `\\` and `\"`: every quote left is a string's end. Begins outside of an escape."""
    if b"\\" not in text:
        return text
    return text.replace(b"\\\\", b"").replace(b'\\"', b"")


def between_strings(text: bytes, *, in_string: bool) -> tuple[bytes, bool]:
    """What stands outside of the strings of an escape-free text, and whether it ends inside of one.

    in_string: whether it begins inside of one.
    """
    # Empty strings go first: 64 KiB of quotes would be 64 Ki parts.
    parts = text.replace(b'""', b"").split(b'"')
    return b"".join(parts[in_string::2]), in_string ^ (len(parts) % 2 == 0)


def _unpaired(brackets: bytes) -> bytes | None:
    """Brackets without all that are matched within; None where that would take long: nested deep and dense."""
    while brackets:
        fewer = brackets.replace(b"{}", b"").replace(b"[]", b"")
        gone = len(brackets) - len(fewer)
        if gone == 0:
            break
        if 16 * gone < len(brackets) > _SMALLEST:
            return None
        brackets = fewer
    return brackets
