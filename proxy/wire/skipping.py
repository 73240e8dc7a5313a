"""Passing over a JSON value that comes in pieces, without reading it: where does it end? Pure; bounded work a piece."""

from __future__ import annotations

from proxy.wire.json_text import between_strings, ends_escaped, without_escapes

_MAX_DEPTH = 1000  # Python's own JSON reader gives up there too; Go at 10,000
_SMALLEST, _LARGEST = 64, 65_536  # bytes of a window
_QUOTE = 0x22
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_BETWEEN_STRINGS = b"[]{}:, \t\n\r-+.0123456789eEtrufalsn"  # brackets, separators, numbers, true, false, null
_OPENER = bytes.maketrans(b"]}", b"[{")


class Skipper:
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
