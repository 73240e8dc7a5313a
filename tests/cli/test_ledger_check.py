"""A ledger that cannot be used: refused with what to do, or moved aside."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec
import pytest

from proxy.cli.ledger_check import check_ledger
from proxy.core.config import Config
from proxy.store import open_ledger


def config(data: Path) -> Config:
    return msgspec.convert({"data": str(data)}, Config)


def test_a_sound_ledger_or_none_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check_ledger(config(tmp_path / "none"), recover=True)
    with open_ledger(tmp_path):
        check_ledger(config(tmp_path), recover=False)
    check_ledger(config(tmp_path), recover=True)

    assert capsys.readouterr() == ("", "")
    assert [path.name for path in tmp_path.glob("*aside*")] == []


def test_a_damaged_one_is_refused_and_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "ledger.sqlite3").write_bytes(b"no database" * 1000)

    with pytest.raises(SystemExit) as ended:
        check_ledger(config(tmp_path), recover=False)

    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert "file is not a database" in said
    assert "--recover" in said


def test_recover_moves_it_aside_whole_and_says_where(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = {"ledger.sqlite3": b"no database", "ledger.sqlite3-wal": b"its wal"}
    for name, each in content.items():
        (tmp_path / name).write_bytes(each)

    check_ledger(config(tmp_path), recover=True)

    assert list(tmp_path.glob("ledger.sqlite3")) == []
    aside = next(path for path in tmp_path.iterdir() if path.read_bytes() == b"no database")
    assert aside.with_name(f"{aside.name}-wal").read_bytes() == b"its wal"
    assert str(aside) in capsys.readouterr().err


def test_recover_finds_damage_behind_a_sound_beginning(tmp_path: Path) -> None:
    with open_ledger(tmp_path):
        pass
    path = tmp_path / "ledger.sqlite3"
    with path.open("r+b") as file:
        file.seek(4096 * 2)
        file.write(b"\xff" * 4096 * 3)

    check_ledger(config(tmp_path), recover=True)

    assert not path.exists()


def test_another_programs_database_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    database = sqlite3.connect(tmp_path / "ledger.sqlite3")
    database.execute("CREATE TABLE theirs (a)")
    database.close()

    with pytest.raises(SystemExit):
        check_ledger(config(tmp_path), recover=False)

    assert "no ledger of Sightglass" in capsys.readouterr().err
