"""The supervisor's one loop: signals, what children say, and restarts that are due.

start ──▶ wait (signals, children that say "I serve", the next restart) ──▶ restart what died ──▶ wait ...
            │ SIGTERM, SIGINT: at any moment, also before anything serves
            ▼
          relays finish their calls, then the observer reads what they wrote; a second signal ends at once

The listening sockets stay open here, so connections that come while a relay is restarted wait instead of being
refused. Only a relay that dies again and again gives its place in the port up to the others, until it serves.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import msgspec

from proxy.control.troubles import TroubleSender
from proxy.core.config import Config
from proxy.processes import SIGNALS, hand
from proxy.supervisor.child import OBSERVER, Child, Death
from proxy.supervisor.launching import Orders
from proxy.supervisor.listening import bind, join_processes, listen, url
from proxy.supervisor.notifying import Notifier
from proxy.supervisor.renewal import Renewal
from proxy.supervisor.signals import open_signals, take_signals

# The observer's time to read the rest of the journal once the relays are gone.
_OBSERVER_S: Final = 15.0
_RETRY_S: Final = 1.0
_LONGEST_WAIT_S: Final = 60.0
_PR_SET_PDEATHSIG: Final = 1
_ENDING: Final = {signal.SIGTERM, signal.SIGINT}


class Supervisor:
    """Holds the children: relays first, the observer last."""

    def __init__(self, config: Config, orders: Orders) -> None:
        self._config, self._orders = config, orders
        self._settings_fd = hand(bytes(orders.settings), "sightglass-settings")
        self._life_read, self._life_write = os.pipe()  # the write end is ours alone: our death is its end of file
        self._joined: int | None = None  # held by us and all children: that some of us live
        self._signals = open_signals()
        self._children: list[Child] = []
        self._stand_in: subprocess.Popen[bytes] | None = None
        self._greeted = False
        self._manager = Notifier()
        self._renewal: Renewal | None = None
        self._troubles = TroubleSender(Path(config.data), retry_s=0.0)

    def open_ports(self) -> None:
        """Before run(). Raises OSError: an address cannot be had."""
        config, data = self._config, Path(self._config.data)
        # Relays or the observer of a supervisor that was killed: they leave now that the data directory is ours.
        self._joined, orphans = join_processes(data)
        port = config.port
        for worker in range(config.workers):
            sock = listen(config.host, port, orphans=orphans or worker > 0)
            port = sock.getsockname()[1]
            self._children.append(Child(f"relay {worker}", "proxy.relay_app", sock=sock, worker=worker))
        console = listen(config.console_host, config.console_port, orphans=orphans)
        self._children.append(Child(OBSERVER, "proxy.observer_app", sock=console))

    def run(self) -> int:
        """Until told to stop. Gives the exit status."""
        if self._orders.stand_in:
            self._stand_in = subprocess.Popen(  # noqa: S603 - our own command
                self._orders.stand_in, stdout=subprocess.DEVNULL, preexec_fn=_die_with_parent
            )
        self._renewal = renewal = Renewal(self._config, self._orders, self._children, self._start, self._say)
        while True:
            for child in self._children:
                self._look_after(child)
            self._greet()
            renewal.turn()
            self._troubles.flush()
            came = self._wait(self._next_due())
            if _ENDING & came:
                renewal.stop()
                return self._stop(renewal)
            if signal.SIGHUP in came:
                renewal.ask()
                renewal.turn()

    def _look_after(self, child: Child) -> None:
        """Note its death, start it when that is due."""
        death = child.take_death()
        if death is not None:
            self._tell_death(child, death)
            if death.restart_in_s and any(other.serves for other in self._children[:-1] if other is not child):
                for sock in (child.sock, *child.adopted):
                    sock.close()  # the kernel would go on giving it its share of connections, to wait for nobody
        if child.start_at is not None and time.monotonic() >= child.start_at:
            self._start(child)
        late_s = child.take_lateness()
        if late_s is not None:
            self._say("warning", "process_not_ready", process=child.name, after_s=round(late_s))

    def _start(self, child: Child) -> None:
        """No process or descriptor to be had just now is no reason to go, but to try again."""
        try:
            if child.sock.fileno() < 0:
                child.sock = bind(*child.address)  # no connection comes before it serves: then it listens
            child.start(self._settings_fd, self._life_read, self._joined)
        except OSError as error:
            child.start_at = time.monotonic() + _RETRY_S
            self._say("error", "process_not_started", process=child.name, error=error.strerror)

    def _tell_death(self, child: Child, death: Death) -> None:
        fields = {"process": child.name, "how": death.how, "lived_s": death.lived_s}
        self._say("warning", "process_died", **fields, restart_in_s=death.restart_in_s)
        if death.failures > 1:
            again = f"died {death.failures} times in a row soon after its start; restarts wait longer and longer"
            self._say("error", "crash_loop", process=child.name, error=again)

    def _greet(self) -> None:
        """Once, as soon as everything serves."""
        if self._greeted or not all(child.serves for child in self._children):
            return
        self._greeted = True
        self._manager.tell("READY=1")
        if not self._orders.banner:
            return
        relay, board = url(self._children[0].sock), url(self._children[-1].sock)
        print(self._orders.banner.replace("{relay}", relay).replace("{console}", board), file=sys.stderr, flush=True)

    def _next_due(self) -> float:
        dues = [child.due_at for child in self._children]
        dues.append(self._renewal.due_at if self._renewal is not None else None)
        return min([time.monotonic() + _LONGEST_WAIT_S, *(due for due in dues if due is not None)])

    def _wait(self, until: float) -> set[int]:
        """Until a signal, a child's word or that monotonic time. Gives the signals that came."""
        poll = select.poll()
        poll.register(self._signals, select.POLLIN)
        children = [*self._children, *(self._renewal.processes if self._renewal is not None else ())]
        for child in children:
            if child.ready_fd is not None:
                poll.register(child.ready_fd, select.POLLIN)
        # Rounded up: a millisecond early would be a turn for nothing.
        readable = {fd for fd, _ in poll.poll(max(until - time.monotonic(), 0.0) * 1000 + 1)}
        for child in children:
            if child.ready_fd in readable:
                child.hear()
        if self._stand_in is not None:
            self._stand_in.poll()  # no zombie of it
        return take_signals(self._signals) if self._signals in readable else set()

    def _stop(self, renewal: Renewal) -> int:
        """Relays finish their calls, then the observer reads what they wrote. A second signal ends at once."""
        self._manager.tell("STOPPING=1")
        everyone = [*self._children, *renewal.processes]
        relays = [child for child in everyone if child.name != OBSERVER]
        observers = [child for child in everyone if child.name == OBSERVER]
        for child in everyone:
            for sock in (child.sock, *child.adopted):
                sock.close()  # new connections are refused from now on
        done = self._end(relays, renewal.config.drain_s + 5.0) and self._end(observers, _OBSERVER_S)
        for child in everyone:
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
            if _ENDING & self._wait(deadline) or time.monotonic() >= deadline:
                return False
        return True

    def _say(self, level: str, event: str, **fields: object) -> None:
        self._troubles.send(say(level, event, **fields))


def say(level: str, event: str, **fields: object) -> bytes:
    """One JSON line on standard error. Gives it."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    line = {"timestamp": now, "level": level, "logger": "sightglass.supervisor", "event": event, **fields}
    encoded = msgspec.json.encode(line)
    with contextlib.suppress(OSError):  # whoever read it may be gone; we must outlive that
        print(encoded.decode(), file=sys.stderr, flush=True)
    return encoded


def _die_with_parent() -> None:
    """In the child, before exec: the kernel kills it when we die (prctl(2))."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
