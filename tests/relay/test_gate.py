"""The gate by itself: however bytes are cut, the same is let in or refused."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proxy.relay.gate import Gate

HEAD = b"POST /x HTTP/1.1\r\nHost: a\r\n"
GET = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
SIZED = HEAD + b"Content-Length: 5\r\n\r\nhello"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\n\r\n\r\n0\r\n\r\n"
UPGRADE = b"GET /x HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n"
BAD = (
    b"\n",
    b"GET  /x HTTP/1.1\r\n\r\n",
    HEAD + b"Content-Length: x\r\n\r\n",
    CHUNKED[:-2] + b"X: y\r\n\r\n",
    b"\x16\x03",
)


def through(gate: Gate, pieces: list[bytes]) -> bytes:
    """All that is let in, turn by turn."""
    out = b""
    for piece in pieces:
        out += gate.let_in(piece)
        while gate.rest and gate.refused is None:
            out += gate.let_in(b"")
    return out


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    at = sorted({min(each, len(data)) for each in cuts})
    return [data[a:b] for a, b in zip([0, *at], [*at, len(data)], strict=True)]


@given(
    st.lists(st.sampled_from((GET, SIZED, CHUNKED, UPGRADE)), max_size=4),
    st.sampled_from((b"", GET[:20], *BAD)),
    st.lists(st.integers(0, 600), max_size=8),
)
def test_cuts_change_nothing(requests: list[bytes], last: bytes, cuts: list[int]) -> None:
    whole = b"".join(requests)
    gate = Gate(32 * 1024)

    out = through(gate, cut(whole + last, cuts))

    if last in BAD:
        assert gate.refused is not None
        assert out.startswith(whole)
    else:
        assert (gate.refused, out, gate.in_head) == (None, whole, bool(last))


def test_a_turn_of_the_loop_is_short() -> None:
    """A read full of tiny chunks is let in over several turns."""
    gate = Gate(32 * 1024)
    tiny = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 5000 + b"0\r\n\r\n"

    first = gate.let_in(tiny)
    turns, rest = 1, b""
    while gate.rest:
        rest += gate.let_in(b"")
        turns += 1

    assert first + rest == tiny
    assert turns > 20


def test_pipelined_requests_come_one_by_one() -> None:
    gate = Gate(32 * 1024)

    assert gate.let_in(UPGRADE + GET + SIZED) == UPGRADE
    assert gate.let_in(b"") == GET
    assert gate.let_in(b"") == SIZED
    assert gate.rest == b""


def test_a_head_is_held_until_it_is_whole() -> None:
    gate = Gate(32 * 1024)

    assert gate.let_in(GET[:-1]) == b""
    assert gate.in_head
    assert gate.let_in(GET[-1:]) == GET
    assert not gate.in_head


def test_a_length_leaves_nothing_of_the_next_request_in_the_body() -> None:
    gate = Gate(32 * 1024)

    assert gate.let_in(SIZED[:-2]) == SIZED[:-2]
    assert gate.in_body
    assert gate.let_in(SIZED[-2:] + b"GET /x HT") == SIZED[-2:]
    assert gate.let_in(b"") == b""
    assert (gate.in_body, gate.in_head) == (False, True)
