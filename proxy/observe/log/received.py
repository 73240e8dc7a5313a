"""Troubles of other processes as lines of the log, on their way to the outputs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Final

import msgspec

from proxy.control.troubles import TroubleInbox
from proxy.core.logs import LEVELS, escaped
from proxy.observe.guards import Guards
from proxy.observe.log.line import Line
from proxy.observe.log.outputs import LogOutputs

_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode


def line_of(sent: bytes) -> Line | None:
    """What relay or supervisor sent; None = it is no line of theirs."""
    sent = sent.strip()
    try:
        said = _decode(sent)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if b"\n" in sent or b"\r" in sent:  # between its parts, where JSON allows it: in the log it would be two lines
        return None
    level, timestamp, event = (said.get(name) for name in ("level", "timestamp", "event"))
    if not isinstance(level, str) or not isinstance(timestamp, str) or not isinstance(event, str):
        return None
    number = LEVELS.get(level)
    return None if number is None else Line(number, timestamp, event, escaped(sent))


class Received:
    """Hands the lines on. Standard output is for calls: there they do not go."""

    def __init__(self, data: Path, outputs: LogOutputs, guards: Guards) -> None:
        """Without a way in they stay where they are anyway, on standard error; that is counted once."""
        self._outputs, self._guards = outputs, guards
        self._inbox: TroubleInbox | None = None
        try:
            self._inbox = TroubleInbox(data)
        except OSError as error:
            guards.note("log", error)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """From now on, as they come."""
        if self._inbox is not None:
            loop.add_reader(self._inbox.sock, self.take)

    def take(self) -> None:
        """What is there now."""
        if self._inbox is None:
            return
        try:
            lines = [line for line in map(line_of, self._inbox.lines()) if line is not None]
            self._outputs.put(lines, but="stdout")
        except Exception as error:
            self._guards.note("log", error)

    def close(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take what is there, and no more."""
        if self._inbox is not None:
            loop.remove_reader(self._inbox.sock)
            self.take()
            self._inbox.close()
            self._inbox = None
