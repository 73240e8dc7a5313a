"""Sends a recorded answer again: its very bytes, head included, with the pauses and the end that it had."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import msgspec

from proxy.standin import faults

if TYPE_CHECKING:
    from proxy.standin.call import Call

_NAME = re.compile(r"^[\w.-]+/[\w.-]+$")
# The server was killed so long after the request (the recordings' README); where no byte came, only this tells when.
KILLED_AFTER_S = 0.3


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """One recorded exchange. `reads` are (seconds since the request was sent, bytes), in order."""

    name: str
    request: bytes
    response: bytes
    reads: tuple[tuple[float, int], ...]
    end: str  # "complete, connection kept" | "closed by server" | "client left"


class _Story(msgspec.Struct):
    end: str
    reads_ms_bytes: list[tuple[float, int]]


def load(folder: Path, name: str) -> Recording:
    """The recording FOLDER/NAME below `folder`. Raises ValueError if there is none."""
    if not _NAME.match(name) or ".." in name:
        raise ValueError(f"no recording {name!r}: give FOLDER/NAME")
    try:
        story = msgspec.json.decode((folder / f"{name}.json").read_bytes(), type=_Story)
        return Recording(
            name=name,
            request=(folder / f"{name}.request").read_bytes(),
            response=(folder / f"{name}.response").read_bytes(),
            reads=tuple((ms / 1000, size) for ms, size in story.reads_ms_bytes),
            end=story.end,
        )
    except OSError:
        raise ValueError(f"no recording {name!r} in {folder}") from None


def names(folder: Path) -> list[str]:
    """All recordings below `folder`, as FOLDER/NAME."""
    return sorted(f"{path.parent.name}/{path.stem}" for path in folder.glob("*/*.response"))


async def replay(call: Call, recording: Recording) -> None:
    """Send `recording` with its timing at the call's speed, and end as it ended."""
    connection, speed = call.connection, call.settings.speed
    if not call.request.field(b"expect"):  # else the recording itself says 100 Continue first
        await call.request.drop_body()
    call.phase = "replay"
    began = asyncio.get_running_loop().time()
    at = 0
    for seconds, size in recording.reads:
        await _until(began, seconds, speed)
        connection.send(recording.response[at : at + size])
        at += size
        await connection.writable()
    if recording.end.startswith("complete"):
        await call.request.drop_body()
        call.answer.status = _status(recording.response)
        call.answer.finished = True
        return
    await _broken_end(call, recording, began)


async def _until(began: float, seconds: float, speed: float) -> None:
    if speed > 0:
        await asyncio.sleep(max(0.0, began + seconds / speed - asyncio.get_running_loop().time()))


async def _broken_end(call: Call, recording: Recording, began: float) -> NoReturn:
    if recording.end == "closed by server":
        await _until(began, KILLED_AFTER_S, call.settings.speed)
        call.connection.close()
        raise faults.BrokenError
    await faults.wait_for_leaving()


def _status(response: bytes) -> int:
    """The status of the last head: a 100 may come before it."""
    heads = re.findall(rb"(?:^|\r\n\r\n)HTTP/1\.[01] (\d{3})", response)
    return int(heads[-1]) if heads else 0
