"""From the journal to the ledger: each call exactly once, whatever is killed, locked or failing."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proxy.core.call import CallRecord
from proxy.core.errors import LedgerUnavailable
from proxy.journal import following
from proxy.journal.counters import Counter
from proxy.journal.segments import segment_path
from proxy.store import Batch, Committed, Ledger, open_ledger
from proxy.store.engine import ledger_path
from tests.observe.journals import FakeRelay
from tests.observe.pipelines import Kit, stop_after


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(tmp_path) as opened:
        yield opened


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[FakeRelay]:
    made = FakeRelay(tmp_path)
    yield made
    made.die()


def stored(ledger: Ledger) -> dict[str, CallRecord]:
    return {call.record.call_id: call.record for call in ledger.last_calls(10_000)}


def test_a_call_becomes_a_priced_record_and_reaches_the_sinks(tmp_path: Path, ledger: Ledger, relay: FakeRelay) -> None:
    relay.call("a")
    kit = Kit(tmp_path, ledger)

    kit.run()

    record = stored(ledger)["a"]
    assert (
        record.outcome,
        record.prompt_tokens,
        record.completion_tokens,
        record.cost_nanousd,
        record.cost_source,
    ) == ("ok", 20, 5, 30_000, "local")
    assert kit.metrics.ids() == kit.log.ids() == ["a"]
    assert kit.state.ledger_calls == 1
    assert kit.state.caught_up


def test_a_pass_that_finds_nothing_commits_nothing(tmp_path: Path, ledger: Ledger, relay: FakeRelay) -> None:
    relay.call("a")
    kit = Kit(tmp_path, ledger)
    kit.run()
    commits = kit.state.commits

    for _ in range(5):
        kit.run()

    assert commits == kit.state.commits


def test_calls_under_way_are_kept_as_open_until_they_end(tmp_path: Path, ledger: Ledger, relay: FakeRelay) -> None:
    relay.start("a")
    relay.call("b")
    kit = Kit(tmp_path, ledger)
    kit.run()
    open_before = [call.started.call_id for call in ledger.open_calls()]

    relay.finish("a")
    kit.run()

    assert open_before == ["a"]
    assert ledger.open_calls() == []
    assert set(stored(ledger)) == {"a", "b"}


def test_what_a_dead_relay_left_open_was_interrupted(tmp_path: Path, ledger: Ledger, relay: FakeRelay) -> None:
    relay.start("a")
    relay.call("b")
    kit = Kit(tmp_path, ledger)
    kit.run()

    relay.die()
    kit.run()

    outcomes = {call_id: record.outcome for call_id, record in stored(ledger).items()}
    assert outcomes == {"a": "interrupted", "b": "ok"}
    assert not relay.directory.exists()
    assert ledger.positions() == {}
    assert ledger.open_calls() == []


def test_a_call_begun_under_one_observer_and_interrupted_under_the_next(
    tmp_path: Path, ledger: Ledger, relay: FakeRelay
) -> None:
    relay.start("a")
    Kit(tmp_path, ledger).run()
    relay.die()

    kit = Kit(tmp_path, ledger)
    kit.run()

    assert stored(ledger)["a"].outcome == "interrupted"
    assert kit.metrics.ids() == ["a"]


def test_calls_of_a_journal_that_is_gone_were_interrupted(tmp_path: Path, ledger: Ledger, relay: FakeRelay) -> None:
    relay.start("a")
    Kit(tmp_path, ledger).run()
    relay.die()
    for path in relay.directory.iterdir():
        path.unlink()
    relay.directory.rmdir()

    Kit(tmp_path, ledger)

    assert stored(ledger)["a"].outcome == "interrupted"
    assert ledger.positions() == {}


def test_a_call_whose_frame_was_lost_is_not_interrupted(tmp_path: Path, ledger: Ledger, relay: FakeRelay) -> None:
    relay.start("a")
    relay.start("b")
    kit = Kit(tmp_path, ledger)
    kit.run()

    relay.start("c")
    relay.lose("a", "c")
    relay.die()
    kit.run()

    assert {call_id: record.outcome for call_id, record in stored(ledger).items()} == {"b": "interrupted"}
    assert kit.state.lost["journal"] == 2
    assert ledger.open_calls() == []


def test_killed_after_the_commit_and_before_the_release(
    tmp_path: Path, ledger: Ledger, relay: FakeRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(10):
        relay.call(f"call-{number}")
    relay.die()
    first = Kit(tmp_path, ledger)
    monkeypatch.setattr(first.pipeline._reader, "release", _killed)
    with pytest.raises(KeyboardInterrupt):
        first.run()

    second = Kit(tmp_path, ledger)
    second.run()

    assert len(stored(ledger)) == 10
    assert second.metrics.got == []
    assert not relay.directory.exists()


def test_killed_between_the_release_and_forgetting_the_writer(
    tmp_path: Path, ledger: Ledger, relay: FakeRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    relay.call("a")
    relay.die()
    first = Kit(tmp_path, ledger)
    monkeypatch.setattr(first.pipeline, "_forget", _killed)
    with pytest.raises(KeyboardInterrupt):
        first.run()
    left = ledger.positions()

    Kit(tmp_path, ledger)

    assert list(left) == [relay.name]
    assert ledger.positions() == {}


def test_killed_before_the_commit(
    tmp_path: Path, ledger: Ledger, relay: FakeRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    relay.start("open")
    for number in range(10):
        relay.call(f"call-{number}")
    with monkeypatch.context() as patched:
        first = Kit(tmp_path, ledger)
        patched.setattr(first.pipeline, "_commit", _killed)
        with pytest.raises(KeyboardInterrupt):
            first.run()
    before = stored(ledger)

    second = Kit(tmp_path, ledger)
    second.run()

    assert before == {}
    assert len(stored(ledger)) == 10
    assert len(set(second.metrics.ids())) == len(second.metrics.ids()) == 10
    assert [call.started.call_id for call in ledger.open_calls()] == ["open"]


def test_a_journal_read_a_second_time_counts_nothing_twice(
    tmp_path: Path, ledger: Ledger, relay: FakeRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "erase", lambda *_: False)  # a file system that cannot
    relay.call("a")
    relay.start("b")
    Kit(tmp_path, ledger).run()
    ledger.forget_writer(relay.name)  # as if the position were lost
    relay.die()

    kit = Kit(tmp_path, ledger)
    kit.run()

    assert kit.metrics.ids() == ["b"]
    assert kit.state.repeated == 1
    assert {call_id: call.outcome for call_id, call in stored(ledger).items()} == {"a": "ok", "b": "interrupted"}


def test_a_ledger_that_is_locked_for_a_while_loses_nothing(tmp_path: Path, ledger: Ledger, relay: FakeRelay) -> None:
    other = sqlite3.connect(ledger_path(tmp_path), isolation_level=None, check_same_thread=False)
    kit = Kit(tmp_path, ledger, pause=time.sleep)
    other.execute("BEGIN IMMEDIATE")
    relay.call("a")
    unlock = threading.Timer(2.5, other.rollback)
    unlock.start()

    kit.run()
    relay.call("b")
    kit.run()

    unlock.join()
    other.close()
    assert list(stored(ledger)) == ["a", "b"]
    assert kit.metrics.ids() == ["a", "b"]
    assert kit.state.commit_failures >= 1
    assert kit.state.ledger_error is None


def test_a_commit_that_fails_is_repeated_as_it_is(tmp_path: Path, ledger: Ledger, relay: FakeRelay) -> None:
    relay.call("a")
    kit = Kit(tmp_path, ledger, fail="ledger:7")

    kit.run()

    assert kit.pauses == [0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0]
    assert kit.metrics.ids() == ["a"]
    assert kit.state.commit_failures == 7


def test_giving_up_leaves_all_to_the_next_observer(tmp_path: Path, ledger: Ledger, relay: FakeRelay) -> None:
    relay.call("a")
    kit = Kit(tmp_path, ledger, fail="ledger", goes_on=stop_after(3))
    kit.run()

    second = Kit(tmp_path, ledger)
    second.run()

    assert kit.state.doing == "ledger_away"
    assert kit.state.lag_s() > 0
    assert kit.metrics.got == []
    assert second.metrics.ids() == ["a"]


def test_a_fault_that_is_no_lock_is_named_and_repeated_too(tmp_path: Path, ledger: Ledger, relay: FakeRelay) -> None:
    relay.call("a")
    kit = Kit(tmp_path, _Faulty(ledger, KeyError("a fault of ours")))

    kit.run()

    assert kit.guards.errors["ledger"] == 1
    assert list(stored(ledger)) == ["a"]


@pytest.mark.parametrize("part", ["reading", "pricing", "metrics", "log"])
def test_a_fault_in_one_part_stays_there_and_is_named(
    tmp_path: Path, ledger: Ledger, relay: FakeRelay, part: Any
) -> None:
    relay.call("a")
    relay.call("b", status=503, upstream_status=503)
    kit = Kit(tmp_path, ledger, fail=part)

    kit.run()

    records = stored(ledger)
    assert (records["a"].observer_errors, records["b"].observer_errors) == ((part,), (part,))
    assert (records["a"].outcome, records["b"].outcome) == ("ok", "upstream_error")
    assert {name: count for name, count in kit.guards.errors.items() if count} == {part: 2}
    assert kit.metrics.ids() == ([] if part == "metrics" else ["a", "b"])
    assert kit.log.ids() == ([] if part == "log" else ["a", "b"])


def test_a_sink_that_fails_after_the_commit_harms_nobody(
    tmp_path: Path, ledger: Ledger, relay: FakeRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    relay.call("a")
    kit = Kit(tmp_path, ledger)
    monkeypatch.setattr(kit.metrics, "deliver", lambda _prepared: 1 / 0)

    kit.run()

    assert kit.log.ids() == ["a"]
    assert kit.guards.errors["metrics"] == 1


def test_a_record_that_the_ledger_refuses_is_counted(tmp_path: Path, ledger: Ledger, relay: FakeRelay) -> None:
    relay.call("a")
    kit = Kit(tmp_path, _Refusing(ledger))

    kit.run()

    assert kit.state.lost["ledger"] == 1
    assert kit.metrics.got == []


def test_frames_that_nobody_can_read_are_counted_and_passed(tmp_path: Path, ledger: Ledger, relay: FakeRelay) -> None:
    for kind in (1, 2, 3):
        relay.raw(kind, b'{"of":"another version"}')
    relay.call("a")
    kit = Kit(tmp_path, ledger)

    kit.run()

    assert list(stored(ledger)) == ["a"]
    assert kit.state.lost["unreadable"] == 1
    assert kit.guards.errors["reading"] == 3


def test_damage_in_the_journal_is_skipped_and_counted(tmp_path: Path, ledger: Ledger, relay: FakeRelay) -> None:
    relay.call("a")
    begin = segment_path(relay.directory, 1).stat().st_size
    relay.call("b")
    relay.call("c")
    with segment_path(relay.directory, 1).open("r+b") as file:
        file.seek(begin + 100)
        file.write(b"\xff" * 4)

    kit = Kit(tmp_path, ledger)
    kit.run()

    assert list(stored(ledger)) == ["a", "b", "c"]
    assert kit.state.damaged_frames == 1


def test_after_a_fault_in_mid_pass_it_begins_again_at_the_ledger(
    tmp_path: Path, ledger: Ledger, relay: FakeRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    relay.call("a")
    kit = Kit(tmp_path, ledger)
    kit.run()
    relay.call("b")
    with monkeypatch.context() as patched:
        patched.setattr(kit.pipeline._gatherer, "take", _fails)
        with pytest.raises(OSError, match="EIO"):
            kit.run()

    kit.pipeline._torn = True  # as a fault in mid-pass leaves it
    kit.run()

    assert kit.metrics.ids() == ["a", "b"]


def test_counters_of_relays_never_decrease(tmp_path: Path, ledger: Ledger, relay: FakeRelay) -> None:
    relay.call("a")
    kit = Kit(tmp_path, ledger)
    kit.run()
    seen = [_calls(kit)]

    relay.die()
    kit.run()
    seen.append(_calls(kit))
    kit.pipeline._torn = True  # as a fault in mid-pass leaves it
    seen.append(_calls(kit))
    second = FakeRelay(tmp_path)
    second.call("b")
    kit.run()
    seen.append(_calls(kit))
    second.die()
    kit.run()
    seen.append(_calls(kit))

    assert seen == [1, 1, 1, 2, 2]


def test_two_workers_in_many_batches(tmp_path: Path, ledger: Ledger, relay: FakeRelay) -> None:
    other = FakeRelay(tmp_path, worker=1)
    for number in range(700):
        relay.call(f"a-{number}")
        other.call(f"b-{number}", worker=1)
    kit = Kit(tmp_path, ledger, batch_calls=100)

    kit.run()

    other.die()
    assert len(stored(ledger)) == 1400
    assert kit.state.commits >= 5
    assert len(set(kit.metrics.ids())) == 1400


def _calls(kit: Kit) -> int:
    return sum(counters.get(Counter.CALLS, 0) for counters in kit.pipeline.relay_counters().values())


def _killed(*_arguments: Any) -> Any:
    raise KeyboardInterrupt


def _fails(*_arguments: Any) -> Any:
    raise OSError("EIO")


class _Faulty:
    """A ledger whose first commit raises."""

    def __init__(self, ledger: Ledger, error: Exception) -> None:
        self._ledger, self._errors = ledger, [error]
        self.positions, self.open_calls = ledger.positions, ledger.open_calls
        self.forget_writer, self.remembered_turns = ledger.forget_writer, ledger.remembered_turns

    def commit(self, batch: Batch) -> Committed:
        if self._errors:
            raise self._errors.pop()
        return self._ledger.commit(batch)


class _Refusing(_Faulty):
    """A ledger that takes no call."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger, LedgerUnavailable("at first"))

    def commit(self, batch: Batch) -> Committed:
        super().commit(Batch(positions=batch.positions)) if not self._errors else self._errors.clear()
        return Committed(refused=frozenset(call.call_id for call in batch.calls))
