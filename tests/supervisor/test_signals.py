"""Signals read from a file."""

from __future__ import annotations

import os
import select
import signal
import threading

from proxy.supervisor.signals import open_signals, take_signals


def test_signals_that_came_are_read_once() -> None:
    wanted = (signal.SIGUSR1, signal.SIGHUP)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
    fd = open_signals(wanted)
    try:
        assert take_signals(fd) == set()
        for each in wanted:
            signal.pthread_kill(threading.get_ident(), each)  # other threads of the tests block nothing

        assert select.select([fd], [], [], 1)[0] == [fd]
        assert take_signals(fd) == set(wanted)
        assert take_signals(fd) == set()
    finally:
        os.close(fd)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
