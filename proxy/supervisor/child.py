"""One process that is kept running: how it is started, when it serves, and how long its next start waits."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from typing import Final, NamedTuple

import msgspec

from proxy.processes import ChildArguments

# A child that lives shorter than this is in a crash loop; each further restart then waits twice as long.
SETTLED_S: Final = 5.0
OBSERVER: Final = "observer"  # its name; all others are relays
_BACKOFF_S: Final = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0)
# A start takes half a second; one that takes so long is told.
_LATE_S: Final = 30.0


class Death(NamedTuple):
    """How a child ended, and what follows."""

    how: str  # "signal 9" or "status 1"
    lived_s: float
    restart_in_s: float
    failures: int  # in a row, each within SETTLED_S; from the second on it is a crash loop


class Child:
    """A relay or the observer. All times are monotonic."""

    def __init__(self, name: str, module: str, *, sock: socket.socket, worker: int = 0) -> None:
        self.name, self.module, self.sock, self.worker = name, module, sock, worker
        self.address: tuple[str, int] = sock.getsockname()[:2]
        self.adopted: list[socket.socket] = []  # of relays that are not wanted any more
        self.settings_fd: int | None = None  # other settings than those of the start
        self.process: subprocess.Popen[bytes] | None = None
        self.serves = False  # it said so, and is still there
        self.ready_fd: int | None = None  # where it says so; None: it did, or is not there
        self.start_at: float | None = 0.0  # of the next start; None: not wanted
        self._late_at: float | None = None  # when its start is told to be late
        self._started = 0.0
        self._failures = 0

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self.process is not None and self.process.poll() is None

    @property
    def due_at(self) -> float | None:
        """When somebody has to look at it again without being called; None = never."""
        return self.start_at if self.start_at is not None else self._late_at

    def start(self, settings_fd: int, life_fd: int, kept_fd: int | None = None) -> None:
        """Begin its next life. `kept_fd`: stays open in it, for the lock that it holds.

        Raises OSError: no process or descriptor is to be had.
        """
        self.adopted = [sock for sock in self.adopted if sock.fileno() >= 0]
        settings_fd = self.settings_fd if self.settings_fd is not None else settings_fd
        kept = () if kept_fd is None else (kept_fd,)
        ready_read, ready_write = os.pipe()
        try:
            arguments = ChildArguments(
                settings_fd=settings_fd,
                socket_fd=self.sock.fileno(),
                life_fd=life_fd,
                ready_fd=ready_write,
                worker=self.worker,
                adopted_fds=tuple(sock.fileno() for sock in self.adopted),
            )
            self.process = subprocess.Popen(  # noqa: S603 - our own interpreter
                [sys.executable, "-P", "-m", self.module, msgspec.json.encode(arguments).decode()],
                stdin=subprocess.DEVNULL,
                pass_fds=(settings_fd, self.sock.fileno(), life_fd, ready_write, *kept, *arguments.adopted_fds),
            )
        except OSError:
            os.close(ready_read)
            raise
        finally:
            os.close(ready_write)
        self.ready_fd, self.start_at = ready_read, None
        self._started = time.monotonic()
        self._late_at = self._started + _LATE_S

    def hear(self) -> None:
        """Take what it said on its `ready_fd`, which is readable."""
        if self.ready_fd is not None:
            with contextlib.suppress(OSError):
                self.serves = os.read(self.ready_fd, 1) == b"1"
            self.stop_hearing()

    def take_death(self) -> Death | None:
        """Its death, once, if it died; the next start is set."""
        if self.process is None or self.process.poll() is None:
            return None
        status = self.process.returncode
        self.process = None
        self.serves = False
        self.stop_hearing()
        now = time.monotonic()
        lived_s = now - self._started
        self._failures = self._failures if lived_s < SETTLED_S else 0
        wait_s = _BACKOFF_S[min(self._failures, len(_BACKOFF_S) - 1)]
        self._failures += 1
        self.start_at = now + wait_s
        how = f"signal {-status}" if status < 0 else f"status {status}"
        return Death(how, round(lived_s, 1), wait_s, self._failures)

    def take_lateness(self) -> float | None:
        """How many seconds its start takes by now, once, if that is too long."""
        now = time.monotonic()
        if self._late_at is None or now < self._late_at:
            return None
        self._late_at = None
        return now - self._started

    def stop_hearing(self) -> None:
        """What it says is of no interest any more."""
        if self.ready_fd is not None:
            os.close(self.ready_fd)
        self.ready_fd = self._late_at = None
