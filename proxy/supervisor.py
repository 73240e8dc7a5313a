"""The parent process: binds the ports, starts relays and observer, restarts what dies, drains on SIGTERM.

Knows nothing of HTTP or SQL and imports as little as it can: it must outlive the others. It keeps the listening
sockets open, so connections that come while a relay is restarted wait instead of being refused.

    launch()  in the command line's process: hand over the settings, become the supervisor (same pid, less memory)
    main()    the supervisor itself: `python -m proxy.supervisor`
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Final, NoReturn

import msgspec
from setproctitle import setproctitle

from proxy.core.config import Config
from proxy.core.upstreams import ResolvedUpstream, from_processes, to_processes
from proxy.journal.segments import journal_directory, writer_directories, writer_lives
from proxy.processes import SIGNALS, ChildArguments, hand, is_held, read_handed, supervisor_lock

# A child that lives shorter than this is in a crash loop; each further restart then waits twice as long.
_SETTLED_S: Final = 5.0
_BACKOFF_S: Final = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0)
# The observer's time to read the rest of the journal once the relays are gone.
_OBSERVER_S: Final = 15.0
_PR_SET_PDEATHSIG: Final = 1
# A lock that is held for longer than this is held by a living supervisor.
_LOCK_S: Final = 0.5


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    """What launch() hands to main() beside the settings."""

    settings: msgspec.Raw
    banner: str = ""  # printed to standard error once everything serves
    stand_in: tuple[str, ...] = ()  # command of the stand-in model, if one is to run beside us


class Child:
    """One process that is kept running."""

    def __init__(self, name: str, module: str, *, sock: socket.socket, worker: int = 0) -> None:
        self.name, self.module, self.sock, self.worker = name, module, sock, worker
        self.process: subprocess.Popen[bytes] | None = None
        self.started = 0.0
        self.restarts = 0
        self.failures = 0  # in a row, each within _SETTLED_S
        self.start_at: float | None = 0.0  # monotonic time of the next start; None: not wanted

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self.process is not None and self.process.poll() is None


def launch(
    config: Config,
    upstreams: tuple[ResolvedUpstream, ...],
    *,
    banner: str = "",
    stand_in: tuple[str, ...] = (),
) -> NoReturn:
    """Become the supervisor. Does not return: the command line's memory is given up for a fresh interpreter's."""
    orders = Orders(settings=msgspec.Raw(to_processes(config, upstreams)), banner=banner, stand_in=stand_in)
    fd = hand(msgspec.json.encode(orders), "sightglass-orders")
    os.set_inheritable(fd, True)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-P", "-m", "proxy.supervisor", str(fd)])  # noqa: S606 - our own interpreter


class Supervisor:
    """Holds the children."""

    def __init__(self, config: Config, orders: Orders) -> None:
        self._config, self._orders = config, orders
        self._settings_fd = hand(bytes(orders.settings), "sightglass-settings")
        self._life_read, self._life_write = os.pipe()  # the write end is ours alone: our death is its end of file
        self._children: list[Child] = []
        self._stand_in: subprocess.Popen[bytes] | None = None

    def run(self) -> int:
        """Until told to stop. Gives the exit status."""
        config = self._config
        data = Path(config.data)
        # Relays or the observer of a supervisor that was killed: they leave now that the data directory is ours.
        orphans = is_held(data / "observer.lock") or any(
            writer_lives(path) for path in writer_directories(journal_directory(data))
        )
        port = config.port
        for worker in range(config.workers):
            sock = listen(config.host, port, orphans=orphans or worker > 0)
            port = sock.getsockname()[1]
            self._children.append(Child(f"relay {worker}", "proxy.relay_app", sock=sock, worker=worker))
        console = listen(config.console_host, config.console_port, orphans=orphans)
        self._children.append(Child("observer", "proxy.observer_app", sock=console))
        if self._orders.stand_in:
            self._stand_in = subprocess.Popen(  # noqa: S603 - our own command
                self._orders.stand_in, stdout=subprocess.DEVNULL, preexec_fn=_die_with_parent
            )
        ready = [self._start(child) for child in self._children]
        if self._wait_ready(ready) and self._orders.banner:
            relay, board = (_url(child.sock) for child in (self._children[0], self._children[-1]))
            print(
                self._orders.banner.replace("{relay}", relay).replace("{console}", board), file=sys.stderr, flush=True
            )
        return self._watch()

    def _start(self, child: Child) -> int:
        """Start a child; gives the descriptor on which it says that it serves."""
        ready_read, ready_write = os.pipe()
        arguments = ChildArguments(
            settings_fd=self._settings_fd,
            socket_fd=child.sock.fileno(),
            life_fd=self._life_read,
            ready_fd=ready_write,
            worker=child.worker,
        )
        child.process = subprocess.Popen(  # noqa: S603 - our own interpreter
            [sys.executable, "-P", "-m", child.module, msgspec.json.encode(arguments).decode()],
            stdin=subprocess.DEVNULL,
            pass_fds=(self._settings_fd, child.sock.fileno(), self._life_read, ready_write),
        )
        os.close(ready_write)
        child.started = time.monotonic()
        child.start_at = None
        return ready_read

    def _wait_ready(self, ready: list[int]) -> bool:
        """Wait until every child serves or one of them died. False: one did."""
        for fd in ready:
            served = bool(select.select([fd], [], [], 30)[0]) and os.read(fd, 1) == b"1"
            os.close(fd)
            if not served:
                return False
        return True

    def _watch(self) -> int:
        """Restart what dies, until a signal says stop."""
        while True:
            waits = [child.start_at for child in self._children if child.start_at is not None]
            timeout = max(min(waits) - time.monotonic(), 0.0) if waits else 60.0
            caught = signal.sigtimedwait(SIGNALS, timeout)
            if caught is not None and caught.si_signo in (signal.SIGTERM, signal.SIGINT):
                return self._stop()
            for child in self._children:
                if child.process is not None and child.process.poll() is not None:
                    self._note_death(child)
                if child.start_at is not None and time.monotonic() >= child.start_at:
                    self._start_again(child)

    def _start_again(self, child: Child) -> None:
        """No process or descriptor to be had just now is no reason to go, but to try again."""
        try:
            os.close(self._start(child))
        except OSError as error:
            child.start_at = time.monotonic() + 1.0
            say("error", "process_not_started", process=child.name, error=error.strerror)

    def _note_death(self, child: Child) -> None:
        assert child.process is not None
        status = child.process.returncode
        child.process = None
        child.restarts += 1
        lived = time.monotonic() - child.started
        child.failures = child.failures if lived < _SETTLED_S else 0
        wait_s = _BACKOFF_S[min(child.failures, len(_BACKOFF_S) - 1)]
        child.failures += 1
        child.start_at = time.monotonic() + wait_s
        how = f"signal {-status}" if status < 0 else f"status {status}"
        say("warning", "process_died", process=child.name, how=how, lived_s=round(lived, 1), restart_in_s=wait_s)

    def _stop(self) -> int:
        """Relays finish their calls, then the observer reads what they wrote. A second signal ends at once."""
        relays, observer = self._children[:-1], self._children[-1:]
        for child in self._children:
            child.sock.close()  # new connections are refused from now on
        done = self._end(relays, self._config.drain_s + 5.0) and self._end(observer, _OBSERVER_S)
        for child in self._children:
            if child.running and child.process is not None:
                child.process.kill()
        if self._stand_in is not None:
            self._stand_in.kill()
        return 0 if done else 1

    def _end(self, children: list[Child], patience_s: float) -> bool:
        """Ask to leave and wait. False: it took too long, or a second signal came."""
        for child in children:
            if child.running and child.process is not None:
                child.process.terminate()
        deadline = time.monotonic() + patience_s
        while any(child.running for child in children):
            caught = signal.sigtimedwait(SIGNALS, max(deadline - time.monotonic(), 0.0))
            if caught is None or caught.si_signo in (signal.SIGTERM, signal.SIGINT):
                return False
        return True


def listen(host: str, port: int, *, orphans: bool) -> socket.socket:
    """A listening socket that shares its port. `orphans`: others of ours may hold it already; else nobody may.

    Raises OSError: the port is taken, or the address is not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        if not orphans and port:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host, port))
        sock.bind((host, port))
        sock.listen(4096)
    except OSError as error:
        sock.close()
        raise OSError(error.errno, f"{host} port {port}: {error.strerror}") from None
    sock.setblocking(False)
    return sock


def _url(sock: socket.socket) -> str:
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
    os.ftruncate(lock, 0)
    os.write(lock, f"{os.getpid()}\n".encode())
    return lock


def say(level: str, event: str, **fields: object) -> None:
    """One JSON line on standard error."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    line = {"timestamp": now, "level": level, "logger": "sightglass.supervisor", "event": event, **fields}
    with contextlib.suppress(OSError):  # whoever read it may be gone; we must outlive that
        os.write(2, msgspec.json.encode(line) + b"\n")


def _die_with_parent() -> None:
    """In the child, before exec: the kernel kills it when we die (prctl(2))."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> NoReturn:
    """Entry point of the process."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored by who started us, deaths would not be told
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    setproctitle("sightglass: supervisor")
    fd = int(sys.argv[1])
    orders = msgspec.json.decode(read_handed(fd), type=Orders)
    os.close(fd)
    config, _upstreams = from_processes(bytes(orders.settings))
    os.umask(0o077)
    data = Path(config.data)
    try:
        lock = take_data_directory(data)
    except BlockingIOError:
        holder = supervisor_lock(data).read_text().strip()
        sys.exit(f"sightglass: {data} is in use by process {holder}; stop that one or choose another --data")
    except OSError as error:
        sys.exit(f"sightglass: {data} cannot be used as data directory: {error.strerror}; choose another --data")
    try:
        status = Supervisor(config, orders).run()
    except OSError as error:
        sys.exit(f"sightglass: cannot listen on {error.strerror}; choose another port, or stop what has it")
    os.close(lock)
    sys.exit(status)


if __name__ == "__main__":
    main()
