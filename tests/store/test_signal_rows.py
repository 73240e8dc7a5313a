"""Signals in the ledger: what an upstream calls itself does no harm to the records beside it."""

from __future__ import annotations

from proxy.core.signal_row import SignalRow
from proxy.store import Batch


def test_identities_of_any_bytes_are_stored(ledger, make_call):
    odd = SignalRow(lane=1, numbers=b"", faults=0, identity="m \ud800\0 fp")
    plain = SignalRow(lane=1, numbers=b"", faults=2, identity="m fp")
    committed = ledger.commit(Batch(calls=[make_call("a", signals=odd), make_call("b", signals=plain)]))
    assert len(committed.records) == 2
    rows = ledger.signals_after(0, limit=10)
    assert [row.row.identity for row in rows] == ["m \ufffd fp", "m fp"]


def test_the_newest_of_a_lane_in_order(ledger, make_call):
    rows = [SignalRow(lane=at % 2, numbers=b"", faults=at) for at in range(10)]
    ledger.commit(Batch(calls=[make_call(str(at), signals=row) for at, row in enumerate(rows)]))
    assert [row.row.faults for row in ledger.newest_signals(10, limit=3, lane=0)] == [4, 6, 8]
    assert [row.row.faults for row in ledger.newest_signals(3, limit=3, lane=1)] == [1]
