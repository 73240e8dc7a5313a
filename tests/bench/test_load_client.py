"""The bench is only worth what its own client and arithmetic are: an answer cut anywhere, and ratios by round."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import canned, report
from bench.client import AnswerReader, BadAnswerError

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    + b"".join(canned.framed_piece(index) for index in range(3))
    + canned.framed(canned.last_step(with_usage=True))
    + b"0\r\n\r\n"
)


@given(cuts=st.lists(st.integers(1, len(CHUNKED) - 1), max_size=12))
def test_a_chunked_answer_reads_the_same_however_it_is_cut(cuts: list[int]) -> None:
    edges = sorted({0, *cuts, len(CHUNKED)})
    reader = AnswerReader()

    ends = [reader.feed(CHUNKED[begin:end]) for begin, end in itertools.pairwise(edges)]

    assert ends == [False] * (len(ends) - 1) + [True]
    assert (200, canned.stream_body(3, with_usage=True)) == (reader.status, reader.body)


@pytest.mark.parametrize("cut", range(1, len(PLAIN)))
def test_an_answer_with_length_reads_the_same_however_it_is_cut(cut: int) -> None:
    reader = AnswerReader()

    ends = [reader.feed(PLAIN[:cut]), reader.feed(PLAIN[cut:])]

    assert (ends, reader.body) == ([False, True], b"hello")


@pytest.mark.parametrize(
    "answer",
    [
        PLAIN + b"x",
        CHUNKED + b"x",
        b"HTTP/1.1 200 OK\r\n\r\nhello",
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello!\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nlong\r\nhello\r\n",
    ],
)
def test_an_answer_that_is_not_right_is_an_error(answer: bytes) -> None:
    reader = AnswerReader()

    with pytest.raises(BadAnswerError):
        reader.feed(answer)


def test_canned_answers_are_what_they_are_called() -> None:
    body = canned.stream_body(7, with_usage=False)

    assert len(canned.PLAIN_BODY) == canned.PLAIN_BYTES
    assert 7 + len((b"finish", b"[DONE]")) == body.count(b"data: ")
    assert body.startswith(b"".join(map(canned.piece, range(7))))
    assert len(b"".join(map(canned.piece, range(7)))) == canned.piece_ends(7)[-1]


def test_a_ratio_is_of_one_round_and_a_failed_round_is_left_out() -> None:
    rounds: dict[tuple[str, str], list[dict[str, float] | None]] = {
        ("plain", "bare"): [{"all": 100.0}, {"all": 200.0}, {"all": 400.0}, None],
        ("plain", "sightglass"): [{"relay": 50.0}, None, {"relay": 120.0}, {"relay": 1.0}],
    }

    (relay,) = [found for found in report.results(rounds) if found.row.figure == "relay"]

    assert relay.values == [50.0, 120.0, 1.0]
    assert relay.ratios == [0.5, 0.3]
    assert relay.met is True


def test_added_latency_takes_the_direct_call_off_both_sides() -> None:
    rounds: dict[tuple[str, str], list[dict[str, float] | None]] = {
        ("latency", "direct"): [{"p50_us": 50.0}],
        ("latency", "bare"): [{"p50_us": 250.0}],
        ("latency", "sightglass"): [{"p50_us": 190.0}],
    }

    found = {result.row.label: result for result in report.results(rounds)}

    assert found["sightglass"].values == [140.0]
    assert found["sightglass"].ratios == [0.7]
    assert found["sightglass"].met is False
    assert "NOT MET" in report.table(list(found.values()))


def test_one_error_in_any_round_misses_the_target() -> None:
    rounds: dict[tuple[str, str], list[dict[str, float] | None]] = {
        ("thousand", "sightglass"): [{"errors": 0.0}, {"errors": 1.0}, {"errors": 0.0}]
    }

    (errors,) = report.results(rounds)

    assert errors.met is False
