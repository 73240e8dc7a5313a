"""The observer's thread: takes the lock, opens the ledger, turns the pipeline until told to stop, reads the rest.

It never ends by itself: what fails is counted, said in health and tried again; relays go on and the journal grows.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Protocol

from proxy.core.config import Config
from proxy.core.errors import LedgerError
from proxy.journal.segments import Position, journal_directory
from proxy.observe.attribution import Attribution
from proxy.observe.client_keys import agree
from proxy.observe.fingerprints import key_of
from proxy.observe.guards import Guards
from proxy.observe.interpreting import Interpreter, Probed, SignalMaker
from proxy.observe.pipeline import Pipeline
from proxy.observe.price_file import PriceFileStatus, installed_price_file
from proxy.observe.pricing import PriceBook
from proxy.observe.relays import Counts
from proxy.observe.sinks import Sink
from proxy.observe.state import ObserverState
from proxy.observe.trimming import Trimming
from proxy.observe.upstreams.keeping import ChangeCounts, Keeper
from proxy.observe.upstreams.watcher import Watcher
from proxy.store import Ledger, open_ledger

LOCK_NAME: Final = "observer.lock"
FINISH_S: Final = 10.0  # after stop(): longest time for what is left in the journal
_LOOK_S: Final = 0.05
_RETRY_S: Final = 1.0

log = logging.getLogger("sightglass.observer")

# Called once, when the ledger is open: upstream -> when its last good call began, Unix ns.
Opened = Callable[[Mapping[str, int]], None]


class Signals(SignalMaker, Protocol):
    """Makes the signals of answers, and knows what it learned from them."""

    def recall(self, ledger: Any, /) -> None: ...
    def learned(self) -> Sequence[tuple[int, bytes, bytes]]: ...


class LedgerTurn(Protocol):
    """Reads what was committed, after each pass; what it raises is counted as `drift`. busy: passes have more to do."""

    def turn(self, ledger: Any, /, *, busy: bool) -> None: ...


class Observing:
    """Runs the pipeline in a thread of its own."""

    def __init__(
        self,
        config: Config,
        sinks: Sequence[Sink],
        guards: Guards,
        probed: Probed,
        *,
        watcher: Watcher | None = None,
        keys: Mapping[str, bytes] = MappingProxyType({}),
        opened: Opened = lambda _: None,
        signalling: Signals | None = None,
        reader: LedgerTurn | None = None,
        price_file: Callable[[], Path | None] = installed_price_file,
    ) -> None:
        """watcher: stamps calls with their model, and its changes are kept; None = nobody watches.

        keys: upstream -> its key, should an answer repeat it.
        """
        self.state = ObserverState()
        self.changes = ChangeCounts(watcher.names if watcher is not None else ())
        self.guards = guards
        self._config = config
        self._data = Path(config.data)
        self._sinks = sinks
        self._probed = probed
        self._watcher = watcher
        self._keys = keys
        self._signalling, self._reader = signalling, reader
        self._unkept: dict[int, tuple[int, bytes, bytes]] = {}  # references that the ledger does not have yet, by lane
        self._keeper: Keeper | None = None
        self._opened = opened
        self._price_file = price_file
        self._prices: PriceBook | None = None
        self._interpreter: Interpreter | None = None
        self._pipeline: Pipeline | None = None
        self._stop = threading.Event()
        self._deadline = float("inf")
        self._thread = threading.Thread(target=self._run, name="observing", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Read what is left, for at most FINISH_S, then end. From any thread; returns at once."""
        self._deadline = time.monotonic() + FINISH_S
        self._stop.set()

    def wait(self) -> None:
        """Wait until the thread is done, for at most a little longer than it may take."""
        self._thread.join(FINISH_S + 1.0)

    def relay_counters(self) -> Counts | None:
        """As Pipeline.relay_counters; None before the ledger was opened. From any thread."""
        return self._pipeline.relay_counters() if self._pipeline is not None else None

    def positions(self) -> dict[str, Position]:
        """How far the ledger is, by writer. From any thread."""
        return self._pipeline.positions() if self._pipeline is not None else {}

    def unscored(self) -> int:
        """Answers that were not scored, as they were caught up with. From any thread."""
        return self._interpreter.unscored if self._interpreter is not None else 0

    def price_status(self) -> PriceFileStatus | None:
        """Which price file is in force; None before it was looked for. From any thread."""
        return self._prices.status if self._prices is not None else None

    # -- the thread ------------------------------------------------------------------------------------------

    def _run(self) -> None:
        lock = self._take_lock()
        if lock is None:
            return
        try:
            self._prices = self._open_prices()
            self._observe()
        finally:
            self.state.doing = "stopped"
            os.close(lock)

    def _observe(self) -> None:
        ledger: Ledger | None = None
        trimming = Trimming()
        try:
            while self._pipeline is None and self._goes_on():
                try:
                    ledger = ledger or open_ledger(self._data, fsync=self._config.journal.fsync)
                    self._pipeline = self._make_pipeline(ledger)
                except Exception as error:
                    self._note_trouble(error)
                    self._pause(_RETRY_S)
            while self._pipeline is not None and self._goes_on():
                stopping = self._stop.is_set()
                more = self._turn(self._pipeline)
                self._keep_changes()
                self._read_ledger(ledger, busy=more)
                if stopping and not more:
                    return
                trimming.turn()
                if not more:
                    self._stop.wait(self._config.observer.linger_s)
        finally:
            if self._pipeline is not None:
                self._pipeline.close()
            if ledger is not None:
                ledger.close()

    def _turn(self, pipeline: Pipeline) -> bool:
        """One pass. True: go on at once, there is more to read or the pass failed."""
        try:
            return pipeline.turn()
        except Exception as error:
            self._note_trouble(error)
        self._pause(_RETRY_S)
        return True

    def _keep_changes(self) -> None:
        """What the watcher saw, as events of the ledger; its faults keep no call up."""
        if self._keeper is None:
            return
        try:
            self._keeper.turn()
        except Exception as error:
            self.guards.note("upstreams", error)

    def _read_ledger(self, ledger: Ledger | None, *, busy: bool) -> None:
        """What drift makes of the new calls; its faults keep no call up."""
        if ledger is None or self._reader is None:
            return
        try:
            if self._signalling is not None:
                self._unkept |= {kept[0]: kept for kept in self._signalling.learned()}
            if self._unkept:
                ledger.keep_references(list(self._unkept.values()))
                self._unkept = {}
            self._reader.turn(ledger, busy=busy)
        except Exception as error:
            self.guards.note("drift", error)

    def _make_pipeline(self, ledger: Ledger) -> Pipeline:
        if self._watcher is not None:
            self._keeper = Keeper(self._watcher, ledger, self.changes)
        if self._signalling is not None:
            self._signalling.recall(ledger)
        self._interpreter = Interpreter(
            self.guards,
            self._prices,
            self._probed,
            watcher=self._watcher,
            keys=self._keys,
            estimate_tokens=self._config.estimate_tokens,
            signalling=self._signalling,
            attribution=Attribution(self.guards, self._key(), baggage=self._config.observer.baggage),
        )
        pipeline = Pipeline(
            journal_directory(self._data),
            ledger,
            self._interpreter,
            self._sinks,
            self.guards,
            self.state,
            batch_calls=self._config.observer.batch_calls,
            goes_on=self._goes_on,
            pause=self._pause,
        )
        self.state.ledger_back()
        self._agree_on_keys(ledger)
        self._opened(ledger.last_success())
        return pipeline

    def _agree_on_keys(self, ledger: Ledger) -> None:
        """Once, as after a ledger that was moved aside; a fault keeps no call up."""
        try:
            agree(self._data, ledger)
        except Exception as error:
            self.guards.note("keys", error)

    def _key(self) -> bytes:
        """Of the conversations' fingerprints. Without a file for it conversations end with this process."""
        try:
            return key_of(self._data)
        except OSError as error:
            self.guards.note("conversation", error)
            return os.urandom(32)

    def _open_prices(self) -> PriceBook | None:
        try:
            return PriceBook(self._config.prices, self._price_file())
        except Exception as error:
            self.guards.note("pricing", error)
            return None

    def _take_lock(self) -> int | None:
        """Wait for the observer before us, if there is one; None when told to stop meanwhile."""
        lock = -1
        while True:
            try:
                if lock < 0:
                    lock = os.open(self._data / LOCK_NAME, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self.state.doing = "waiting"
                wait_s = _LOOK_S
            except OSError as error:  # a full disk takes no new file; the data directory may be away
                self._note_trouble(error)
                wait_s = _RETRY_S
            else:
                return lock
            if self._stop.wait(wait_s):
                break
        if lock >= 0:
            os.close(lock)
        return None

    def _note_trouble(self, error: Exception) -> None:
        if isinstance(error, LedgerError):
            self.state.commit_failures += 1
            self.state.ledger_away(str(error))
            self.guards.note("ledger", error)
        else:
            self.guards.note("journal", error)

    def _goes_on(self) -> bool:
        return not self._stop.is_set() or time.monotonic() < self._deadline

    def _pause(self, seconds: float) -> None:
        """Sleep; after stop() only for a moment, as the time is short then."""
        if not self._stop.wait(seconds):
            return
        time.sleep(min(seconds, _LOOK_S))
