"""When tokens came: offsets of events and times of pieces -> seconds. Pure.

An event belongs to the piece that completed it. Several tokens in one piece came at once as far as anybody can tell,
so gaps are between pieces that completed at least one token.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import repeat
from math import ceil
from operator import sub

import msgspec

from proxy.core.exchange import Pieces
from proxy.wire.body import Looked, piece_of
from proxy.wire.meaning import Mark, Meaning


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """Times in seconds since the call's start; gaps in seconds. None = not a stream, or nothing to measure."""

    first_byte_s: float | None = None
    first_token_s: float | None = None
    first_answer_token_s: float | None = None
    gap_p50_s: float | None = None
    gap_p95_s: float | None = None
    gap_max_s: float | None = None


def pace_of(meaning: Meaning, looked: Looked, pieces: Pieces) -> Pace:
    """The call's pace."""
    if not pieces:
        return Pace()
    first_byte_s = pieces.times_s[0] if pieces.sizes[0] else next((time_s for time_s, size in pieces if size), None)
    if meaning.first_token is None:
        return Pace(first_byte_s=first_byte_s)
    ends = looked.piece_ends(pieces)
    gaps = _gaps(meaning.token_offsets, ends, pieces)
    return Pace(
        first_byte_s=first_byte_s,
        first_token_s=_time_of(meaning.first_token, ends, pieces),
        first_answer_token_s=_time_of(meaning.first_answer_token, ends, pieces),
        gap_p50_s=percentile(gaps, 0.5),
        gap_p95_s=percentile(gaps, 0.95),
        gap_max_s=gaps[-1] if gaps else None,
    )


def percentile(ascending: Sequence[float], q: float) -> float | None:
    """Value at quantile q by nearest rank; None when there are none.

    ascending: sorted. q in (0, 1].
    """
    return ascending[ceil(q * len(ascending)) - 1] if ascending else None


def _gaps(offsets: Sequence[int], ends: list[int], pieces: Pieces) -> list[float]:
    """Seconds between neighbouring pieces with tokens, sorted. offsets and ends ascend."""
    times_s = _times(offsets, ends, pieces.times_s[: len(ends)])
    gaps = sorted(map(sub, times_s[1:], times_s))
    return gaps if not gaps or gaps[0] >= 0 else sorted(max(0.0, gap) for gap in gaps)


def _times(offsets: Sequence[int], ends: list[int], times_s: Sequence[float]) -> Sequence[float]:
    """Of the pieces that the bytes before these offsets came with, each once, in order."""
    first = bisect_left(ends, offsets[0]) if offsets else 0
    if ends[first : first + len(offsets)] == list(offsets):  # a piece an event, as servers mostly send them
        return times_s[first : first + len(offsets)]
    places = dict.fromkeys(map(bisect_left, repeat(ends), offsets))
    return [times_s[place] for place in places if place < len(times_s)]


def _time_of(mark: Mark | None, ends: Sequence[int], pieces: Pieces) -> float | None:
    if mark is None:
        return None
    place = piece_of(ends, mark.end)
    return pieces.times_s[place] if place is not None and place < len(pieces) else None
