"""Asking an upstream for a stream's token counts on a client's behalf, and taking out what only we asked for.

`plan_usage` says which bytes to add to a request. `UsageFilter` takes from the answer's body what the client would
not have received without them. Pure bytes in, bytes out: no I/O, no headers, no chunk framing (de-chunk first), and a
body that is compressed must not be fed. Runs on the request path, in the relay's event loop: a piece without usage
costs one search and is given back as the same object.

What differs once asked, from the recorded pairs (`NAME-stream`, `NAME-stream-usage`) and LiteLLM's source (1.106.2):

| server, path | not asked | asked |
| --- | --- | --- |
| Ollama chat | no usage | one more event: `"choices":[]` and usage |
| Ollama completions | no usage | the same, and usage of zeros in every other event |
| LiteLLM chat | no usage | one more event: `"choices":[{"index":0,"delta":{}}]`, usage with cost |
| LiteLLM completions | zeros in every event | one more event: `"choices":[{"index":0}]`, usage with cost; no zeros |
| OpenAI (its reference) | no usage | one more event: `"choices":[]` and usage; `"usage":null` in every other |

So LiteLLM's completions need the zeros put back. The answer's bytes alone do not tell that this is LiteLLM: an
OpenAI-style server whose other events have no usage (vLLM) looks the same. Whoever makes the filter must say it
(`unasked_style`; LiteLLM's answers carry `x-litellm-*` fields).

Cannot be known from the bytes, and is therefore taken out: usage that a server would have sent unasked, as its own
event (LiteLLM with `always_include_stream_usage`) or on the last event with content (some hosted servers, older
llama.cpp). Such upstreams should not be asked: they tell anyway.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from proxy.wire.json_text import DECODE_ERRORS, last_member, without_surrogates
from proxy.wire.peeked import Peek

_ASK = b'"include_usage":true'


class Edit(msgspec.Struct, frozen=True):
    """A splice: bytes start..end (end excluded) of the request body become `replacement`; all others stay."""

    start: int
    end: int
    replacement: bytes

    @property
    def growth(self) -> int:
        """Bytes that the body gains, for its Content-Length."""
        return len(self.replacement) - (self.end - self.start)

    def apply(self, body: bytes) -> bytes:
        """The edited body."""
        return b"".join((body[: self.start], self.replacement, body[self.end :]))


def plan_usage(peek: Peek) -> Edit | None:
    """The edit that asks for `stream_options.include_usage`; None where nothing is to be added.

    Nothing is added without `"stream": true`, to a body that is not one valid JSON object, where the client said
    include_usage itself (either way), or where `stream_options` is of a foreign type.
    """
    if not peek.valid or peek.stream is not True:
        return None
    if peek.options == "absent" and peek.object_start is not None:
        # An object that holds "stream" is not empty: the comma is always right.
        return Edit(peek.object_start, peek.object_start, b'"stream_options":{' + _ASK + b"},")
    if peek.options_start is None or peek.options_end is None:
        return None
    if peek.options == "null":
        return Edit(peek.options_start, peek.options_end, b"{" + _ASK + b"}")
    inside = peek.options_start + 1
    return Edit(inside, inside, _ASK if peek.options == "empty" else _ASK + b",")


# What the events of a stream say of usage to a client that did not ask.
# silent: nothing.   litellm_zeros: each carries usage of zeros as its last member.
Unasked = Literal["silent", "litellm_zeros"]

_LITELLM_ZEROS = b'"usage":{"completion_tokens":0,"prompt_tokens":0,"total_tokens":0}'


def unasked_style(path: str, *, litellm: bool) -> Unasked:
    """How the stream at this path (without query) looks to a client that did not ask.

    litellm: the answer's head names LiteLLM (`x-litellm-version`, `x-litellm-call-id`).
    """
    completions = path.endswith("/completions") and not path.endswith("/chat/completions")
    return "litellm_zeros" if litellm and completions else "silent"


MAX_EVENT_BYTES = 8_388_608  # 8 MiB with its line ends; longer ones pass unread
MAX_DATA_LINES = 1000  # of one event; more pass unread. All servers that we know write one

_USAGE = b'"usage"'
_USAGE_MEMBER = re.compile(rb'"usage"[ \t\n\r]*:[ \t\n\r]*')
_USAGE_LAST = re.compile(  # `,"usage":null}` or a flat object, and only the event's own brace behind it
    rb',[ \t]*"usage"[ \t]*:[ \t]*(?:null|\{[^{}\\]*\})[ \t]*\}[ \t]*\Z'
)
_BLANK_LINE = re.compile(rb"(?:\r\n?+|\n)(?:\r\n?+|\n)")
_LINE_ENDS = re.compile(rb"[\r\n]+")
_LINE = re.compile(rb"[^\r\n]+")
_WHOLE = (b"\n\n", b"\r\n\r\n")


class UsageFilter:
    """Takes out of an SSE body what the client would not have got. One body, one thread; cut anywhere.

    An event is held until it is whole, no longer. Its fate:

        has `choices` and a `usage` object, and the choices say nothing   -> dropped, with its blank line
        has `choices` and `usage` (null, zeros, whatever)                 -> that member and its comma are cut out
        all else (no JSON object, nested or quoted "usage", errors, over 8 MiB)  -> passed as it is

    With "litellm_zeros" the events that stay have LiteLLM's zeros as usage. Any line ends, comments, data over
    several lines. Never raises on foreign bytes. A name spelled with escapes ("us\\u0061ge") is not seen.
    """

    def __init__(self, unasked: Unasked = "silent") -> None:
        self.removed_events = 0  # events dropped whole
        self.removed_bytes = 0  # of the upstream's bytes, dropped events and cut members together
        self.added_bytes = 0  # zeros put back
        self.oversize_events = 0  # events passed unread because of their length
        self._zeros = unasked == "litellm_zeros"
        self._held = bytearray()  # an event that is not whole yet
        self._last = b""  # last byte passed of an event that is too long to be held; empty = none under way
        self._has_cr = False  # in the data being fed
        self._drop_lf = False  # the event dropped last ended in CR: a LF right behind it is a part of it
        self._at_start = not self._zeros  # between two events and nothing owed: the short way is open

    def feed(self, data: bytes) -> bytes:
        """What may be passed on now. data: the next bytes of the body. May be empty, or `data` itself."""
        if self._at_start and _USAGE not in data and data.endswith(_WHOLE):
            return data
        passed: list[bytes] = []
        pos = self._past_dropped_lf(data)
        self._has_cr = b"\r" in data
        while pos < len(data):
            pos = self._pass_on(data, pos, passed) if self._last else self._next_event(data, pos, passed)
        self._at_start = not (self._zeros or self._held or self._last or self._drop_lf)
        return b"".join(passed)

    def flush(self) -> bytes:
        """What is left at the end of the body: an event without its blank line is judged as any other."""
        event = bytes(self._held)
        self._held.clear()
        self._last = b""
        return self._judged(event)

    def _past_dropped_lf(self, data: bytes) -> int:
        if not self._drop_lf or not data:
            return 0
        self._drop_lf = False
        if not data.startswith(b"\n"):
            return 0
        self.removed_bytes += 1
        return 1

    def _next_event(self, data: bytes, pos: int, passed: list[bytes]) -> int:
        """Judge the event at pos if it is whole, else hold it. Gives the position behind what was taken."""
        if not self._held and (blank := _LINE_ENDS.match(data, pos)):
            passed.append(blank[0])  # blank lines between events are nobody's
            return blank.end()
        end = _event_end(data, pos, bytes(self._held[-1:]), has_cr=self._has_cr)
        event = self._taken(data[pos : end or len(data)], whole=end > 0)
        if len(event) > MAX_EVENT_BYTES:
            self._last = b"" if end else event[-1:]
            self.oversize_events += 1
            passed.append(event)
        elif end:
            kept = self._judged(event)
            self._drop_lf = not kept and end == len(data) and event.endswith(b"\r")
            passed.append(kept)
        return end or len(data)

    def _taken(self, part: bytes, *, whole: bool) -> bytes:
        """The event with what was held of it, if it is whole or too long; else empty, and it is held."""
        if whole and not self._held:
            return part
        self._held += part
        if not whole and len(self._held) <= MAX_EVENT_BYTES:
            return b""
        event = bytes(self._held)
        self._held.clear()
        return event

    def _pass_on(self, data: bytes, pos: int, passed: list[bytes]) -> int:
        """Pass an event that is too long, to its end."""
        end = _event_end(data, pos, self._last, has_cr=self._has_cr)
        part = data[pos : end or len(data)]
        passed.append(part)
        self._last = b"" if end else part[-1:]
        return pos + len(part)

    def _judged(self, event: bytes) -> bytes:
        """The event as the client should have it; empty if not at all."""
        if not self._zeros and _USAGE not in event:
            return event
        lines = _data_lines(event)
        text = event[lines[0][0] : lines[0][1]] if len(lines) == 1 else b"\n".join([event[a:b] for a, b in lines])
        chunk = _decode_chunk(text)
        if chunk is None:
            return event
        if chunk.usage and _is_extra(chunk):
            self.removed_events += 1
            self.removed_bytes += len(event)
            return b""
        edit = _zeros_edit(text, chunk) if self._zeros else _cut_edit(text, chunk)
        if edit is None:
            return event
        kept = _apply_to_lines(event, lines, edit)
        self.removed_bytes += len(event) + len(edit.replacement) - len(kept)
        self.added_bytes += len(edit.replacement)
        return kept


def _event_end(data: bytes, pos: int, before: bytes, *, has_cr: bool) -> int:
    """Position behind the blank line that ends the event at pos; 0 = not in this data.

    before: the event's last byte before pos, empty if it begins there. has_cr: whether a CR is in data.
    """
    if before in (b"\r", b"\n") and (found := _BLANK_LINE.match(before + data[pos : pos + 3])):
        return pos + found.end() - 1
    if not has_cr:
        blank = data.find(b"\n\n", pos)
        return blank + 2 if blank >= 0 else 0
    found = _BLANK_LINE.search(data, pos)
    return found.end() if found else 0


def _data_lines(event: bytes) -> list[tuple[int, int]]:
    """Spans of the values of an event's `data` fields, in order (WHATWG HTML, 9.2.6)."""
    if event.startswith(b"data: ") and event.find(b"\n") == len(event) - 2 and b"\r" not in event:
        return [(6, len(event) - 2)]  # one line, as every recorded server writes it
    spans: list[tuple[int, int]] = []
    for line in _LINE.finditer(event):
        if len(spans) == MAX_DATA_LINES:
            return []
        start = line.start() + (3 if line[0].startswith(b"\xef\xbb\xbf") else 0)
        if event.startswith(b"data:", start):
            start += 6 if event.startswith(b" ", start + 5) else 5
            spans.append((start, line.end()))
    return spans


class _Chunk(msgspec.Struct):
    """What decides an event's fate."""

    choices: list[dict[str, msgspec.Raw]]
    usage: msgspec.Raw = msgspec.Raw(b"")


_decode = msgspec.json.Decoder(_Chunk).decode


def _decode_chunk(text: bytes) -> _Chunk | None:
    """The event's data if it is an object with a list of choices."""
    try:
        return _decode(text)
    except DECODE_ERRORS:
        pass
    try:
        return _decode(without_surrogates(text))
    except DECODE_ERRORS:
        return None


def _is_extra(chunk: _Chunk) -> bool:
    """Whether this is the event that carries usage and nothing else."""
    for choice in chunk.choices:
        for name, value in choice.items():
            if name != "index" and bytes(value) not in (b"{}", b"null"):
                return False
    return bytes(chunk.usage).startswith(b"{")


def _cut_edit(text: bytes, chunk: _Chunk) -> Edit | None:
    """The edit that takes the `usage` member out, with the comma before it, or behind it where it comes first."""
    if not chunk.usage:
        return None
    if last := _USAGE_LAST.search(text, max(0, text.rfind(_USAGE) - 8)):
        return Edit(last.start(), last.end() - len(last[0]) + last[0].rindex(b"}"), b"")
    found = last_member(text, _USAGE_MEMBER, bytes(chunk.usage))
    if found is None:
        return None
    start, end = found.start(), found.end() + len(chunk.usage)
    before = text[:start].rstrip(b" \t\n\r")
    if before.endswith(b","):
        return Edit(len(before) - 1, end, b"")
    behind = text[end:].lstrip(b" \t\n\r")
    return Edit(start, len(text) - len(behind[1:].lstrip(b" \t\n\r")), b"") if behind.startswith(b",") else None


def _zeros_edit(text: bytes, chunk: _Chunk) -> Edit | None:
    """The edit that gives an event LiteLLM's zeros."""
    if not chunk.usage:
        end = text.rindex(b"}")
        return Edit(end, end, b"," + _LITELLM_ZEROS)
    found = last_member(text, _USAGE_MEMBER, bytes(chunk.usage))
    return Edit(found.start(), found.end() + len(chunk.usage), _LITELLM_ZEROS) if found else None


def _apply_to_lines(event: bytes, lines: list[tuple[int, int]], edit: Edit) -> bytes:
    """The event with an edit of its data, which is counted over its data lines joined by one LF each."""
    if len(lines) == 1:
        start = lines[0][0]
        return b"".join((event[: start + edit.start], edit.replacement, event[start + edit.end :]))
    out: list[bytes] = []
    done = offset = 0
    replacement = edit.replacement
    for start, end in lines:
        length = end - start
        first = min(max(edit.start - offset, 0), length)
        last = min(max(edit.end - offset, 0), length)
        out.append(event[done : start + first])
        if replacement and edit.start <= offset + length:
            out.append(replacement)
            replacement = b""
        done = start + last
        offset += length + 1
    out.append(event[done:])
    return b"".join(out)
