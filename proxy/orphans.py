"""A child whose supervisor was killed does not die with it.

A relay goes on serving until a new supervisor has taken the data directory; then others have its place, and it serves
what is there to its end. At the latest it leaves after ORPHAN_S; the observer likewise.
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


def watch_parent(
    loop: asyncio.AbstractEventLoop,
    life_fd: int,
    data: Path,
    leave: Callable[[], None],
    *,
    retire: Callable[[], None] | None = None,
) -> None:
    """When the parent is dead and another supervisor has taken over, call `retire` once; without it, `leave`.

    `leave` is called at the latest ORPHAN_S after the parent's death.
    """
    parent = os.getppid()

    def look(deadline: float) -> None:
        # The kernel may close the pipe of life of a dying supervisor before it lets go of its lock.
        if loop.time() >= deadline:
            leave()
        elif holder(data) not in (None, parent):
            succeeded(deadline)
        else:
            loop.call_later(_LOOK_S, look, deadline)

    def succeeded(deadline: float) -> None:
        if retire is None:
            leave()
        else:
            retire()
            loop.call_at(deadline, leave)

    def parent_gone() -> None:
        loop.remove_reader(life_fd)
        look(loop.time() + ORPHAN_S)

    loop.add_reader(life_fd, parent_gone)
