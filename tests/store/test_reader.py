"""Reading beside a writer, without one, and where there is nothing to read."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from proxy.core.errors import LedgerDamaged, LedgerMissing, LedgerUnavailable, LedgerWrongVersion
from proxy.store import Batch, open_ledger, open_reader


def test_a_reader_sees_each_commit_of_a_running_writer(ledger, make_call, tmp_path):
    with open_reader(tmp_path) as reader:
        assert reader.calls_after(0) == []

        ledger.commit(Batch(calls=[make_call("a"), make_call("b")]))
        first = reader.calls_after(0)
        ledger.commit(Batch(calls=[make_call("c")]))

        assert [stored.record.call_id for stored in first] == ["a", "b"]
        assert [stored.record.call_id for stored in reader.calls_after(first[-1].seq)] == ["c"]
        assert [stored.record.call_id for stored in reader.last_calls(2)] == ["b", "c"]
        assert [stored.record.call_id for stored in reader.calls_after(0, limit=1)] == ["a"]
        assert reader.last_calls(0) == []


def test_a_reader_opens_a_ledger_that_nobody_writes(make_call, tmp_path):
    with open_ledger(tmp_path) as ledger:
        ledger.commit(Batch(calls=[make_call("a")]))

    with open_reader(tmp_path) as reader:
        assert reader.totals().calls == 1


def test_a_reader_cannot_write(ledger, tmp_path):
    with open_reader(tmp_path) as reader, reader._engine.connect() as connection:  # noqa: SIM117
        with pytest.raises(OperationalError, match="readonly"):
            connection.exec_driver_sql("DELETE FROM calls")


def test_a_reader_reads_while_a_writer_holds_the_lock(ledger, make_call, tmp_path):
    ledger.commit(Batch(calls=[make_call("a")]))
    other = sqlite3.connect(tmp_path / "ledger.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with open_reader(tmp_path) as reader:
        assert reader.totals().calls == 1
    other.close()


def test_totals_and_last_success(ledger, make_call):
    ledger.commit(
        Batch(
            calls=[
                make_call("a", upstream="u", prompt_tokens=5, completion_tokens=7, cost_nanousd=11, started_unix_ns=10),
                make_call("b", upstream="u", prompt_tokens=1, started_unix_ns=30),
                make_call("c", upstream="u", outcome="timeout", started_unix_ns=50),
                make_call("d", upstream="v", outcome="client_gone", completion_tokens=3, cost_nanousd=2**40),
                make_call("e", started_unix_ns=70),
            ]
        )
    )

    totals = ledger.totals()

    assert totals.outcomes == {"ok": 3, "timeout": 1, "client_gone": 1}
    assert (
        totals.calls,
        totals.prompt_tokens,
        totals.completion_tokens,
        totals.cost_nanousd,
    ) == (5, 6, 10, 2**40 + 11)
    assert ledger.last_success() == {"u": 30}


def test_an_empty_ledger_answers_with_nothing(ledger):
    assert ledger.last_calls(5) == []
    assert ledger.last_success() == {}
    assert ledger.totals().calls == 0


def test_no_ledger_is_said_and_none_is_made(tmp_path):
    for directory in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(LedgerMissing, match="sightglass serve"):
            open_reader(directory)
    assert list(tmp_path.iterdir()) == []


def test_a_ledger_without_tables_is_not_there_yet(tmp_path):
    (tmp_path / "ledger.sqlite3").touch()

    with pytest.raises(LedgerMissing, match="empty"):
        open_reader(tmp_path)


def test_a_file_that_is_no_database_is_named(tmp_path):
    (tmp_path / "ledger.sqlite3").write_bytes(b"hello" * 1000)

    with pytest.raises(LedgerDamaged, match=r"ledger\.sqlite3.*Move it aside"):
        open_reader(tmp_path)


def test_an_older_ledger_asks_for_serve(ledger, tmp_path):
    with ledger._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0000'")

    with pytest.raises(LedgerWrongVersion, match=r"older.*sightglass serve"):
        open_reader(tmp_path)


def test_a_ledger_that_may_not_be_read_is_unavailable(ledger, tmp_path: Path):
    """Root may read everything, so a child that is nobody asks."""
    (tmp_path / "ledger.sqlite3").chmod(0)
    told, tells = os.pipe()

    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setuid(65534)
            open_reader(tmp_path)
        except LedgerUnavailable as error:
            os.write(tells, str(error).encode())
        finally:
            os._exit(0)
    os.close(tells)
    os.waitpid(child, 0)
    with os.fdopen(told) as answer:
        assert "ledger.sqlite3" in answer.read()


def test_a_replaced_file_is_noticed(ledger, tmp_path):
    with open_reader(tmp_path) as reader:
        assert reader.is_current()
        (tmp_path / "ledger.sqlite3").rename(tmp_path / "old")

        assert not reader.is_current()
