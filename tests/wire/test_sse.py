"""Events are the same however the stream was cut, framed and ended."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from proxy.wire.lines import LineReader
from proxy.wire.ndjson import NdjsonReader
from proxy.wire.sse import Event, SseReader, read_plain
from tests.wire.cuts import cut_at, cuts

LINES = st.sampled_from(
    [
        b"",
        b"data: {}",
        b"data: a\xe2\x82\xac",
        b"data:b",
        b"data",
        b": ping",
        b"event: x",
        b"id: 1",
        b"retry: 5",
        b"data:  c",
        b"\xff",
    ]
)
ENDS = st.sampled_from([b"\n", b"\r", b"\r\n"])
STREAMS = st.lists(st.tuples(LINES, ENDS)).map(lambda parts: b"".join(line + end for line, end in parts))


def events_of(pieces: list[bytes], limit: int = 10_000) -> list[Event]:
    reader = SseReader(limit)
    return [event for piece in pieces for event in reader.feed(piece)] + list(reader.close())


@given(STREAMS, cuts())
def test_cuts_make_no_difference(stream: bytes, places: list[int]) -> None:
    assert events_of(cut_at(stream, places)) == events_of([stream])


@given(STREAMS)
def test_byte_by_byte_is_the_same(stream: bytes) -> None:
    assert events_of([stream[i : i + 1] for i in range(len(stream))]) == events_of([stream])


@given(
    st.lists(
        st.sampled_from(
            [b"data: {}\n\n", b"data: \n\n", b"data: a\n", b"\n", b"data: x\r\n\r\n", b"data: \n\ndata: y\n\n"]
        )
    ).map(b"".join)
)
@example(b"data: {}\n\n\n")
@example(b"data: a\n\ndata: b\n")
def test_the_quick_way_is_the_general_way(stream: bytes) -> None:
    quick = read_plain(stream)
    if quick is not None:
        assert list(zip(*quick, strict=True)) == [(event.data, event.end) for event in events_of([stream])]


def test_an_event_has_its_name_data_and_end() -> None:
    stream = b"\xef\xbb\xbfevent: delta\ndata: one\ndata:two\n\n: ping\n\ndata: last"
    assert events_of([stream]) == [Event(b"delta", b"one\ntwo", 36), Event(b"", b"last", len(stream))]


def test_long_lines_are_passed_over() -> None:
    stream = b"data: " + b"x" * 200 + b"\n\ndata: short\n\n"
    assert [event.data for event in events_of([stream], limit=100)] == [None, b"short"]
    many = b"data: " + b"x" * 60 + b"\ndata: " + b"x" * 60 + b"\n\n"
    assert [event.data for event in events_of([many], limit=100)] == [None]


def test_a_gap_drops_what_it_touches() -> None:
    reader = SseReader()
    before = list(reader.feed(b"data: 1\n\ndata: 2"))
    reader.skip(1000)
    after = list(reader.feed(b'."}\ndata: half\n\ndata: 3\n\n')) + list(reader.close())
    assert [(event.data, event.end) for event in before + after] == [(b"1", 9), (b"3", 1000 + 16 + 25)]


@given(st.lists(st.tuples(st.sampled_from([b"{}", b"", b" ", b'{"a":1}']), ENDS)), cuts())
def test_ndjson_cuts_make_no_difference(parts: list[tuple[bytes, bytes]], places: list[int]) -> None:
    stream = b"".join(line + end for line, end in parts) + b"{}"

    def lines_of(pieces: list[bytes]) -> list[tuple[bytes | None, int]]:
        reader = NdjsonReader()
        return [line for piece in pieces for line in reader.feed(piece)] + list(reader.close())

    assert lines_of(cut_at(stream, places)) == lines_of([stream])
    assert lines_of([stream])[-1] == (b"{}", len(stream))


class CountingBytes(bytearray):
    """Counts the bytes that are copied in and out."""

    copied = 0

    def __iadd__(self, more: bytes) -> CountingBytes:  # type: ignore[override,misc]
        CountingBytes.copied += len(more)
        return super().__iadd__(more)

    def __bytes__(self) -> bytes:
        CountingBytes.copied += len(self)
        return bytes(memoryview(self))


def test_work_is_linear_in_bytes() -> None:
    """A line of 1 MB byte by byte: each byte is copied once in and once out."""
    reader = LineReader()
    reader._part = CountingBytes()
    CountingBytes.copied = 0
    size = 1_000_000
    assert not any(list(reader.feed(b"x")) for _ in range(size))
    [(line, end)] = reader.feed(b"\n")
    assert (len(line or b""), end) == (size, size + 1)
    assert CountingBytes.copied <= 2 * size
