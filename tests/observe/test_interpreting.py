"""A finished frame becomes a record, whatever fails on the way."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping

import msgspec
import pytest

from proxy.console.health import LATE_S
from proxy.core.call import CallRecord
from proxy.core.config import Price
from proxy.core.exchange import Finished
from proxy.core.signal_row import SignalRow
from proxy.journal import frames
from proxy.journal.frames import Frame
from proxy.observe import interpreting
from proxy.observe.guards import Guards
from proxy.observe.interpreting import BEHIND_S, Interpreter, bare_call
from proxy.observe.pricing import PriceBook
from proxy.wire.meaning import Meaning
from tests.observe.journals import ANSWER, JSON_HEAD, REQUEST

FINISHED = Finished(
    call_id="a",
    request_id="req-a",
    started_unix_ns=10**18,
    method="POST",
    target="/v1/chat/completions",
    upstream="default",
    status=200,
    upstream_status=200,
    duration_s=0.5,
)
OWN: Mapping[str, Price] = {"llama3.2": Price(input_usd_per_mtok=1.0, output_usd_per_mtok=2.0)}


def frame(finished: Finished = FINISHED, *, meta: bytes | None = None) -> Frame:
    written = msgspec.json.encode(finished) if meta is None else meta
    return Frame(frames.FINISHED, written, JSON_HEAD, REQUEST, JSON_HEAD, ANSWER, b"")


def test_the_record_has_its_price() -> None:
    record = Interpreter(Guards(), PriceBook(OWN, None), lambda _: None).observed(frame()).record

    assert record is not None
    assert (record.outcome, record.cost_nanousd, record.cost_source) == ("ok", 30_000, "local")
    assert record.observer_errors == ()


def test_a_price_that_is_not_known_is_no_error() -> None:
    record = Interpreter(Guards(), PriceBook({}, None), lambda _: None).observed(frame()).record

    assert record is not None
    assert (record.cost_nanousd, record.cost_source, record.observer_errors) == (None, "unknown", ())


def test_without_a_price_book_each_call_says_so() -> None:
    record = Interpreter(Guards(), None, lambda _: None).observed(frame()).record

    assert record is not None
    assert (record.prompt_tokens, record.cost_source, record.observer_errors) == (20, "unknown", ("pricing",))


def test_when_reading_fails_the_relay_alone_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreting, "read_call", lambda _exchange: 1 / 0)
    guards = Guards()

    record = Interpreter(guards, None, lambda _: None).observed(frame()).record

    assert record is not None
    assert (record.outcome, record.status, record.duration_s) == ("ok", 200, 0.5)
    assert (record.prompt_tokens, record.tokens_source) == (None, "missing")
    assert record.observer_errors == ("reading",)
    assert guards.errors["reading"] == 1


def test_a_frame_without_a_name_gives_no_record() -> None:
    guards = Guards()

    assert Interpreter(guards, None, lambda _: None).observed(frame(meta=b"{}")) is None
    assert guards.errors["reading"] == 1


@pytest.mark.parametrize(
    ("changed", "outcome"),
    [
        ({}, "ok"),
        ({"upstream_status": 404, "status": 404}, "rejected"),
        ({"upstream_status": 429, "status": 429}, "upstream_error"),
        ({"upstream_status": 500, "status": 500}, "upstream_error"),
        ({"ending": "refused", "status": 403}, "refused"),
        ({"ending": "upstream_failed", "status": 502}, "upstream_error"),
        ({"ending": "timeout", "status": 504}, "timeout"),
        ({"ending": "client_left", "status": None}, "client_gone"),
        ({"ending": "stopped"}, "interrupted"),
        ({"ending": "proxy_failed", "status": 500}, "proxy_error"),
    ],
)
def test_the_outcome_of_a_bare_record(changed: dict[str, object], outcome: str) -> None:
    assert bare_call(msgspec.structs.replace(FINISHED, **changed)).outcome == outcome


class Scoring:
    """Makes a row of every call, and remembers which."""

    def __init__(self) -> None:
        self.scored: list[str] = []
        self.left_out: list[str] = []

    def row(self, record: CallRecord, _meaning: Meaning, _request: object) -> SignalRow:
        self.scored.append(record.call_id)
        return SignalRow(lane=1, numbers=b"", faults=0)

    def passed(self, record: CallRecord, _meaning: Meaning) -> bool:
        self.left_out.append(record.call_id)
        return record.call_id != "odd"


def observed_at(age_s: float, call_ids: list[str]) -> tuple[Interpreter, Scoring]:
    scoring = Scoring()
    ended_unix_s = FINISHED.started_unix_ns / 1e9 + FINISHED.duration_s
    interpreter = Interpreter(Guards(), None, lambda _: None, signalling=scoring, clock=lambda: ended_unix_s + age_s)
    for call_id in call_ids:
        interpreter.observed(frame(msgspec.structs.replace(FINISHED, call_id=call_id)))
    return interpreter, scoring


def test_every_answer_of_late_is_scored() -> None:
    interpreter, scoring = observed_at(9.0, [str(number) for number in range(100)])

    assert (len(scoring.scored), scoring.left_out, interpreter.unscored) == (100, [], 0)


def test_overload_that_scoring_less_ends_is_not_late() -> None:
    assert BEHIND_S < LATE_S / 2


@pytest.mark.parametrize(("age_s", "one_in"), [(11.0, 16), (299.0, 16), (301.0, 64), (3600.0, 64)])
def test_of_a_backlog_some_answers_are_scored_and_the_rest_is_counted(age_s: float, one_in: int) -> None:
    names = [f"{number:032x}" for number in range(3200)]

    interpreter, scoring = observed_at(age_s, names)
    _, again = observed_at(age_s, names)

    assert 0.6 < len(scoring.scored) * one_in / 3200 < 1.4
    assert len(scoring.scored) + len(scoring.left_out) == 3200
    assert interpreter.unscored == len(scoring.left_out)
    assert scoring.scored == again.scored  # read again after a crash, a call fares as before


def test_what_would_not_have_been_scored_is_not_counted_as_left_out() -> None:
    interpreter, scoring = observed_at(11.0, ["odd"])

    assert (scoring.left_out, interpreter.unscored) == (["odd"], 0)


@pytest.mark.parametrize("coding", [b"gzip", b"deflate"])
def test_a_key_in_a_packed_error_is_in_nothing_that_is_told(coding: bytes) -> None:
    key = b"upstream+key/of no known form"
    said = b'{"error":{"message":"wrong: %b"}}' % key
    packed = gzip.compress(said) if coding == b"gzip" else zlib.compress(said)
    finished = msgspec.structs.replace(FINISHED, status=401, upstream_status=401)
    head = JSON_HEAD + b"Content-Encoding: %b\r\n" % coding
    refused = Frame(frames.FINISHED, msgspec.json.encode(finished), JSON_HEAD, REQUEST, head, packed, b"")

    found = Interpreter(Guards(), None, lambda _: None, keys={"default": key}).observed(refused)

    assert found is not None
    assert found.record.error_message == "wrong: " + "*" * len(key)
