"""Bodies: spliced at any place over any pieces, read once."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.relay.body import Body, read_body
from proxy.wire.injection import Edit


@given(st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=5), st.integers(0, 60), st.integers(0, 20))
def test_a_splice_over_pieces_is_that_over_the_whole(whole: bytes, cuts: list[int], start: int, length: int) -> None:
    start = min(start, max(len(whole) - 1, 0))
    edit = Edit(start, min(start + length, len(whole)), b"<new>")
    places = sorted({0, *(min(cut, len(whole)) for cut in cuts), len(whole)})
    pieces = [whole[a:b] for a, b in pairwise(places)]
    if not pieces:
        return

    assert edit.apply(whole) == b"".join(Body(pieces).spliced(edit))
    assert pieces == Body(pieces).spliced(None)


def test_a_body_is_read_once() -> None:
    body = Body([b'{"model":', b'"a","stream":true}'])

    assert read_body(body) is read_body(body)
    assert (read_body(body).model, read_body(body).stream, body.length) == ("a", True, 27)


@pytest.mark.parametrize("size", [0, 5])
def test_a_streaming_body_is_not_whole(size: int) -> None:
    loop = asyncio.new_event_loop()
    reader: object = object()
    loop.close()

    assert not Body([], content=reader, length=size or None).whole  # type: ignore[arg-type]
    assert Body([]).whole
