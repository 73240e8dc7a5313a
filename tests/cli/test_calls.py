"""`sightglass calls` on real ledgers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner

from proxy.cli.calls import calls, followed
from proxy.core.call import CallRecord
from proxy.store import Batch, Ledger, open_ledger


def call(call_id: str) -> CallRecord:
    return CallRecord(
        call_id=call_id,
        request_id=f"r-{call_id}",
        started_unix_ns=1_763_711_111_000_000_000,
        route="other",
        dialect="other",
        method="GET",
        outcome="ok",
        model="m",
    )


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(tmp_path) as opened:
        opened.commit(Batch(calls=[call("a"), call("b"), call("c")]))
        yield opened


def run(*arguments: str, env: dict[str, str] | None = None) -> tuple[int, str, str]:
    result = CliRunner().invoke(calls, arguments, env=env)
    return result.exit_code, result.stdout, result.stderr


def ids(lines: str) -> list[str]:
    return [orjson.loads(line)["call_id"] for line in lines.splitlines()]


@pytest.mark.usefixtures("ledger")
def test_json_gives_the_last_calls_oldest_first(tmp_path):
    status, out, _ = run("--data", str(tmp_path), "--json", "--last", "2")

    assert (status, ids(out)) == (0, ["b", "c"])
    assert orjson.loads(out.splitlines()[0])["started_at"] == "2025-11-21T07:45:11.000000Z"
    assert b"null" not in out.encode()


@pytest.mark.usefixtures("ledger")
def test_the_directory_comes_from_the_environment_too(tmp_path):
    status, out, _ = run("--json", env={"SIGHTGLASS_DATA": str(tmp_path)})

    assert (status, ids(out)) == (0, ["a", "b", "c"])


@pytest.mark.usefixtures("ledger")
def test_the_directory_comes_from_the_settings_when_nothing_else_says(tmp_path):
    config = tmp_path / "sightglass.yaml"
    config.write_text(f"data: {tmp_path}\n")

    status, out, _ = run("--json", "--config", str(config))

    assert (status, ids(out)) == (0, ["a", "b", "c"])


@pytest.mark.usefixtures("ledger")
def test_a_table_is_for_people(tmp_path):
    status, out, _ = run("--data", str(tmp_path))

    assert status == 0
    assert out.startswith("STARTED ")
    assert len(out.splitlines()) == 4


def test_no_calls_is_nothing_to_print(tmp_path):
    open_ledger(tmp_path).close()

    assert run("--data", str(tmp_path))[:2] == (0, "")
    assert run("--data", str(tmp_path), "--json")[:2] == (0, "")


def test_no_ledger_is_said_in_one_line(tmp_path):
    status, out, err = run("--data", str(tmp_path / "nowhere"))

    assert (status, out) == (1, "")
    assert err.startswith("Error: no ledger in ")
    assert "sightglass serve" in err
    assert len(err.splitlines()) == 1


class Script:
    """Stands in for waiting: each wait does the next step; after the last, somebody presses Ctrl-C."""

    def __init__(self, *steps: object) -> None:
        self._steps = iter(steps)

    def __call__(self, seconds: float) -> None:
        step = next(self._steps, None)
        if step is None:
            raise KeyboardInterrupt
        assert callable(step)
        step()


def follow(data: Path, *steps: object, last: int = 20) -> list[str]:
    shown: list[str] = []
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012
        for batch in followed(data, last=last, sleep=Script(*steps)):
            shown += [record.call_id for record in batch]
    return shown


def test_follow_goes_on_with_what_is_committed(ledger, tmp_path):
    steps = (
        lambda: ledger.commit(Batch(calls=[call("d")])),
        lambda: None,
        lambda: ledger.commit(Batch(calls=[call("e")])),
    )

    assert follow(tmp_path, *steps, last=1) == ["c", "d", "e"]


def test_follow_can_begin_with_nothing(ledger, tmp_path):
    assert follow(tmp_path, lambda: ledger.commit(Batch(calls=[call("d")])), last=0) == ["d"]


def test_follow_waits_for_a_ledger(tmp_path, capsys):
    def begin() -> None:
        with open_ledger(tmp_path) as ledger:
            ledger.commit(Batch(calls=[call("a")]))

    assert follow(tmp_path, lambda: None, begin, lambda: None) == ["a"]
    assert capsys.readouterr().err.count("Waiting for it") == 1


def test_follow_takes_up_a_ledger_that_was_replaced(ledger, tmp_path):
    def replace() -> None:
        ledger.close()
        for file in tmp_path.iterdir():
            file.unlink()
        with open_ledger(tmp_path) as fresh:
            fresh.commit(Batch(calls=[call("new")]))

    assert follow(tmp_path, replace, lambda: None, lambda: None, last=1) == ["c", "new"]


def test_ctrl_c_ends_quietly(ledger, tmp_path, monkeypatch):
    monkeypatch.setattr("proxy.cli.calls.followed", lambda *_, **__: follow_once(ledger))

    assert run("--data", str(tmp_path), "--follow", "--json")[0::2] == (0, "")


def follow_once(ledger: Ledger) -> Iterator[list[CallRecord]]:
    yield [stored.record for stored in ledger.last_calls(1)]
    raise KeyboardInterrupt
