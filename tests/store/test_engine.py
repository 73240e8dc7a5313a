"""Files of the ledger: whose they are, and where they lie."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from proxy.core.errors import LedgerUnavailable
from proxy.store import Batch, open_ledger


def test_only_the_owner_reads_the_ledger(tmp_path, make_call):
    data = tmp_path / "new" / "data"

    with open_ledger(data) as ledger:
        ledger.commit(Batch(calls=[make_call()]))
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in data.iterdir()}

    assert modes == {"ledger.sqlite3": 0o600, "ledger.sqlite3-wal": 0o600, "ledger.sqlite3-shm": 0o600}
    assert stat.S_IMODE(data.stat().st_mode) == 0o700


def test_a_ledger_open_to_others_is_closed_to_them(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    path.touch(mode=0o644)

    open_ledger(tmp_path).close()

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["a b", "50%", "what?mode=memory", "ü#1"])
def test_any_directory_name_will_do(tmp_path: Path, name: str, make_call):
    from proxy.store import open_reader

    with open_ledger(tmp_path / name) as ledger:
        ledger.commit(Batch(calls=[make_call()]))
        with open_reader(tmp_path / name) as reader:
            assert reader.totals().calls == 1
    assert [name] == [file.name for file in tmp_path.iterdir()]


def test_a_directory_where_the_ledger_should_be_is_unavailable(tmp_path):
    (tmp_path / "ledger.sqlite3").mkdir()

    with pytest.raises(LedgerUnavailable, match=r"ledger\.sqlite3"):
        open_ledger(tmp_path)


def test_a_file_where_the_directory_should_be_is_unavailable(tmp_path):
    (tmp_path / "data").touch()

    with pytest.raises(LedgerUnavailable, match="ledger"):
        open_ledger(tmp_path / "data")
