"""Tallies: what each relay's journal accounted for, and their sum once it is gone."""

from __future__ import annotations

from proxy.core.tally import BEGAN_BEFORE, Tally
from proxy.store import Batch, Ledger
from proxy.store.tallies import GONE

from .conftest import MakeCall


def test_batches_add_up_and_a_writer_that_is_gone_goes_into_the_sum(ledger: Ledger, make_call: MakeCall) -> None:
    ledger.commit(Batch(calls=[make_call("a")], tallies={"w": Tally(started=2, finished=1)}))
    ledger.commit(
        Batch(calls=[make_call("a"), make_call("b")], tallies={"w": Tally(finished=2, lost=1, interrupted=1)})
    )
    ledger.commit(Batch(tallies={"w": Tally(seen=7)}))
    assert ledger.account().tallies["w"] == Tally(seen=7, started=2, finished=3, lost=1, interrupted=1)

    killed = ledger.forget_writer("w")

    account = ledger.account()
    assert killed == account.killed == 2  # of seven calls, five are accounted for
    assert account.tallies == {GONE: Tally(seen=7, started=2, finished=3, lost=1, interrupted=1)}
    assert (account.records, account.repeated, account.refused) == (2, 1, 0)


def test_a_writer_that_began_before_the_ledger_has_no_killed_calls(ledger: Ledger) -> None:
    ledger.commit(Batch(tallies={"w": Tally(seen=BEGAN_BEFORE, finished=1)}))
    ledger.commit(Batch(tallies={"w": Tally(seen=100, finished=1)}))

    assert ledger.forget_writer("w") == 0
    assert ledger.account().tallies == {GONE: Tally(seen=2, finished=2)}


def test_a_writer_without_a_tally_is_forgotten_too(ledger: Ledger) -> None:
    assert ledger.forget_writer("never seen") == 0
