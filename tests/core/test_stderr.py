"""Standard error that nobody reads must not hold its writer up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.core.stderr import PatientStderr


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    read, write = os.pipe()
    yield read, write
    for fd in (read, write):
        os.close(fd)


def fill(stderr: PatientStderr) -> int:
    """Lines written until one was dropped, that one included."""
    lines = 0
    while not stderr.dropped:
        lines += 1
        stderr.write(b"x" * 999 + b"\n")
    return lines


def test_what_fits_is_written(pipe: tuple[int, int]) -> None:
    stderr = PatientStderr(pipe[1])

    assert stderr.write(b"a line\n") == 7

    assert os.read(pipe[0], 100) == b"a line\n"
    assert stderr.dropped == 0


def test_a_full_pipe_drops_lines_and_tells_how_many_once_there_is_room(pipe: tuple[int, int]) -> None:
    stderr = PatientStderr(pipe[1])
    fill(stderr)
    for _ in range(9):
        stderr.write(b"x" * 999 + b"\n")
    os.read(pipe[0], 1 << 20)

    stderr.write(b"after\n")

    told, after = os.read(pipe[0], 1 << 20).splitlines()
    assert json.loads(told) == {"level": "warning", "event": "log_lines_dropped", "lines": 10}
    assert after == b"after"


def test_a_line_cut_off_by_a_full_pipe_does_not_spoil_the_next_one(pipe: tuple[int, int]) -> None:
    stderr = PatientStderr(pipe[1])
    stderr.write(b"y" * (1 << 20) + b"\n")
    os.read(pipe[0], 1 << 20)

    stderr.write(b"after\n")

    assert os.read(pipe[0], 1 << 20).endswith(b'"lines":1}\nafter\n')


def test_nobody_reading_any_more_is_no_error(pipe: tuple[int, int]) -> None:
    stderr = PatientStderr(pipe[1])
    gone = os.dup(pipe[0])
    os.close(gone)
    stderr.write(b"a")

    closed = PatientStderr(10**6)
    closed.write(b"b\n")

    assert closed.dropped == 1


def test_a_file_is_shared_with_others_who_write_there(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as file:
        os.write(file.fileno(), b"before\n")

        PatientStderr(file.fileno()).write(b"ours\n")
        os.write(file.fileno(), b"after\n")

    assert (tmp_path / "log").read_bytes() == b"before\nours\nafter\n"


LOGGER = """
import logging
from proxy.core.logs import log_to_stderr
log_to_stderr()
for number in range(5000):
    logging.getLogger("x").warning("much", extra={"number": number})
print("done", flush=True)
"""


def test_a_process_whose_log_nobody_reads_goes_on() -> None:
    with subprocess.Popen([sys.executable, "-c", LOGGER], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"done\n"
        assert process.wait(10) == 0
