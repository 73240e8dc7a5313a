"""Listening sockets that several processes share, and the data directory that only one supervisor has."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import time
from pathlib import Path
from typing import Final

from proxy.processes import processes_lock, supervisor_lock

BACKLOG: Final = 4096
# A lock that is held for longer than this is held by a living supervisor.
_LOCK_S: Final = 0.5
# The kernel closes the sockets of a killed process when it gets to it (those of an io_uring later still).
_LINGER_S: Final = 1.0


def listen(host: str, port: int, *, orphans: bool) -> socket.socket:
    """A listening socket that shares its port. `orphans`: others of ours may hold it already; else nobody may.

    Raises OSError: the port is taken, or the address is not ours.
    """
    deadline = time.monotonic() + _LINGER_S
    while True:
        try:
            sock = bind(host, port, alone=not orphans)
            break
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() >= deadline:
                raise
            time.sleep(0.02)
    sock.listen(BACKLOG)
    return sock


def bind(host: str, port: int, *, alone: bool = False) -> socket.socket:
    """A socket of that address that shares its port and gets no connections before it listens. Raises OSError.

    alone: refuse a port that others have, ours or not.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        if alone and port:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host, port))
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise OSError(error.errno, f"{host} port {port}: {error.strerror}") from None
    sock.setblocking(False)
    return sock


def url(sock: socket.socket) -> str:
    """Where the socket is reached."""
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def take_data_directory(data: Path) -> int:
    """Make the data directory and lock it. Gives the descriptor that holds the lock; raises BlockingIOError."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(supervisor_lock(data), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + _LOCK_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            # Orphans of a killed supervisor look for us by taking the lock shared, for a moment each.
            if time.monotonic() >= deadline:
                os.close(lock)
                raise
            time.sleep(0.01)
    return lock


def join_processes(data: Path) -> tuple[int, bool]:
    """Gives a descriptor that holds a lock while we or a child that inherits it lives, and whether others live already.

    These are children of a killed supervisor, perhaps so young that they opened nothing themselves. Only for who has
    the data directory.
    """
    lock = os.open(processes_lock(data), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    others = False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        others = True
    fcntl.flock(lock, fcntl.LOCK_SH)  # waits for nobody: it is held shared only
    return lock, others


def sign(lock: int) -> None:
    """Say in the locked file who holds it: orphans leave when they see that, so our ports must be open by then."""
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
