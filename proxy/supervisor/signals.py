"""Signals as a file, so that one poll waits for signals and for what children say. Linux: signalfd(2)."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Collection
from typing import Final

from proxy.processes import SIGNALS

_INFO_BYTES: Final = 128  # struct signalfd_siginfo; its first word is the signal's number
_SET_WORDS: Final = 16  # sigset_t is 128 bytes, one bit a signal, from 1 on
_FLAGS: Final = os.O_CLOEXEC | os.O_NONBLOCK  # SFD_CLOEXEC and SFD_NONBLOCK are these

_libc: Final = ctypes.CDLL(None, use_errno=True)


def open_signals(signals: Collection[signal.Signals] = SIGNALS) -> int:
    """A descriptor that is readable when one of these came. They must be blocked; children inherit that."""
    words = (ctypes.c_uint64 * _SET_WORDS)()
    for number in signals:
        words[(number - 1) // 64] |= 1 << (number - 1) % 64
    fd = int(_libc.signalfd(-1, ctypes.byref(words), _FLAGS))
    if fd < 0:
        raise OSError(ctypes.get_errno(), "signalfd")
    return fd


def take_signals(fd: int) -> set[int]:
    """Numbers of those that came since the last look; several of one kind may be one."""
    try:
        content = os.read(fd, 32 * _INFO_BYTES)
    except BlockingIOError:
        return set()
    return {int.from_bytes(content[at : at + 4], "little") for at in range(0, len(content), _INFO_BYTES)}
