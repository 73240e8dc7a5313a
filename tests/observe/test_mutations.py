"""100,000 mutated recordings through all that the observer does with a call: nothing raises, each is in the ledger."""

from __future__ import annotations

import random
from array import array
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from proxy.core.call import CallRecord
from proxy.core.call_json import call_json
from proxy.core.exchange import Exchange
from proxy.core.outcomes import OUTCOMES
from proxy.journal import frames
from proxy.journal.frames import Frame
from proxy.observe.attribution import Attribution
from proxy.observe.guards import Guards
from proxy.observe.interpreting import Interpreter
from proxy.observe.observed import Observed
from proxy.observe.price_file import installed_price_file
from proxy.observe.pricing import PriceBook
from proxy.store import Batch, open_ledger
from proxy.wire.meaning import Meaning
from tests.wire.mutating import broken, meta, swapped
from tests.wire.recordings import SERVERS, exchange_of, load, names

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

# 329 recordings x 304 = 100,016.
BROKEN, SWAPPED = 200, 104

Mutate = Callable[[random.Random, Exchange], Exchange]


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize(("mutate", "times"), [(broken, BROKEN), (swapped, SWAPPED)])
def test_a_mutated_recording_is_read_and_kept(tmp_path: Path, server: str, mutate: Mutate, times: int) -> None:
    guards = Guards()
    prices = PriceBook({}, installed_price_file())
    interpreter = Interpreter(guards, prices, lambda _: None, attribution=Attribution(guards, b"k", baggage=True))
    chance = random.Random(f"{mutate.__name__} {server}")
    records: list[CallRecord] = []
    with closing(open_ledger(tmp_path)) as ledger:
        for name in (name for name in names() if name.startswith(server)):
            exchange = exchange_of(load(name))
            for number in range(times):
                observed = interpreter.observed(_frame(mutate(chance, exchange), f"{name} {number}"))
                assert observed is not None
                records.append(_fit(observed))
            committed = ledger.commit(Batch(calls=records))
            assert (committed.inserted, committed.refused, committed.repeated) == (times, frozenset(), frozenset())
            records.clear()

    assert set(guards.errors.values()) == {0}


def _frame(exchange: Exchange, call_id: str) -> Frame:
    times = array("d", [time for time, _ in exchange.pieces]).tobytes()
    return Frame(
        kind=frames.FINISHED,
        meta=meta(exchange, call_id),
        request_head=exchange.request_head,
        request_body=exchange.request_body,
        answer_head=exchange.answer_head,
        answer_body=exchange.answer_body,
        pieces=times + array("I", [size for _, size in exchange.pieces]).tobytes(),
    )


def _fit(observed: Observed) -> CallRecord:
    """The record; it and the meaning can be kept and shown anywhere."""
    record, meaning = observed.record, observed.meaning
    assert meaning is not None
    assert record.outcome in OUTCOMES
    for value in (*msgspec.structs.astuple(record), *msgspec.structs.astuple(meaning.tokens)):
        assert not isinstance(value, int) or -(2**63) <= value < 2**63
        assert not isinstance(value, str) or value.encode() is not None
    assert record.error_message is None or len(record.error_message) <= 500
    assert msgspec.json.decode(msgspec.json.encode(meaning), type=Meaning) == meaning
    assert call_json(record)["call_id"] == record.call_id
    return record
