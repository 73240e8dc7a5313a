"""One thread of linear algebra: a second one would wait in a loop, on a core that the relay needs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_LOOK = "import proxy, numpy, os; print(len(os.listdir('/proc/self/task')), os.environ['OPENBLAS_NUM_THREADS'])"


def _seen(**environment: str) -> list[str]:
    rest = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    command = [sys.executable, "-c", _LOOK]
    return subprocess.run(command, env=rest | environment, check=True, capture_output=True, text=True).stdout.split()


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are counted in /proc, which Linux has")
def test_numpy_starts_no_thread_beside_ours_unless_told_to() -> None:
    assert _seen() == ["1", "1"]
    assert _seen(OPENBLAS_NUM_THREADS="2")[1] == "2"
