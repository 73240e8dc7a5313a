"""When tokens came: offsets of events and times of pieces -> seconds. Pure.

An event belongs to the piece that completed it. Several tokens in one piece came at once as far as anybody can tell,
so gaps are between pieces that completed at least one token.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import ceil

import msgspec

from proxy.wire.body import Looked, piece_of
from proxy.wire.meaning import Mark, Meaning

Pieces = Sequence[tuple[float, int]]


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
    first_byte_s = next((time for time, size in pieces if size), None)
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


def _gaps(offsets: Sequence[int], ends: Sequence[int], pieces: Pieces) -> list[float]:
    """Seconds between neighbouring pieces with tokens, sorted. offsets and ends ascend: one walk over both."""
    times: list[float] = []
    place, last = 0, -1
    for offset in offsets:
        while place < len(ends) and ends[place] < offset:
            place += 1
        if place == len(ends):
            break
        if place != last and place < len(pieces):
            times.append(pieces[place][0])
            last = place
    return sorted(max(0.0, later - earlier) for earlier, later in pairwise(times))


def _time_of(mark: Mark | None, ends: Sequence[int], pieces: Pieces) -> float | None:
    if mark is None:
        return None
    place = piece_of(ends, mark.end)
    return pieces[place][0] if place is not None and place < len(pieces) else None
