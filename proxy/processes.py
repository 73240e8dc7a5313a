"""What the processes of one Sightglass share: how settings reach a child, and how it notices its parent's death.

    supervisor ──(memfd with settings, sockets, pipe of life)──▶ relay 0..N-1, observer

The supervisor imports this file, too: nothing heavy here. What a child does when its parent is gone: orphans.py.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import Final

import msgspec

from proxy.core.config import Config
from proxy.core.locks import is_held
from proxy.core.upstreams import ResolvedUpstream, from_processes, token_from_processes

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)

# To a relay whose place another has taken: serve what is there to its end, then go.
RETIRE: Final = signal.SIGUSR1


class ChildArguments(msgspec.Struct, frozen=True, kw_only=True):
    """What a child is told on its command line: numbers of inherited descriptors, no secrets."""

    settings_fd: int
    socket_fd: int
    life_fd: int  # end of file here: the supervisor is gone
    ready_fd: int  # one byte here: serving
    worker: int = 0
    adopted_fds: tuple[int, ...] = ()  # further listening sockets: of relays that are not wanted any more


def child_arguments() -> ChildArguments:
    """The arguments of this child process. Also gives the signals back that the supervisor holds blocked."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the supervisor says what follows
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    return msgspec.json.decode(sys.argv[1], type=ChildArguments)


def read_settings(settings_fd: int) -> tuple[Config, tuple[ResolvedUpstream, ...]]:
    """The settings as the supervisor handed them over."""
    return from_processes(read_handed(settings_fd))


def read_admin_token(settings_fd: int) -> str | None:
    """The console's admin token; None = nobody has one."""
    return token_from_processes(read_handed(settings_fd))


def read_handed(fd: int) -> bytes:
    """All bytes of a shared memory file, whose offset is nobody's."""
    return os.pread(fd, os.fstat(fd).st_size, 0)


def hand(content: bytes, name: str) -> int:
    """A memory file for children to read; never on disk."""
    fd = os.memfd_create(name)
    view = memoryview(content)
    while view:
        view = view[os.write(fd, view) :]
    return fd


def supervisor_lock(data: Path) -> Path:
    """The file that a living supervisor holds locked."""
    return data / "supervisor.lock"


def processes_lock(data: Path) -> Path:
    """The file that supervisors and their children hold locked together, from birth on."""
    return data / "processes.lock"


def holder(data: Path) -> int | None:
    """Process id of the supervisor that holds this data directory and has its ports open; None while nobody does."""
    try:
        said = supervisor_lock(data).read_text()
        return int(said) if said.strip().isdigit() and is_held(supervisor_lock(data)) else None
    except OSError:
        return None


def tell_ready(ready_fd: int) -> None:
    """Say that this child serves. Nobody listens any more when its supervisor was killed."""
    with contextlib.suppress(BrokenPipeError):
        os.write(ready_fd, b"1")
    os.close(ready_fd)
