"""Each output gets each line; one that is stuck or broken loses its own, counted, and holds nobody up."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from proxy.core.config import Log, LogFile, Syslog
from proxy.observe.log.line import Line
from proxy.observe.log.outputs import PACE, LogOutputs

LINE = Line(20, "2026-11-25T09:15:02.123456Z", "call", b'{"event":"call"}')


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            continue


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_lines_go_to_all(pipe: tuple[int, int], tmp_path: Path) -> None:
    outputs = LogOutputs(Log(file=LogFile(directory=str(tmp_path))), fd=pipe[1])
    outputs.put([LINE, LINE])
    outputs.put([replace(LINE, text=b'{"event":"trouble"}')], but="stdout")
    outputs.close()

    assert os.read(pipe[0], 1000) == b'{"event":"call"}\n' * 2
    assert (tmp_path / "sightglass-info.log").read_bytes() == b'{"event":"call"}\n' * 2 + b'{"event":"trouble"}\n'
    assert set(outputs.lost.values()) == {0}


def test_standard_output_can_be_left_out(pipe: tuple[int, int]) -> None:
    outputs = LogOutputs(Log(stdout=False), fd=pipe[1])
    outputs.put([LINE])
    outputs.close()
    os.close(pipe[1])

    assert os.read(pipe[0], 10) == b""


def test_a_closed_standard_output_loses_lines_and_no_more(pipe: tuple[int, int], tmp_path: Path) -> None:
    outputs = LogOutputs(Log(file=LogFile(directory=str(tmp_path))), fd=pipe[1])
    os.close(pipe[0])
    for _ in range(3):
        outputs.put([LINE])
    outputs.close()

    assert outputs.lost == {"stdout": 3, "file": 0, "syslog": 0, "otlp": 0}


def test_a_reader_that_stalls_costs_lines_and_no_time(pipe: tuple[int, int]) -> None:
    outputs = LogOutputs(Log(), fd=pipe[1])
    for _ in range(100):
        outputs.put([LINE] * 500)

    until(lambda: outputs.lost["stdout"] >= 50_000 - PACE.queue - 2 * PACE.batch - 65536 // len(LINE.text))
    os.close(pipe[0])
    outputs.close()


def test_a_way_that_cannot_be_had_is_that_outputs_loss(pipe: tuple[int, int], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings = Log(file=LogFile(directory=str(tmp_path / "file")), syslog=Syslog(address=f"unix:{tmp_path}/none"))
    outputs = LogOutputs(settings, fd=pipe[1])
    outputs.put([LINE])
    outputs.close()

    assert os.read(pipe[0], 1000) == b'{"event":"call"}\n'
    assert outputs.lost == {"stdout": 0, "file": 1, "syslog": 1, "otlp": 0}
