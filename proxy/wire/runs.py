"""Runs of events that differ in one string only, which most of a stream is: read together, as a list of strings. Pure.

Servers write each token as the same bytes, a JSON string, the same bytes. What is the same is learned from one event;
of those behind it only the strings are decoded, in one call: a sixth of the bytes. It is exact: an event taken is made
of the learned bytes around one JSON string, and so decodes to the learned event with another string. What is not of
that form is left to the general way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import takewhile
from operator import itemgetter
from typing import Final, NamedTuple

import msgspec

LEAST: Final = 8  # events: for fewer it is not worth it
_CLOSING: Final = 8  # events at the end of a stream that say something else: finish, usage, end mark
_PROBE: Final = "probe"
_PROBE_JSON: Final = b'"probe"'

_strings = msgspec.json.Decoder(str).decode_lines

# What an event says that has this text in one of its strings, as a word; None = not it alone.
Said = Callable[[bytes, str], str | None]


class Run(NamedTuple):
    """Events that say one string each, none empty."""

    word: str  # what they say, as `Said` calls it
    strings: list[str]


def run_at(datas: Sequence[bytes], first: int, fields: re.Pattern[bytes], said: Said) -> Run | None:
    """The run that begins with this event; None when there is none worth it.

    datas: of the events of a stream, none with an LF. fields: finds places of a JSON string, as group 1.
    """
    around = _around(datas[first], fields, said)
    if around is None:
        return None
    before, after, word = around
    pieces = _pieces(datas, first, before, after)
    if len(pieces) < LEAST:
        return None
    lines = b"\n".join(pieces)
    if lines[:1] != b'"' or lines.count(b'\n"') != len(pieces) - 1:  # each begins a string, none is empty
        return None
    try:
        strings = _strings(lines)
    except ValueError:  # msgspec's errors are
        return None
    return Run(word, strings) if len(strings) == len(pieces) and all(strings) else None


def _pieces(datas: Sequence[bytes], first: int, before: bytes, after: bytes) -> list[bytes]:
    """What is between the learned bytes in each event of the run. Where there is nothing, it is empty."""
    last = len(datas)
    while last > max(first, len(datas) - _CLOSING) and not _fits(datas[last - 1], before, after):
        last -= 1
    run, begin, end = datas[first:last], len(before), -len(after)
    pieces = list(map(itemgetter(slice(begin, end)), run))
    # The usual case, that all up to the closing events fit, is seen in one comparison.
    if b"".join(run) == b"%s%s%s" % (before, (after + before).join(pieces), after):
        return pieces
    return [data[begin:end] for data in takewhile(lambda data: _fits(data, before, after), run)]


def _fits(data: bytes, before: bytes, after: bytes) -> bool:
    return data.startswith(before) and data.endswith(after)


def _around(data: bytes, fields: re.Pattern[bytes], said: Said) -> tuple[bytes, bytes, str] | None:
    """(bytes before the string, bytes behind it, what it says) of an event that says one string and nothing else."""
    for found in fields.finditer(data):
        before, after = data[: found.start(1)], data[found.end(1) :]
        word = said(before + _PROBE_JSON + after, _PROBE) if after else None
        if word is not None:
            return before, after, word
    return None
