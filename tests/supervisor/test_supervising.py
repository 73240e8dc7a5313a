"""The supervisor's loop with children that behave oddly; with real ones it is in tests/e2e."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.processes import tree
from proxy.core.config import Config

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]

ROOT = Path(__file__).parents[2]
PROGRAM = """
import signal, sys
import msgspec
from pathlib import Path
from proxy.core.config import Config
from proxy.processes import SIGNALS
from proxy.supervisor import supervising
from proxy.supervisor.child import Child
from proxy.supervisor.launching import Orders
from proxy.supervisor.listening import listen

module = sys.argv[1]
signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)


def open_ports(self):
    socks = [listen("127.0.0.1", 0, orphans=False) for _ in range(2)]
    self._children = [Child("relay 0", module, sock=socks[0]), Child("observer", module, sock=socks[1])]


supervising.Supervisor.open_ports = open_ports
orders = Orders(settings=msgspec.Raw(b"{}"), banner="serving")
supervisor = supervising.Supervisor(msgspec.convert({}, Config), orders)
supervisor.open_ports()
sys.exit(supervisor.run())
"""


def supervise(module: str) -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", PROGRAM, module]
    return subprocess.Popen(argv, env={"PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, text=True)


def test_sigterm_ends_at_once_though_no_child_ever_becomes_ready() -> None:
    with supervise("tests.supervisor.mute") as process:
        while len(tree(process.pid)) < 3:
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        status = process.wait(Config().drain_s - 5)
        assert process.stderr is not None
        said = process.stderr.read()

    assert (status, said) == (0, "")


def test_children_that_cannot_start_are_told_as_a_crash_loop_and_restarts_wait() -> None:
    with supervise("tests.supervisor.no_such_module") as process:
        assert process.stderr is not None
        lines, died = [], []
        for line in process.stderr:
            lines += [line] if line.startswith("{") else []
            died += [line] if '"process_died"' in line and '"relay 0"' in line else []
            if len(died) == 3:
                process.send_signal(signal.SIGTERM)
        process.wait(20)

    assert [line.rpartition('"restart_in_s":')[2].rstrip("}\n") for line in died[:3]] == ["0.0", "0.5", "1.0"]
    assert len(died) <= 4
    assert any('"crash_loop"' in line and "died 2 times in a row" in line for line in lines)
