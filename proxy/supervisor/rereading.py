"""The settings read anew, by a process of its own: the supervisor knows neither YAML nor pydantic, and goes on.

The process gets the environment of the start in a memory file (the supervisor's own has no keys any more) and leaves
what it found in another.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping

import msgspec

from proxy.processes import hand, read_handed

MODULE = "proxy.cli.rereading"


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What the process leaves: new settings as `to_processes` packs them, or why there are none."""

    settings: msgspec.Raw = msgspec.Raw(b"null")
    mistakes: tuple[str, ...] = ()


class Rereading:
    """One reading under way."""

    def __init__(self, options: str, environ: Mapping[str, str]) -> None:
        """options: those of the command line, as JSON. Raises OSError: no process is to be had."""
        self._environ_fd = hand(msgspec.json.encode(environ), "sightglass-environ")
        self._found_fd = os.memfd_create("sightglass-found")
        argv = [sys.executable, "-P", "-m", MODULE, str(self._environ_fd), str(self._found_fd), options]
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter
                argv, stdin=subprocess.DEVNULL, stdout=2, pass_fds=(self._environ_fd, self._found_fd)
            )
        except OSError:
            self._close()
            raise

    def take(self) -> Found | None:
        """What it found, once; None while it reads."""
        if self._process.poll() is None:
            return None
        try:
            return msgspec.json.decode(read_handed(self._found_fd), type=Found)
        except msgspec.MsgspecError:
            return Found(mistakes=(f"they could not be read: the reader ended with {self._process.returncode}",))
        finally:
            self._close()

    def end(self) -> None:
        """Nobody wants to know any more."""
        self._process.kill()
        self._process.wait()

    def _close(self) -> None:
        os.close(self._environ_fd)
        os.close(self._found_fd)
