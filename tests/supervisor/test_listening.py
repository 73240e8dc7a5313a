"""The supervisor's own parts; what it does with its children is in tests/e2e."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from proxy.processes import holder, supervisor_lock
from proxy.supervisor.listening import join_processes, listen, sign, take_data_directory


def test_a_data_directory_is_made_private_and_locked(tmp_path: Path) -> None:
    data = tmp_path / "a" / "b"

    lock = take_data_directory(data)

    assert data.stat().st_mode & 0o777 == 0o700
    assert holder(data) is None
    sign(lock)
    assert supervisor_lock(data).read_text() == f"{os.getpid()}\n"
    assert holder(data) == os.getpid()
    os.close(lock)
    assert holder(data) is None


def test_an_orphan_that_looks_for_us_does_not_keep_us_out(tmp_path: Path) -> None:
    look = os.open(supervisor_lock(tmp_path), os.O_CREAT | os.O_RDWR)
    fcntl.flock(look, fcntl.LOCK_SH)
    threading.Timer(0.1, os.close, [look]).start()

    lock = take_data_directory(tmp_path)

    sign(lock)
    assert holder(tmp_path) == os.getpid()
    os.close(lock)


def test_a_living_supervisor_keeps_us_out(tmp_path: Path) -> None:
    lock = take_data_directory(tmp_path)
    began = time.monotonic()

    with pytest.raises(BlockingIOError):
        take_data_directory(tmp_path)

    assert time.monotonic() - began < 20
    os.close(lock)


def test_others_are_seen_as_long_as_one_that_inherited_the_lock_lives(tmp_path: Path) -> None:
    first, others = join_processes(tmp_path)
    assert not others
    with subprocess.Popen(["sleep", "60"], pass_fds=(first,)) as newborn:
        os.close(first)

        second, others = join_processes(tmp_path)
        third, others_again = join_processes(tmp_path)
        newborn.kill()

    assert others
    assert others_again
    os.close(second)
    os.close(third)
    last, others = join_processes(tmp_path)
    assert not others
    os.close(last)


def test_a_port_is_shared_only_among_our_own() -> None:
    with listen("127.0.0.1", 0, orphans=False) as first:
        port = first.getsockname()[1]

        with pytest.raises(OSError, match=f"127.0.0.1 port {port}: Address already in use"):
            listen("127.0.0.1", port, orphans=False)
        with listen("127.0.0.1", port, orphans=True) as second:
            assert second.getsockname() == first.getsockname()


def test_a_port_of_another_program_is_refused_even_to_orphans_heirs() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()

        with pytest.raises(OSError, match="Address already in use"):
            listen("127.0.0.1", other.getsockname()[1], orphans=True)
