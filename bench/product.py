"""Sightglass and its stand-in model as real processes, to be killed, drained and asked. For scripts and tests."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from bench.processes import StartFailedError, free_port, last_lines, start, stop, title, wait_port


class Product:
    """A stand-in model and Sightglass before it, as separate processes."""

    def __init__(
        self,
        folder: Path,
        *,
        workers: int | None = 1,
        env: Mapping[str, str] | None = None,
        upstream: str | None = None,
    ) -> None:
        """`env`: further variables of the proxy, such as SIGHTGLASS_DRAIN_S. `upstream`: instead of the stand-in."""
        self.folder = folder
        self.workers = workers
        self.data = folder / "data"
        self.model_port, self.port, self.console_port = free_port(), free_port(), free_port()
        self._command = str(Path(sys.executable).with_name("sightglass"))
        self._env = {name: value for name, value in os.environ.items() if not name.startswith("SIGHTGLASS_")}
        self._env.pop(
            "PYTHONDONTWRITEBYTECODE", None
        )  # what is installed has its bytecode: each start compiles nothing
        self._env |= env or {}
        self.upstream = f"http://127.0.0.1:{self.model_port}" if upstream is None else upstream
        self.model: subprocess.Popen[bytes] | None = None
        self.supervisor: subprocess.Popen[bytes] | None = None

    def start_model(self) -> None:
        """The stand-in lives through all rounds."""
        log = self.folder / "model.log"
        argv = [self._command, "stand-in", "--port", str(self.model_port)]
        self.model = start(argv, log=log, env=self._env, cwd=self.folder)
        wait_port(self.model_port, self.model, log=log)

    def serve(self, *options: str) -> None:
        """Start Sightglass, with these further options; does not wait."""
        argv = [self._command, "serve", *(["--upstream", self.upstream] if self.upstream else [])]
        argv += ["--port", str(self.port), "--console-port", str(self.console_port), "--data", str(self.data)]
        if self.workers is not None:  # else the settings say
            argv += ["--workers", str(self.workers)]
        argv += options
        self.supervisor = start(argv, log=self.folder / "sightglass.log", env=self._env, cwd=self.folder)

    def wait_serving(self, *, timeout_s: float = 60.0) -> None:
        """Until relay and console answer; the supervisor's sockets take connections long before."""
        deadline = time.monotonic() + timeout_s
        for address in (f"{self.url}/-/health", f"{self.console_url}/health"):
            while True:
                with suppress(OSError), urllib.request.urlopen(address, timeout=5) as answer:
                    if answer.status == 200:
                        break
                if time.monotonic() > deadline:
                    raise StartFailedError(last_lines(self.folder / "sightglass.log"))
                time.sleep(0.02)

    @contextmanager
    def running(self) -> Iterator[Product]:
        """Serving before its stand-in model, until the end of the block."""
        try:
            self.start_model()
            self.serve()
            self.wait_serving()
            yield self
        finally:
            self.stop()

    @property
    def url(self) -> str:
        """Where clients go."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def console_url(self) -> str:
        """Where /metrics and /health are."""
        return f"http://127.0.0.1:{self.console_port}"

    def pids(self, target: str) -> list[int]:
        """Living processes of this product of a kind; newborn ones and orphans of an earlier supervisor among them."""
        kinds = (target,) if target != "all" else ("relay", "observer", "supervisor")
        found = [int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit() and self._is_a(each, kinds)]
        started = self.supervisor
        if "supervisor" in kinds and started is not None and started.poll() is None and started.pid not in found:
            found.append(started.pid)  # still the command line
        return found

    def _is_a(self, entry: Path, kinds: tuple[str, ...]) -> bool:
        """Whether it is of these kinds, by its title or, before it has one, by its module; and ours."""
        pid = int(entry.name)
        name = title(pid)
        named = any(name.startswith(f"sightglass: {kind}") or f"-m proxy.{kind}" in name for kind in kinds)
        return named and self._is_ours(pid)

    def _is_ours(self, pid: int) -> bool:
        """Whether a process has something below our data directory open: lock, journal or ledger."""
        with suppress(OSError):
            return any(str(fd.readlink()).startswith(str(self.data)) for fd in Path(f"/proc/{pid}/fd").iterdir())
        return False

    def kill(self, target: str) -> list[int]:
        """kill -9 all processes of a kind; a killed supervisor is started again at once."""
        pids = self.pids(target)
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if target in ("supervisor", "all"):
            if self.supervisor is not None:
                self.supervisor.kill()
                self.supervisor.wait()
            self.serve()
        return pids

    def kill_pid(self, pid: int) -> None:
        """kill -9 of one process of ours."""
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        """End everything, orphans included."""
        for process in (self.supervisor, self.model):
            if process is not None:
                stop(process, timeout_s=40.0)
        for pid in self.pids("all"):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def wait_rows(self, count: int, *, timeout_s: float = 60.0) -> list[dict[str, object]]:
        """The ledger's rows once there are `count`; fewer when the time is up."""
        deadline = time.monotonic() + timeout_s
        while True:
            rows: list[dict[str, object]] = []
            with suppress(sqlite3.Error):
                rows = self.rows()
            if len(rows) >= count or time.monotonic() > deadline:
                return rows
            time.sleep(0.05)

    def rows(self, after: float = 0.0) -> list[dict[str, object]]:
        """Rows of the ledger begun after a Unix time, read straight from its file."""
        with closing(sqlite3.connect(f"file:{self.data}/ledger.sqlite3?mode=ro", uri=True)) as ledger:
            ledger.row_factory = sqlite3.Row
            query = "SELECT * FROM calls WHERE started_unix_ns >= ?"
            return [dict(row) for row in ledger.execute(query, (int(after * 1e9),))]
