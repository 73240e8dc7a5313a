"""Sick disks: os.writev as the journal sees it, refusing, tearing or stalling as told."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Sequence

import pytest

from proxy.journal import appending


class Disk:
    """Stands before os.writev. All of its faults hold until they are taken back."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.errno = 0  # refuse with this
        self.room: int | None = None  # bytes that still fit; then short writes, then ENOSPC
        self.delay_s = 0.0
        self.held: threading.Event | None = None  # writes wait until it is set
        self.threads: list[str] = []  # who wrote
        self._writev = os.writev
        monkeypatch.setattr(appending.os, "writev", self.writev)

    def writev(self, file: int, buffers: Sequence[bytes]) -> int:
        self.threads.append(threading.current_thread().name)
        if self.held is not None:
            self.held.wait(5)
        if self.delay_s:
            time.sleep(self.delay_s)
        if self.errno:
            raise OSError(self.errno, os.strerror(self.errno))
        content = b"".join(buffers)
        if self.room is not None:
            if not self.room:
                raise OSError(errno.ENOSPC, "full")
            content = content[: self.room]
            self.room -= len(content)
        return self._writev(file, [content])
