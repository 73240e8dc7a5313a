"""What our processes take of the machine, as /proc tells."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from proxy.observe.relays import Relay

_PAGE: Final = resource.getpagesize()
_TICKS: Final = os.sysconf("SC_CLK_TCK")


class Taken(NamedTuple):
    """By one process, now."""

    resident_bytes: int
    cpu_s: float  # since it began, in user and kernel mode
    open_files: int


def taken_by_process(relays: Iterable[Relay]) -> dict[str, Taken]:
    """Of the observer, the living relays and the supervisor, by name."""
    pids = {"observer": os.getpid()}
    if _is_supervisor(os.getppid()):
        pids["supervisor"] = os.getppid()
    pids.update((f"relay {relay.worker}", relay.pid) for relay in relays if relay.lives)
    found = {name: taken(pid) for name, pid in pids.items()}
    return {name: what for name, what in found.items() if what is not None}


def taken(pid: int) -> Taken | None:
    """By that process; None when it is gone or not ours."""
    process = Path(f"/proc/{pid}")
    try:
        resident_pages = int((process / "statm").read_text().split()[1])
        # The name in brackets may hold anything; the 14th and 15th field are the 12th and 13th behind it.
        behind_name = (process / "stat").read_text().rpartition(")")[2].split()
        ticks = int(behind_name[11]) + int(behind_name[12])
        return Taken(resident_pages * _PAGE, ticks / _TICKS, sum(1 for _ in (process / "fd").iterdir()))
    except (OSError, IndexError, ValueError):
        return None


def _is_supervisor(pid: int) -> bool:
    """An orphan's parent is whoever adopts it."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"sightglass: supervisor")
    except OSError:
        return False
