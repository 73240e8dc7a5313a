"""Cutting bytes in pieces, for tests that say that cuts make no difference."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import strategies as st


def cuts() -> st.SearchStrategy[list[int]]:
    """Places to cut at; `cut_at` takes them modulo the length."""
    return st.lists(st.integers(0, 100_000), max_size=30)


def cut_at(stream: bytes, places: list[int]) -> list[bytes]:
    """The stream in pieces, cut at these places; some may be empty."""
    marks = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[start:end] for start, end in pairwise(marks)]
