"""Troubles of relays and supervisor reach the outputs; rubbish does not."""

from __future__ import annotations

import asyncio
from pathlib import Path

import orjson
import pytest

from proxy.control.troubles import NAME, TroubleSender
from proxy.core.config import Log, LogFile
from proxy.observe.guards import Guards
from proxy.observe.log.files import level_name
from proxy.observe.log.outputs import LogOutputs
from proxy.observe.log.received import Received, line_of

LINE = b'{"timestamp":"2026-11-25T00:00:00Z","level":"warning","logger":"sightglass.supervisor","event":"process_died"}'


async def test_lines_go_to_the_outputs(tmp_path: Path) -> None:
    outputs = LogOutputs(Log(stdout=False, file=LogFile(directory=str(tmp_path / "log"))))
    guards, loop = Guards(), asyncio.get_running_loop()
    received = Received(tmp_path, outputs, guards)
    received.start(loop)
    sender = TroubleSender(tmp_path)
    for line in (b"rubbish", b"[1]", LINE):
        sender.send(line)
    await asyncio.sleep(0.05)
    sender.send(LINE)
    sender.close()
    received.close(loop)
    outputs.close()

    written = (tmp_path / "log" / "sightglass-warning.log").read_bytes().splitlines()
    assert [orjson.loads(line)["event"] for line in written] == ["process_died"] * 2
    assert not any(guards.errors.values())


@pytest.mark.parametrize(
    "sent",
    [
        *(b"", b"{}", b'{"level":1,"timestamp":"","event":""}', b"\xff", LINE[:-1], b"[" * 9000),
        *(LINE.replace(b"died", b"\xff"), LINE.replace(b",", b",\n"), LINE.replace(b",", b",\r")),
    ],
)
def test_what_is_no_line_is_none(sent: bytes) -> None:
    assert line_of(sent) is None


def test_a_line_cannot_break_the_log() -> None:
    line = line_of(LINE[:-1] + ',"error":"a\u2028b"}'.encode())

    assert line is not None
    assert b"\\u2028" in line.text


def test_a_fault_of_a_library_s_is_an_error() -> None:
    line = line_of(LINE.replace(b"warning", b"critical"))

    assert line is not None
    assert level_name(line.level) == "error"


async def test_a_way_in_that_was_not_to_be_had_is_tried_again(tmp_path: Path) -> None:
    data, guards, loop = tmp_path / "none", Guards(), asyncio.get_running_loop()
    received = Received(data, LogOutputs(Log(stdout=False)), guards, look_s=0.01)
    received.start(loop)
    await asyncio.sleep(0.1)

    assert guards.errors["log"] == 1
    data.mkdir()
    async with asyncio.timeout(30):
        while not (data / NAME).exists():
            await asyncio.sleep(0.01)
    received.close(loop)


async def test_a_name_that_was_deleted_is_there_again(tmp_path: Path) -> None:
    outputs = LogOutputs(Log(stdout=False, file=LogFile(directory=str(tmp_path / "log"))))
    loop, sender = asyncio.get_running_loop(), TroubleSender(tmp_path, retry_s=0.0)
    received = Received(tmp_path, outputs, Guards(), look_s=0.01)
    received.start(loop)
    (tmp_path / NAME).unlink()
    sender.send(LINE)
    async with asyncio.timeout(30):
        while not (tmp_path / NAME).exists():
            await asyncio.sleep(0.01)
    sender.send(LINE)
    received.close(loop)
    outputs.close()
    sender.close()

    assert (tmp_path / "log" / "sightglass-warning.log").read_bytes().count(b"process_died") == 2
