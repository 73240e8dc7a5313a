"""The snapshot is put in place whole, private, and keeps what others wrote."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

from msgspec.structs import replace

from proxy.control.publishing import publish
from proxy.control.snapshot import Snapshot, control_path, read_snapshot
from proxy.core.client_key import ClientKey


def key(name: str) -> ClientKey:
    return ClientKey(name=name, hint="sg-abcdef", sha256=name.encode().hex().ljust(64, "0"), created_unix_ns=1)


def with_key(name: str):
    return lambda before: replace(before, keys=(*before.keys, key(name)))


def test_a_snapshot_is_private_and_read_back(tmp_path: Path) -> None:
    written = publish(tmp_path / "new", with_key("a"))

    path = control_path(tmp_path / "new")
    assert read_snapshot(path) == written
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(p.name for p in path.parent.iterdir()) == ["control.json", "control.lock"]


def test_nothing_is_written_when_nothing_changes(tmp_path: Path) -> None:
    first = publish(tmp_path, with_key("a"))
    before = control_path(tmp_path).stat()

    again = publish(tmp_path, lambda snapshot: snapshot)

    assert (again, control_path(tmp_path).stat().st_ino) == (first, before.st_ino)


def test_writers_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    writers = [threading.Thread(target=publish, args=(tmp_path, with_key(f"k{n}"))) for n in range(20)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    snapshot = read_snapshot(control_path(tmp_path))
    assert snapshot is not None
    assert sorted(k.name for k in snapshot.keys) == sorted(f"k{n}" for n in range(20))


def test_a_damaged_file_is_replaced_by_what_the_writer_brings(tmp_path: Path) -> None:
    control_path(tmp_path).write_text("{")

    assert publish(tmp_path, with_key("a")).keys == (key("a"),)


def test_an_older_program_reads_a_newer_snapshot(tmp_path: Path) -> None:
    """Fields that it does not know are passed over."""
    control_path(tmp_path).write_text('{"written_unix_ns": 5, "keys": [], "breakers": {"a": "open"}}')

    assert read_snapshot(control_path(tmp_path)) == Snapshot(written_unix_ns=5)
