"""Ledger and snapshot come to one state, and never to a more open one."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from proxy.control.publishing import publish
from proxy.control.snapshot import control_path, read_snapshot
from proxy.core.client_key import ClientKey
from proxy.observe.client_keys import agree, merged, publish_keys
from proxy.store import open_ledger
from tests.control.test_publishing import key

A, B = key("a"), key("b")
A_CLOSED = replace(A, revoked_unix_ns=9)


def in_snapshot(data: Path) -> tuple[ClientKey, ...]:
    snapshot = read_snapshot(control_path(data))
    return snapshot.keys if snapshot else ()


@pytest.mark.parametrize(
    ("ledger_has", "snapshot_has", "both"),
    [
        ([], [], []),
        ([A], [], [A]),
        ([], [A], [A]),  # the ledger was moved aside
        ([A], [B], [A, B]),
        ([A_CLOSED], [A], [A_CLOSED]),
        ([A], [A_CLOSED], [A_CLOSED]),
    ],
)
def test_they_agree(
    tmp_path: Path, ledger_has: list[ClientKey], snapshot_has: list[ClientKey], both: list[ClientKey]
) -> None:
    publish_keys(tmp_path, snapshot_has)
    with open_ledger(tmp_path) as ledger:
        ledger.put_keys(ledger_has)

        assert agree(tmp_path, ledger) == tuple(both)
        assert ledger.client_keys() == both
        assert in_snapshot(tmp_path) == tuple(both)
        assert agree(tmp_path, ledger) == tuple(both)


def test_a_damaged_snapshot_comes_back_from_the_ledger(tmp_path: Path) -> None:
    control_path(tmp_path).write_text("{]")
    with open_ledger(tmp_path) as ledger:
        ledger.put_keys([A_CLOSED, B])
        agree(tmp_path, ledger)

    assert set(in_snapshot(tmp_path)) == {A_CLOSED, B}


def test_other_decisions_stay(tmp_path: Path) -> None:
    publish(tmp_path, lambda snapshot: replace(snapshot, keys=(A,)))

    assert publish_keys(tmp_path, [B]) == (A, B)


def test_nothing_reopens_a_key() -> None:
    assert merged([A_CLOSED], [A], [A]) == (A_CLOSED,)


def test_a_name_stays_with_its_first_key(tmp_path: Path) -> None:
    other = replace(B, name="a")
    with open_ledger(tmp_path) as ledger:
        ledger.put_keys([A])
        ledger.put_keys([other])

        assert ledger.client_keys() == [A]
