"""Processes of the bench: start, wait, stop by id; on-core time and memory of a process and its children. Linux only.

On-core time is the scheduler's own nanosecond sum (/proc/PID/task/*/schedstat): waiting for a core, which is most
of what two shared cores show on a clock, does not count.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_HAS_SCHEDSTAT: Final = Path("/proc/self/schedstat").exists()


class StartFailedError(Exception):
    """A process ended or stayed mute instead of serving; the message holds the last lines of its log."""


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Resident memory in bytes. rss counts shared pages in every process, pss by its share of them."""

    rss: int
    pss: int


def raise_file_limit() -> None:
    """Soft limit of descriptors up to the hard one, for this process and those it starts."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def end_with_parent() -> None:
    """SIGTERM to this process when its parent dies, so that a killed bench leaves nothing behind."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(
    argv: Sequence[str], *, log: Path, env: dict[str, str] | None = None, cwd: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start a process with its output appended to `log`. It leads a group of its own, so Ctrl-C reaches only us."""
    with log.open("ab") as out:
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=env,
            cwd=cwd,
            start_new_session=True,
        )


def wait_port(port: int, process: subprocess.Popen[bytes], *, log: Path, timeout_s: float = 20.0) -> None:
    """Return once `port` takes connections; StartFailedError when the process ends before or the time is up."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise StartFailedError(f"ended with status {process.returncode}: {last_lines(log)}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1.0):
            return
        time.sleep(0.01)
    raise StartFailedError(f"port {port} took no connection within {timeout_s:g} s: {last_lines(log)}")


def stop(process: subprocess.Popen[bytes], *, timeout_s: float = 5.0) -> None:
    """SIGTERM, then after `timeout_s` SIGKILL to it and the children it had."""
    if process.poll() is not None:
        return
    pids = tree(process.pid)
    process.terminate()
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait(timeout_s)


def last_lines(log: Path, count: int = 3) -> str:
    """The end of a log on one line, for a message."""
    with contextlib.suppress(OSError):
        return " | ".join(log.read_text(errors="replace").splitlines()[-count:]) or "(empty log)"
    return "(no log)"


def tree(pid: int) -> list[int]:
    """A process and all that descend from it, parents first."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                # Fields after the name in brackets, which may hold anything: state, parent, ...
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    found = [pid]
    for each in found:
        found.extend(sorted(children.get(each, ())))
    return found


def title(pid: int) -> str:
    """What the process calls itself, or was called as."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def cpu_ns(pid: int) -> int:
    """On-core time of all living threads of a process, in ns; 0 when it is gone."""
    total = 0
    with contextlib.suppress(OSError):
        if not _HAS_SCHEDSTAT:  # a kernel built without it: user and system time, in steps of 10 ms
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                total += int((task / "schedstat").read_text().split()[0])
    return total


def memory(pid: int) -> Memory:
    """Resident memory of a process; zeros when it is gone."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return Memory(rss=0, pss=0)
    kib = {line.split(":")[0]: int(line.split()[1]) for line in rollup.splitlines() if line.endswith(" kB")}
    return Memory(rss=kib.get("Rss", 0) * 1024, pss=kib.get("Pss", 0) * 1024)


def settle(pids: Sequence[int], *, timeout_s: float = 30.0, window_s: float = 0.4) -> bool:
    """Wait until processes do nothing any more: under 2 % of a core over two windows. False when time is up.

    The window is longer than the observer's linger, so work that only waits for company is not overlooked.
    """
    deadline = time.monotonic() + timeout_s
    quiet = 0
    before = sum(map(cpu_ns, pids))
    while quiet < 2 and time.monotonic() < deadline:
        time.sleep(window_s)
        now = sum(map(cpu_ns, pids))
        quiet = quiet + 1 if now - before < 0.02 * window_s * 1e9 else 0
        before = now
    return quiet == 2
