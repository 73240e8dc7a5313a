"""Who holds a lock file? The kernel lets go of a lock whatever kills its holder."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


def is_held(path: Path) -> bool:
    """Whether some process holds the lock of this file; takes it itself for a moment, if nobody does.

    Raises OSError when that cannot be found out; a file that is not there is held by nobody.
    """
    try:
        lock = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False
