"""A child whose supervisor was killed does not die with it.

A relay goes on serving until a new supervisor has taken the data directory (then it finishes its calls and leaves),
at the latest for ORPHAN_S; the observer likewise.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from proxy.processes import holder

# Long enough for whoever restarts the supervisor, short enough to leave no strays.
ORPHAN_S: Final = 60.0
_LOOK_S: Final = 0.1


def watch_parent(loop: asyncio.AbstractEventLoop, life_fd: int, data: Path, leave: Callable[[], None]) -> None:
    """Call `leave` once when the parent is dead and another supervisor has taken over, or ORPHAN_S later."""
    parent = os.getppid()

    def look(deadline: float) -> None:
        # The kernel may close the pipe of life of a dying supervisor before it lets go of its lock.
        if holder(data) not in (None, parent) or loop.time() >= deadline:
            leave()
        else:
            loop.call_later(_LOOK_S, look, deadline)

    def parent_gone() -> None:
        loop.remove_reader(life_fd)
        look(loop.time() + ORPHAN_S)

    loop.add_reader(life_fd, parent_gone)
