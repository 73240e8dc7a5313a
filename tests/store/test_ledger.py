"""Commits: whole or not at all, each call once, whatever is in it."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import event

from proxy.core.errors import LedgerBusy, LedgerDamaged, LedgerUnavailable
from proxy.core.exchange import Started
from proxy.store import Batch, Ledger, OpenCall, open_ledger
from tests.work import calls_of


def ids(ledger: Ledger) -> list[str]:
    return [stored.record.call_id for stored in ledger.last_calls(100)]


def open_call(call_id: str, *, writer: str = "w1") -> OpenCall:
    started = Started(call_id=call_id, request_id="r", started_unix_ns=1, method="POST", target="/v1/models")
    return OpenCall(writer=writer, started=started)


def test_a_commit_keeps_every_field_of_a_call(ledger, make_call):
    full = make_call(
        worker=3, model="m", model_answered="m2", upstream="u", stream=True, status=200, error_type="t",
        error_message="e", finish_reason="stop", prompt_tokens=1, completion_tokens=2, reasoning_tokens=3,
        cached_tokens=4, tokens_source="reported", cost_nanousd=2**62, cost_source="exact", headers_s=0.1,
        first_byte_s=0.2, first_token_s=0.3, first_answer_token_s=0.4, duration_s=0.5, piece_gap_p50_s=0.6,
        piece_gap_p95_s=0.7, piece_gap_max_s=0.8, overhead_s=0.9, load_s=1.0, prompt_eval_s=1.1, generation_s=1.2,
        queue_s=1.3, request_bytes=5, response_bytes=6, tool_calls=0, attempts=1, client="::1", user_agent="ü",
        observer_errors=("pricing", "scoring"),
    )  # fmt: skip
    bare = make_call("b", stream=False)

    committed = ledger.commit(Batch(calls=[full, bare]))

    assert (full, bare) == committed.records
    assert [full, bare] == [stored.record for stored in ledger.last_calls(2)]


def test_a_repeated_call_counts_once(ledger, make_call):
    ledger.commit(Batch(calls=[make_call("a"), make_call("b")]))

    again = ledger.commit(Batch(calls=[make_call("b"), make_call("c", model="first"), make_call("c"), make_call("d")]))

    assert again.inserted == 2
    assert {"b", "c"} == again.repeated
    assert [(record.call_id, record.model) for record in again.records] == [("c", "first"), ("d", None)]
    assert ids(ledger) == ["a", "b", "c", "d"]


def test_more_calls_than_one_question_holds(ledger, make_call):
    calls = [make_call(str(number)) for number in range(1201)]
    ledger.commit(Batch(calls=calls[::2]))

    committed = ledger.commit(Batch(calls=calls))

    assert committed.inserted == 600
    assert len(committed.repeated) == 601
    assert ledger.totals().calls == 1201


def test_positions_and_open_calls_move_with_the_calls(ledger, make_call):
    ledger.commit(Batch(opened=[open_call("a"), open_call("b", writer="w2")], positions={"w1": (1, 10), "w2": (4, 5)}))
    ledger.commit(Batch(calls=[make_call("a")], closed=["a", "never-opened"], positions={"w1": (2, 0)}))

    assert ledger.positions() == {"w1": (2, 0), "w2": (4, 5)}
    assert [open_call("b", writer="w2")] == ledger.open_calls()


def test_a_call_opened_twice_stays_open_once(ledger):
    ledger.commit(Batch(opened=[open_call("a")]))
    ledger.commit(Batch(opened=[open_call("a"), open_call("a")]))

    assert [open_call("a")] == ledger.open_calls()


def test_a_forgotten_writer_leaves_nothing_behind(ledger):
    ledger.commit(Batch(opened=[open_call("a"), open_call("b", writer="w2")], positions={"w1": (1, 1), "w2": (1, 1)}))

    ledger.forget_writer("w1")

    assert ledger.positions() == {"w2": (1, 1)}
    assert [call.started.call_id for call in ledger.open_calls()] == ["b"]


def test_poison_is_stored_clean_beside_its_neighbours(ledger, make_call):
    poison = make_call("p", model="\ud800", prompt_tokens=2**63, headers_s=float("nan"), user_agent="x" * 10**7)

    committed = ledger.commit(Batch(calls=[make_call("a"), poison, make_call("b")]))

    assert committed.inserted == 3
    assert committed.records[1].observer_errors == ("ledger",)
    assert list(committed.records) == [stored.record for stored in ledger.last_calls(3)]


def test_what_cannot_be_stored_at_all_is_left_out_by_name(ledger, make_call):
    """A row that the database refuses even cleaned is refused alone; all else of the batch goes in."""
    refused = make_call("bad", route=None)

    committed = ledger.commit(Batch(calls=[make_call("a"), refused, make_call("b")], positions={"w": (1, 7)}))

    assert {"bad"} == committed.refused
    assert ids(ledger) == ["a", "b"]
    assert ledger.positions() == {"w": (1, 7)}


def test_a_locked_ledger_is_busy_and_takes_the_same_batch_later(ledger, make_call, tmp_path):
    other = sqlite3.connect(tmp_path / "ledger.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    batch = Batch(calls=[make_call("a")], positions={"w": (1, 1)})

    begun = time.monotonic()
    with pytest.raises(LedgerBusy, match=r"ledger\.sqlite3 is locked"):
        ledger.commit(batch)
    waited_s = time.monotonic() - begun
    other.close()

    assert waited_s > 0.5  # and not for ever
    assert ledger.commit(batch).inserted == 1


def test_a_full_disk_is_unavailable_and_leaves_nothing_of_the_batch(ledger, make_call):
    ledger.commit(Batch(calls=[make_call("first")]))
    limit_pages(ledger, extra=4)
    batch = Batch(calls=[make_call(str(number), error_message="x" * 2000) for number in range(500)])

    with pytest.raises(LedgerUnavailable, match="full"):
        ledger.commit(batch)

    assert ids(ledger) == ["first"]
    assert ledger.commit(batch).inserted == 500, "the next try has a fresh connection, without the limit"


def limit_pages(ledger: Ledger, *, extra: int) -> None:
    with ledger._engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + extra}")


def test_a_ledger_that_breaks_while_in_use_is_damaged(ledger, make_call, tmp_path):
    ledger.commit(Batch(calls=[make_call(str(number)) for number in range(2000)]))
    ledger.close()
    path = tmp_path / "ledger.sqlite3"
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))

    with pytest.raises(LedgerDamaged, match=r"ledger\.sqlite3"):
        ledger.commit(Batch(calls=[make_call("new")]))


def test_a_ledger_taken_away_is_made_anew(ledger, make_call, tmp_path):
    """SQLite would go on writing into the deleted file, and every call would be lost with the process."""
    ledger.commit(Batch(calls=[make_call("a")]))
    for file in tmp_path.iterdir():
        file.unlink()

    ledger.commit(Batch(calls=[make_call("b")]))

    with open_ledger(tmp_path) as second:
        assert ids(second) == ["b"]


def test_a_crash_between_insert_and_commit_leaves_nothing(ledger, make_call):
    @event.listens_for(ledger._engine, "commit", once=True)
    def _die(_connection: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ledger.commit(Batch(calls=[make_call("a")], positions={"w": (1, 1)}))

    assert ids(ledger) == []
    assert ledger.positions() == {}


@pytest.mark.parametrize(("fsync", "level"), [(False, 1), (True, 2)])
def test_fsync_decides_how_a_commit_reaches_the_disk(tmp_path: Path, fsync: bool, level: int):
    with open_ledger(tmp_path, fsync=fsync) as ledger, ledger._engine.connect() as connection:
        assert level == connection.exec_driver_sql("PRAGMA synchronous").scalar_one()
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"


def test_open_calls_keep_targets_of_any_bytes(ledger):
    strange = OpenCall(
        writer="w", started=Started(call_id="a", request_id="\ud800", started_unix_ns=1, method="GET", target="/\udcff")
    )

    ledger.commit(Batch(opened=[strange]))

    assert [strange] == ledger.open_calls()


WRITER = """
import sys
from pathlib import Path
from proxy.core.call import CallRecord
from proxy.store import Batch, open_ledger

with open_ledger(Path(sys.argv[1])) as ledger:
    for number in range(10**6):
        calls = [
            CallRecord(call_id=f"{number}-{n}", request_id="r", started_unix_ns=1, route="other", dialect="other",
                       method="GET", outcome="ok")
            for n in range(7)
        ]
        ledger.commit(Batch(calls=calls, positions={"w": (1, number)}))
        print(number, flush=True)
"""


def test_a_killed_writer_leaves_whole_batches_and_their_position(tmp_path):
    """kill -9 in the middle of commits: what was acknowledged is there, what is there is whole."""
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE)
    assert writer.stdout is not None
    acknowledged = [int(writer.stdout.readline()) for _ in range(100)][-1]
    writer.kill()
    acknowledged = max([acknowledged, *map(int, writer.stdout.read().split())])
    writer.wait()
    writer.stdout.close()

    with open_ledger(tmp_path) as ledger:
        [(_, position)] = ledger.positions().values()

        assert position in (acknowledged, acknowledged + 1)
        assert ledger.totals().calls == 7 * (position + 1)


def test_a_batch_is_little_work_a_row(ledger, make_call):
    """SQLAlchemy row by row were thousands. 25 µs a row on the machine this was written on."""
    calls = [make_call(f"{number:026d}", model="llama3.2:1b", duration_s=1.0) for number in range(200)]
    ledger.commit(Batch(calls=calls[:100], positions={"w": (1, 0)}))

    work = calls_of(lambda: ledger.commit(Batch(calls=calls[100:], positions={"w": (1, 1)})))

    assert work / 100 < 300
