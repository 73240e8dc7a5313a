"""A reload: new settings first, then one process after the other gives its place to a new one.

SIGHUP ──▶ read anew ──▶ for each place: start the new one ──▶ it serves ──▶ the old one retires ──▶ next place ...
              │ mistakes: all are said          │ it does not come up: said, and nothing more is changed
              ▼                                 ▼
            nothing changes                   the old ones go on

Old and new share the listening socket, so no connection is refused; an old relay stays until its last call has ended.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from proxy.core.config import Config
from proxy.core.upstreams import from_processes
from proxy.processes import RETIRE, hand
from proxy.supervisor.child import OBSERVER, Child
from proxy.supervisor.launching import Orders
from proxy.supervisor.listening import bind
from proxy.supervisor.rereading import Found, Rereading

OUTCOME: Final = "reload.json"
# What the sockets and locks were opened by; only a restart opens others.
FIXED: Final = ("host", "port", "console_host", "console_port", "data")
# Retired relays whose calls still run. Past this many the oldest have to finish within drain_s.
_MOST_RETIRED: Final = 16
_OBSERVER_S: Final = 15.0  # an old observer's time to finish; then it is killed, and the new one reads on from there
_LOOK_S: Final = 0.5

Say = Callable[..., None]


class Leaving:
    """An old process on its way out."""

    def __init__(self, child: Child, until: float | None) -> None:
        self.child = child
        self.until = until  # when it is killed; None = when it likes


class Renewal:
    """All reloads of one supervisor, one at a time. Changes the list of children in place."""

    def __init__(
        self, config: Config, orders: Orders, children: list[Child], start: Callable[[Child], None], say: Say
    ) -> None:
        self.config = config  # in force
        self._orders, self._children, self._start, self._say = orders, children, start, say
        self._asked = False
        self._reading: Rereading | None = None
        self._found: Found | None = None
        self._wanted = config
        self._settings_fd = -1
        self._settings_fds: set[int] = set()  # of reloads, this one's and those that some child was started with
        self._places: list[Child] = []  # old ones whose turn is still to come
        self._old: Child | None = None  # whose place is being renewed; None: it is a new place
        self.coming: Child | None = None
        self._surplus: list[Child] = []
        self._leaving: list[Leaving] = []

    @property
    def processes(self) -> list[Child]:
        """Those beside the children: coming and leaving."""
        return [*([self.coming] if self.coming else []), *(each.child for each in self._leaving)]

    @property
    def due_at(self) -> float | None:
        """When to look again without being called; None = never."""
        busy = self.coming is not None or self._leaving or self._reading is not None
        return time.monotonic() + _LOOK_S if busy else None

    def ask(self) -> None:
        """SIGHUP came. During a reload: once more behind it."""
        self._asked = True

    def turn(self) -> None:
        """Whatever can be done now. Never raises."""
        self._see_off()
        try:
            if self._reading is not None:
                self._take_settings(self._reading)
            elif self.coming is not None:
                self._take_over(self.coming)
            elif self._asked:
                self._asked = False
                self._begin()
        except OSError as error:
            self._fail(f"no process or descriptor is to be had: {error.strerror}")

    def stop(self) -> None:
        """The supervisor ends: so does every reload."""
        self._asked = False
        if self._reading is not None:
            self._reading.end()
            self._reading = None

    # -- settings --

    def _begin(self) -> None:
        self._say("info", "reload_began")
        if self._orders.options is None:  # with a stand-in beside us: what we were started with
            self._apply(self.config, bytes(self._orders.settings))
        else:
            self._reading = Rereading(self._orders.options, self._orders.environ)

    def _take_settings(self, reading: Rereading) -> None:
        found = reading.take()
        if found is None:
            return
        self._reading = None
        if found.mistakes:
            self._refuse(found.mistakes)
            return
        config, _ = from_processes(bytes(found.settings))
        fixed = [
            f"{name}: expected {getattr(self.config, name)!r}, as long as this Sightglass runs, came"
            f" {getattr(config, name)!r}: that needs a restart"
            for name in FIXED
            if getattr(config, name) != getattr(self.config, name)
        ]
        if fixed:
            self._refuse(tuple(fixed))
        else:
            self._apply(config, bytes(found.settings))

    def _refuse(self, mistakes: tuple[str, ...]) -> None:
        self._say("error", "reload_refused", mistakes=list(mistakes))
        self._tell("refused", mistakes)

    # -- processes --

    def _apply(self, config: Config, settings: bytes) -> None:
        self._wanted = config
        self._settings_fd = hand(settings, "sightglass-settings")
        self._settings_fds.add(self._settings_fd)
        relays, observer = self._children[:-1], self._children[-1]
        self._surplus = relays[config.workers :]
        # First the observer, so that it knows an upstream before its calls come.
        self._places = [observer, *relays[: config.workers]]
        self._next()

    def _next(self) -> None:
        """Begin with the next place, or end."""
        relays = self._children[:-1]
        if self._places:
            self._old = self._places.pop(0)
            self.coming = self._successor(self._old)
        elif len(relays) < self._wanted.workers:
            sock = bind(*relays[0].address)  # no connection comes before it serves: then it listens
            worker = len(relays)
            self._old = None
            self.coming = Child(f"relay {worker}", "proxy.relay_app", sock=sock, worker=worker)
        else:
            self._finish()
            return
        self.coming.settings_fd = self._settings_fd
        self._start(self.coming)

    def _successor(self, old: Child) -> Child:
        if old.sock.fileno() < 0:  # given up in a crash loop
            old.sock = bind(*old.address)
        new = Child(old.name, old.module, sock=old.sock, worker=old.worker)
        new.adopted = list(old.adopted)
        if old is self._children[0] and self._surplus:
            # Their sockets hold connections that wait: somebody has to take these, and what comes there from now on.
            new.adopted += [sock for each in self._surplus for sock in (each.sock, *each.adopted)]
        return new

    def _take_over(self, new: Child) -> None:
        """Once the new one serves, the old one goes. One that dies before that ends the reload."""
        death = new.take_death()
        if death is not None:
            self._fail(f"the new {new.name} ended with {death.how} before it served")
            return
        if new.start_at is not None and time.monotonic() >= new.start_at:
            self._start(new)  # no process was to be had the first time
        late_s = new.take_lateness()
        if late_s is not None:
            if new.process is not None:
                new.process.kill()
            self._fail(f"the new {new.name} does not serve after {late_s:.0f} s")
            return
        if not new.serves:
            return
        self.coming = None
        if self._old is None:
            self._children.insert(len(self._children) - 1, new)
        else:
            self._children[self._children.index(self._old)] = new
            self._dismiss(self._old)
            if self._old.worker == 0 and self._old.name != OBSERVER:
                for each in self._surplus:
                    self._children.remove(each)
                    self._dismiss(each)
                self._surplus = []
        self._next()

    def _dismiss(self, old: Child) -> None:
        old.stop_hearing()
        if not old.running or old.process is None:
            return
        observer = old.name == OBSERVER
        old.process.send_signal(RETIRE if old.serves and not observer else signal.SIGTERM)
        self._leaving.append(Leaving(old, time.monotonic() + _OBSERVER_S if observer else None))
        retired = [each for each in self._leaving if each.until is None]
        for each in retired[:-_MOST_RETIRED]:
            if each.child.process is not None:
                each.child.process.terminate()
            each.until = time.monotonic() + self.config.drain_s + 5.0

    def _see_off(self) -> None:
        for each in self._leaving[:]:
            if not each.child.running:
                self._leaving.remove(each)
            elif each.until is not None and time.monotonic() >= each.until and each.child.process is not None:
                each.child.process.kill()

    def _fail(self, why: str) -> None:
        """What was renewed so far stays; everything else goes on as it was."""
        self._say("error", "reload_failed", error=why)
        if self.coming is not None:
            self.coming.stop_hearing()
            self.coming = None
        self._places, self._surplus = [], []
        self._tell("failed", (why,))

    def _finish(self) -> None:
        self.config = self._wanted
        for fd in self._settings_fds - {self._settings_fd}:  # what runs has its own
            os.close(fd)
        self._settings_fds = {self._settings_fd}
        self._say("info", "reload_done", workers=self.config.workers)
        self._tell("done", ())

    def _tell(self, state: str, mistakes: tuple[str, ...]) -> None:
        """Leave the outcome for `sightglass reload`."""
        outcome: dict[str, Any] = {"at_unix_ns": time.time_ns(), "pid": os.getpid(), "state": state}
        path = Path(self.config.data) / OUTCOME
        try:
            beside = path.with_name(f".{OUTCOME}")
            beside.write_text(json.dumps({**outcome, "mistakes": list(mistakes)}))
            beside.rename(path)
        except OSError as error:
            self._say("warning", "reload_outcome_not_written", error=error.strerror)
