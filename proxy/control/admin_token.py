"""The console's admin token: made once, kept in the data directory, readable by its owner only."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Final

from proxy.control.publishing import locked, put_whole

NAME: Final = "admin-token"


def token_path(data: Path) -> Path:
    """Where the token that was made for a data directory lies."""
    return data / NAME


def make_token(data: Path) -> bool:
    """Make the token unless there is one, mode 0600 from its first moment. False = there was. Raises OSError."""
    path = token_path(data)
    with locked(data):
        if path.exists():
            return False
        put_whole(path, f"sga-{secrets.token_urlsafe(32)}\n".encode())
    return True
