"""Again: the ledger's answers tell in the end what they told live, with the same settings."""

from __future__ import annotations

from proxy.analyse.drift.again import Again
from proxy.analyse.drift.tuning import tuned
from proxy.core.event import Event
from proxy.store import Ledger, UpstreamChanges
from tests.analyse.drift.ledgers import SETTINGS, WARM_UP, Source, Traffic, begun, read_all, told

BUDGET = 5_000.0


def test_the_ledger_again_tells_what_it_told_live(ledger: Ledger, source: Source, traffic: Traffic) -> None:
    traffic.answers(WARM_UP)
    traffic.answers(15, faulty=["leak"])
    watch = begun()
    read_all(watch, source)
    accepted = {"lane": "0", "seq": WARM_UP + 15, "subject": "share:leak"}
    ledger.note_changes(UpstreamChanges(events=[Event(at_unix_ns=1, kind="drift_accepted", details=accepted)]))
    watch._looked = 0.0
    traffic.answers(WARM_UP + 20, faulty=["leak"])
    traffic.answers(1, lanes=1)
    read_all(watch, source)
    live = [event for event in told(ledger) if event[0] != "accepted"]

    again = Again(source, BUDGET, tuned(SETTINGS))
    events = list(again.events())

    assert [(event.event, event.kind) for event in events] == [
        (word, "share" if subject.startswith("share:") else subject) for word, subject in live
    ]
    assert [event.index for event in events if event.event == "baseline"] == [WARM_UP - 1, 2 * WARM_UP + 14]
    assert again.learning == 0


def test_who_has_too_few_answers_is_counted(ledger: Ledger, source: Source, traffic: Traffic) -> None:
    traffic.answers(WARM_UP + 10, lanes=2)
    again = Again(source, BUDGET, tuned(SETTINGS))
    assert list(again.events()) == []
    assert again.learning == 2
