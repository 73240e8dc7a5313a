"""A ledger, who reads it, and what comes into it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.store import Ledger, open_ledger
from tests.analyse.drift.ledgers import Source, Traffic


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(tmp_path) as opened:
        yield opened


@pytest.fixture
def source(ledger: Ledger) -> Source:
    return Source(ledger)


@pytest.fixture
def traffic(ledger: Ledger) -> Traffic:
    return Traffic(ledger)
