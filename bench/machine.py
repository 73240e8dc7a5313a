"""The machine that the figures come from, and how much others used it meanwhile."""

from __future__ import annotations

import contextlib
import os
import platform
import resource
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.processes import cpu_ns


def describe() -> dict[str, Any]:
    """Where and when."""
    model = "unknown processor"
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model)
    return {
        "at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "cores": os.cpu_count(),
        "processor": model,
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def _busy_s() -> float:
    """Seconds of core time used by anybody since boot, stolen ones (a neighbour of this virtual machine) included."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(
        int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    )
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


class Foreign:
    """How many cores were used by others than us since it was made: noise that no ratio takes out whole."""

    def __init__(self, pids: Iterable[int]) -> None:
        self._pids = list(pids)  # ours that live on; those that we start and wait for count by themselves
        self._began_s = time.monotonic()
        self._busy_s = _busy_s()
        self._own_s = self._own()

    def _own(self) -> float:
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        me = resource.getrusage(resource.RUSAGE_SELF)
        own_s = ended.ru_utime + ended.ru_stime + me.ru_utime + me.ru_stime
        return own_s + sum(map(cpu_ns, self._pids)) / 1e9

    def cores(self) -> float:
        """Cores in use by others on average."""
        others_s = (_busy_s() - self._busy_s) - (self._own() - self._own_s)
        return max(0.0, others_s) / max(time.monotonic() - self._began_s, 1e-3)
