"""Tells a service manager how it goes: sd_notify(3), which is a datagram to a socket that the environment names."""

from __future__ import annotations

import contextlib
import os
import socket
from typing import Final

VARIABLE: Final = "NOTIFY_SOCKET"


class Notifier:
    """Nobody asked: does nothing."""

    def __init__(self) -> None:
        """Takes the variable out of the environment: children are not asked."""
        self._address = os.environ.pop(VARIABLE, "")

    def tell(self, state: str) -> None:
        """Such as READY=1. Never raises, never waits."""
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.sendto(state.encode(), address)
