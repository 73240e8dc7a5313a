"""Programs that some tests run beside Python's."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest


def leave_out(reason: str) -> NoReturn:
    """Something a test needs is not here: skipped by name on a user's machine, a failure under CI=true."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}, and CI must not leave tests out")
    pytest.skip(reason)


def require_program(name: str) -> str:
    """Path of the program. Without it the test is skipped by name; under CI=true it fails."""
    path = shutil.which(name)
    if path is not None:
        return path
    leave_out(f"{name} is not installed")
