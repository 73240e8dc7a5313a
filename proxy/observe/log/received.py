"""Troubles of other processes as lines of the log, on their way to the outputs."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any, Final

import msgspec

from proxy.control.troubles import TroubleInbox
from proxy.core.logs import LEVELS, escaped
from proxy.observe.guards import Guards
from proxy.observe.log.line import Line
from proxy.observe.log.outputs import LogOutputs

_LEVELS: Final = LEVELS | {"critical": logging.CRITICAL}  # which no setting names, and no code of ours; libraries may

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
    number = _LEVELS.get(level)
    return None if number is None else Line(number, timestamp, event, escaped(sent))


class Received:
    """Hands the lines on. Standard output is for calls: there they do not go."""

    def __init__(self, data: Path, outputs: LogOutputs, guards: Guards, *, look_s: float = 5.0) -> None:
        """look_s: how often it is seen to that there is a way in: its name may be deleted, or have had no room."""
        self._data, self._outputs, self._guards = data, outputs, guards
        self._look_s = look_s
        self._inbox: TroubleInbox | None = None
        self._shut = False  # it is known that there is no way in
        self._next: asyncio.TimerHandle | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """From now on, as they come. Without a way in they are where they are anyway, on standard error."""
        if self._inbox is None or not self._inbox.is_named:
            self._open(loop)
        self._next = loop.call_later(self._look_s, self.start, loop)

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
        if self._next is not None:
            self._next.cancel()
        self._let_go(loop)

    def _open(self, loop: asyncio.AbstractEventLoop) -> None:
        """A new way in; where there is none to be had, that is counted once."""
        self._let_go(loop)
        try:
            self._inbox = TroubleInbox(self._data)
        except OSError as error:
            if not self._shut:
                self._guards.note("log", error)
            self._shut = True
            return
        self._shut = False
        loop.add_reader(self._inbox.sock, self.take)

    def _let_go(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._inbox is None:
            return
        loop.remove_reader(self._inbox.sock)
        self.take()
        self._inbox.close()
        self._inbox = None
