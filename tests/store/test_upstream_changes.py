"""Events and what models were: written together, read in order, odd values harmless."""

from __future__ import annotations

import sqlite3

import pytest

from proxy.core.errors import LedgerBusy
from proxy.core.event import Event, KnownModel, KnownUpstream
from proxy.store import Batch, Correction, UpstreamChanges, open_ledger, open_reader

MODEL = KnownModel(upstream="u", model="m:latest", since_unix_ns=5, digest="a", context_length=4096)


def event(number: int = 1, **fields):
    return Event(**{"at_unix_ns": number, "kind": "digest", "upstream": "u", "model": "m:latest", **fields})


def test_events_come_back_in_order_with_their_ids(ledger, tmp_path):
    first = ledger.note_changes(UpstreamChanges(events=[event(9), event(3, details={"size_bytes": 7})]))
    second = ledger.note_changes(UpstreamChanges(events=[event(4, before="a", after="b", model=None)]))

    with open_reader(tmp_path) as reader:
        assert reader.events(last=10) == [*first, *second]
        assert [found.event_id for found in reader.events(last=2)] == [2, 3]
        assert reader.events(last=0) == []


def test_what_models_were_outlives_the_writer(tmp_path):
    server = KnownUpstream(upstream="u", version="1", since_unix_ns=2)
    with open_ledger(tmp_path) as ledger:
        ledger.note_changes(UpstreamChanges(models=[MODEL], upstreams=[server]))
        ledger.note_changes(UpstreamChanges(models=[KnownModel(upstream="u", model="m:latest", since_unix_ns=6)]))
        ledger.note_changes(UpstreamChanges(models=[KnownModel(upstream="u", model="x", since_unix_ns=1)]))
        ledger.note_changes(UpstreamChanges(forgotten=[("u", "x")]))

    with open_ledger(tmp_path) as ledger:
        assert ledger.known_models() == [KnownModel(upstream="u", model="m:latest", since_unix_ns=6)]
        assert ledger.known_upstreams() == [server]


def test_all_or_nothing(ledger, tmp_path):
    other = sqlite3.connect(tmp_path / "ledger.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(LedgerBusy):
        ledger.note_changes(UpstreamChanges(events=[event()], models=[MODEL]))
    other.close()

    assert (ledger.events(last=9), ledger.known_models()) == ([], [])


def test_odd_values_are_cleaned(ledger):
    odd = event(model="m\ud800\0", before="x" * 5000, details={"text": "y" * 5000})

    ledger.note_changes(
        UpstreamChanges(events=[odd], models=[KnownModel(upstream="u", model="\ud800", since_unix_ns=1)])
    )

    (found,) = ledger.events(last=9)
    assert (found.model, len(found.before or ""), found.details) == ("m\ufffd", 2048, {})


def test_calls_that_were_stamped_too_early_are_put_right(ledger, make_call):
    def call(call_id, at, model="M", digest="a", upstream="u"):
        return make_call(call_id, started_unix_ns=at, model=model, model_digest=digest, upstream=upstream)

    ledger.commit(
        Batch(
            calls=[
                *(call("early", 9), call("late", 10), call("full", 11, model="m:latest"), call("copy", 12, model="n")),
                *(call("other", 13, upstream="v"), call("unknown", 14, digest=None)),
            ]
        )
    )
    put_right = Correction(
        upstream="u", names=("m", "m:latest"), since_unix_ns=10, was_digest="a", digest="b", quantization="Q2"
    )

    ledger.note_changes(UpstreamChanges(corrections=[put_right]))

    found = {stored.record.call_id: stored.record.model_digest for stored in ledger.last_calls(9)}
    assert found == {"early": "a", "late": "b", "full": "b", "copy": "a", "other": "a", "unknown": None}


def test_how_far_a_reader_came_is_written_with_its_events(ledger, tmp_path):
    assert ledger.read_until("drift") is None
    ledger.note_changes(UpstreamChanges(events=[event()], read=("drift", 7)))
    ledger.note_changes(UpstreamChanges(read=("drift", 9)))
    with open_reader(tmp_path) as reader:
        assert reader.read_until("drift") == 9
        assert reader.read_until("another") is None
        assert len(reader.events(last=10)) == 1
