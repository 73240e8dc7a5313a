"""Faults that are switched on and off beside a running Sightglass, for bench.faults. Each with a product of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Final, NamedTuple

from bench.processes import free_port, start, stop, wait_port
from bench.product import Product

Switch = Callable[[], AbstractContextManager[None]]


class LeftOutError(Exception):
    """The fault cannot be played here; the message says why."""


class Playing(NamedTuple):
    """What serves, and what to hold open while it is well, or ill."""

    product: Product
    well: Switch
    ill: Switch
    share: float = 1.0  # of the traffic that it can bear


@contextmanager
def full_disk(folder: Path) -> Iterator[Playing]:
    """16 MiB for journal and ledger; a file takes all the room that is left."""
    data = folder / "data"
    data.mkdir()
    argv = ["mount", "-t", "tmpfs", "-o", "size=16m", "none", str(data)]
    if shutil.which("mount") is None or subprocess.run(argv, capture_output=True, check=False).returncode:
        raise LeftOutError("a tmpfs cannot be mounted here")

    @contextmanager
    def filled() -> Iterator[None]:
        ballast = data / "ballast"
        with suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        try:
            yield
        finally:
            ballast.unlink()

    try:
        with Product(folder).running() as product:
            yield Playing(product, nullcontext, filled)
    finally:
        subprocess.run(["umount", "-l", str(data)], check=True)


@contextmanager
def stalled_disk(folder: Path) -> Iterator[Playing]:
    """strace delays each write to the journal by a second; without the fault it traces only, as that costs, too."""
    program = shutil.which("strace")
    if program is None:
        raise LeftOutError("strace is not installed")

    @contextmanager
    def traced(*options: str) -> Iterator[None]:
        relay = product.pids("relay")[0]
        segment = max(product.data.glob("journal/*/*.segment"), key=os.path.getmtime)
        argv = [program, "-f", "-qq", "-o", os.devnull, "-p", str(relay), "-P", str(segment), *options]
        tracer = subprocess.Popen(argv, stderr=subprocess.DEVNULL)
        try:
            while f"TracerPid:\t{tracer.pid}\n" not in Path(f"/proc/{relay}/status").read_text():
                if tracer.poll() is not None:
                    raise LeftOutError("strace cannot trace here")
                time.sleep(0.05)
            yield
        finally:
            tracer.terminate()
            tracer.wait(10)

    with Product(folder).running() as product:
        # strace stops the relay twice at each system call: with all of the traffic that is what would be measured.
        yield Playing(product, traced, lambda: traced("-e", "inject=writev:delay_exit=1000000"), share=0.2)


@contextmanager
def observer_away(folder: Path) -> Iterator[Playing]:
    """The observer is stopped as by a debugger; the journal grows."""

    @contextmanager
    def away() -> Iterator[None]:
        pids = product.pids("observer")
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    with Product(folder).running() as product:
        yield Playing(product, nullcontext, away)


class _Collector:
    """Takes what is exported, at one port, when it lives."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._log = folder / "collector.log"
        self.begin()

    def begin(self) -> None:
        argv = [sys.executable, "-m", "bench.collector", "--port", str(self.port)]
        self._process = start(argv, log=self._log)
        wait_port(self.port, self._process, log=self._log)

    def end(self) -> None:
        stop(self._process)

    @contextmanager
    def dead(self) -> Iterator[None]:
        """Nobody listens."""
        self.end()
        try:
            yield
        finally:
            self.begin()

    @contextmanager
    def mute(self) -> Iterator[None]:
        """Connections and bytes are taken, and nothing comes back."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)


@contextmanager
def _exporting(folder: Path, trouble: Callable[[_Collector], Switch]) -> Iterator[Playing]:
    collector = _Collector(folder)
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.port}"}
    try:
        with Product(folder, env=env).running() as product:
            yield Playing(product, nullcontext, trouble(collector))
    finally:
        collector.end()


def collector_dead(folder: Path) -> AbstractContextManager[Playing]:
    """Nobody listens where spans go."""
    return _exporting(folder, lambda collector: collector.dead)


def collector_mute(folder: Path) -> AbstractContextManager[Playing]:
    """A black hole where spans go."""
    return _exporting(folder, lambda collector: collector.mute)


FAULTS: Final[dict[str, Callable[[Path], AbstractContextManager[Playing]]]] = {
    "full-disk": full_disk,
    "stalled-disk": stalled_disk,
    "observer-away": observer_away,
    "collector-dead": collector_dead,
    "collector-mute": collector_mute,
}
